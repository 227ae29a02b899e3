//! Chime's events as a queue hands them to a function, without the way there: order, doubles and batches are the test's.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Answer, TestCloud, TestResult};

/// The events of one meeting, as Chime would send them.
#[derive(Clone, Debug)]
pub struct MeetingEvents {
    /// Chime's id of the meeting.
    pub meeting: String,
    /// The `ExternalMeetingId` of its creation.
    pub external: Option<String>,
}

impl MeetingEvents {
    /// Of the meeting of a call that was started.
    #[must_use]
    pub fn of(cloud: &TestCloud, started: &Answer) -> Self {
        let meeting = started.text("meetingId");
        let prefix =
            cloud.parts().plan.functions.iter().find_map(|f| f.environment.get("EXTERNAL_ID_PREFIX"));
        let external = prefix.map(|prefix| format!("{prefix}{}", started.text("sessionId")));
        Self { meeting, external }
    }

    /// An event of the meeting itself.
    ///
    /// # Errors
    /// When the time has no text.
    pub fn meeting(&self, kind: &str, at: OffsetDateTime) -> TestResult<Value> {
        self.event(kind, at, &json!({}))
    }

    /// An event of an attendee.
    ///
    /// # Errors
    /// When the time has no text.
    pub fn attendee(&self, kind: &str, at: OffsetDateTime, attendee: &str, user: &str) -> TestResult<Value> {
        self.event(kind, at, &json!({ "attendeeId": attendee, "externalUserId": user }))
    }

    fn event(&self, kind: &str, at: OffsetDateTime, more: &Value) -> TestResult<Value> {
        let mut detail = json!({
            "version": "0",
            "eventType": format!("chime:{kind}"),
            "timestamp": i64::try_from(at.unix_timestamp_nanos() / 1_000_000)?,
            "meetingId": self.meeting,
            "mediaRegion": "us-east-1",
        });
        if let Some(external) = &self.external {
            detail["externalMeetingId"] = external.as_str().into();
        }
        if let (Some(detail), Some(more)) = (detail.as_object_mut(), more.as_object()) {
            detail.extend(more.clone());
        }
        Ok(json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Chime Meeting State Change",
            "source": "aws.chime",
            "account": "111122223333",
            "time": at.replace_nanosecond(0)?.format(&Rfc3339)?,
            "region": "us-east-1",
            "resources": [],
            "detail": detail,
        }))
    }
}

/// A batch as SQS hands it over, received at the given time; messages are `m-0`, `m-1` ...
#[must_use]
pub fn batch(events: &[Value], at: OffsetDateTime) -> Value {
    let ms = (at.unix_timestamp_nanos() / 1_000_000).to_string();
    let record = |(n, event): (usize, &Value)| {
        json!({
            "messageId": format!("m-{n}"),
            "receiptHandle": "handle",
            "body": event.as_str().map_or_else(|| event.to_string(), str::to_owned),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": ms,
                "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": ms,
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:queue",
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": events.iter().enumerate().map(record).collect::<Vec<_>>() })
}

impl TestCloud {
    /// Hands events to a function as one batch, once they have happened: the clock moves to the time of the latest. Returns which
    /// of them it gave back, by their place.
    ///
    /// # Errors
    /// When the invocation failed: SQS redelivers the whole batch.
    pub async fn deliver(&self, function: &str, events: &[Value]) -> TestResult<Vec<usize>> {
        let latest = events.iter().filter_map(|event| event["detail"]["timestamp"].as_i64()).max();
        let ahead_ms = latest.map_or(0, |latest| latest - self.parts().clock.now_ms());
        if let Ok(seconds @ 1..) = u32::try_from((ahead_ms + 999) / 1000) {
            self.parts().clock.advance(seconds);
        }
        self.deliver_now(function, events).await
    }

    /// Hands events to a function as one batch, whatever times they claim.
    ///
    /// # Errors
    /// When the invocation failed.
    pub async fn deliver_now(&self, function: &str, events: &[Value]) -> TestResult<Vec<usize>> {
        let answer = self.invoke(function, &batch(events, self.parts().clock.now())).await?;
        let failures = answer["batchItemFailures"].as_array().ok_or_else(|| answer.to_string())?;
        let place = |failure: &Value| failure["itemIdentifier"].as_str()?.strip_prefix("m-")?.parse().ok();
        failures.iter().map(|failure| place(failure).ok_or_else(|| answer.to_string().into())).collect()
    }
}
