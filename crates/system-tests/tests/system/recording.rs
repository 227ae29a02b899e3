//! The recording of a call, from its start to a verified file that is played.

mod control;
mod deadlines;
mod deletion;
mod files;
mod hold;
mod races;
mod random;
mod requested;
mod rights;
mod search;
mod speech;

use local::chime::{EventDelivery, Options};
use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::consent;

/// A call with its provider and its patient, who both have consented to being recorded.
pub(crate) struct Recorded {
    pub(crate) cloud: TestCloud,
    pub(crate) scenario: Scenario,
}

impl Recorded {
    /// Both are in the call and have consented.
    pub(crate) async fn with_consent() -> TestResult<Self> {
        Self::with_consent_on(with_events().await?).await
    }

    /// The same on a cloud of one's own.
    pub(crate) async fn with_consent_on(cloud: TestCloud) -> TestResult<Self> {
        let recorded = Self::in_call_on(cloud).await?;
        for person in [&recorded.scenario.provider, &recorded.scenario.patient] {
            assert_eq!(consent(person, json!({ "recording": true })).await?.brief(), "200");
        }
        Ok(recorded)
    }

    /// Both are in the call, and nobody has decided.
    pub(crate) async fn in_call() -> TestResult<Self> {
        Self::in_call_on(with_events().await?).await
    }

    /// The same on a cloud of one's own.
    pub(crate) async fn in_call_on(cloud: TestCloud) -> TestResult<Self> {
        let scenario = cloud.scenario().await?;
        let started = scenario.provider.start().await?;
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        for person in [&scenario.provider, &scenario.patient] {
            connect(&cloud, &started.text("meetingId"), person)?;
        }
        cloud.drain_queues().await?;
        Ok(Self { cloud, scenario })
    }

    /// Chime reports an event of everyone who is in the call.
    pub(crate) async fn everyone(&self, event: &str) -> TestResult {
        let meetings = self.cloud.live_meetings();
        for meeting in &meetings {
            let id = meeting["meetingId"].as_str().ok_or("no id")?;
            for attendee in meeting["attendees"].as_array().ok_or("no attendees")? {
                self.cloud.chime_event(id, event, attendee["attendeeId"].as_str())?;
            }
        }
        self.pass(0).await
    }

    /// The keys in the bucket of recordings.
    pub(crate) fn keys(&self) -> Vec<String> {
        let parts = self.cloud.parts();
        let bucket = &parts.plan.outputs["RecordingsBucketName"];
        parts.s3.keys(bucket)
    }

    /// Gets a signed link, as a browser does.
    pub(crate) async fn fetch(&self, url: &str, range: Option<&str>) -> TestResult<(u16, Vec<u8>)> {
        self.cloud.fetch(url, range).await
    }

    pub(crate) async fn start(&self) -> TestResult<Answer> {
        start(&self.scenario.provider).await
    }

    /// Starts a recording and waits until Chime captures.
    pub(crate) async fn capturing(&self) -> TestResult<String> {
        let started = self.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        self.pass(3).await?;
        assert_eq!(self.feature().await?["state"], "active");
        Ok(started.text("recordingId"))
    }

    /// Lets time pass, with the events that come meanwhile.
    pub(crate) async fn pass(&self, seconds: u32) -> TestResult {
        self.cloud.parts().clock.advance(seconds);
        assert_eq!(self.cloud.drain_queues().await?, 0, "no message failed");
        Ok(())
    }

    /// The next minute: a run of the schedule.
    pub(crate) async fn minute(&self) -> TestResult {
        self.pass(60).await?;
        self.cloud.run_schedule("recording").await?;
        self.pass(0).await
    }

    /// The status of recording, as the patient sees it.
    pub(crate) async fn feature(&self) -> TestResult<Value> {
        Ok(self.scenario.patient.status().await?.body["recording"].clone())
    }

    pub(crate) async fn get(&self, recording: &str) -> TestResult<Value> {
        let answer =
            self.scenario.provider.ask("GET", &format!("/recordings/{recording}"), &Value::Null).await?;
        assert_eq!(answer.brief(), "200", "{:?}", answer.body);
        Ok(answer.body)
    }

    /// `running none`, the latest first: each capture with the reason of its stop.
    pub(crate) async fn captures(&self) -> TestResult<String> {
        self.cloud
            .sql(
                "SELECT coalesce(string_agg(status || ' ' || coalesce(stop_reason, 'none'), ', ' ORDER BY opened_at DESC), '')
                 FROM medzen.media_captures",
            )
            .await
    }

    /// Waits until each segment of a recording is finished.
    pub(crate) async fn finished(&self, recording: &str) -> TestResult<Value> {
        for _ in 0..5 {
            self.pass(15).await?;
            let now = self.get(recording).await?;
            if now["state"] != "processing" && now["state"] != "recording" {
                return Ok(now);
            }
            self.cloud.run_schedule("recording").await?;
        }
        self.get(recording).await
    }
}

/// A Chime engine that sends its events at once.
pub(crate) fn events_at_once() -> Options {
    Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() }
}

/// A cloud whose Chime engine sends its events at once.
pub(crate) async fn with_events() -> TestResult<TestCloud> {
    TestCloud::with(events_at_once()).await
}

pub(crate) async fn start(by: &Caller) -> TestResult<Answer> {
    by.ask("POST", "/appointments/{a}/call/recordings", &Value::Null).await
}

pub(crate) async fn control(by: &Caller, recording: &str, action: &str) -> TestResult<Answer> {
    by.ask("POST", &format!("/recordings/{recording}/{action}"), &Value::Null).await
}

/// Chime reports that a participant is connected.
pub(crate) fn connect(cloud: &TestCloud, meeting: &str, person: &Caller) -> TestResult {
    let attendees = cloud.live_meetings();
    let attendee = attendees
        .iter()
        .flat_map(|meeting| meeting["attendees"].as_array().cloned().unwrap_or_default())
        .find(|attendee| attendee["externalUserId"] == person.id.as_str())
        .ok_or("no attendee")?;
    let id = attendee["attendeeId"].as_str().ok_or("no id")?;
    cloud.chime_event(meeting, "AttendeeJoined", Some(id))?;
    Ok(())
}
