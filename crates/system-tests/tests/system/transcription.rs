//! The transcription of a call, from its start to a finished transcript.

mod batch;
mod control;
mod entities;
mod reading;
mod search;
mod text;

use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::recording::{connect, with_events};
use crate::requests::consent;

/// A call with its provider and its patient.
pub(crate) struct Transcribed {
    pub(crate) cloud: TestCloud,
    pub(crate) scenario: Scenario,
    pub(crate) meeting: String,
}

impl Transcribed {
    /// Both are in the call and have consented to these purposes.
    pub(crate) async fn with_consent(purposes: Value) -> TestResult<Self> {
        Self::with_consent_on(with_events().await?, purposes).await
    }

    /// The same on a cloud of one's own.
    pub(crate) async fn with_consent_on(cloud: TestCloud, purposes: Value) -> TestResult<Self> {
        let call = Self::in_call_on(cloud).await?;
        for person in [&call.scenario.provider, &call.scenario.patient] {
            assert_eq!(consent(person, purposes.clone()).await?.brief(), "200");
        }
        Ok(call)
    }

    /// Both are in the call, and nobody has decided.
    pub(crate) async fn in_call_on(cloud: TestCloud) -> TestResult<Self> {
        let scenario = cloud.scenario().await?;
        let meeting = scenario.provider.start().await?.text("meetingId");
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        for person in [&scenario.provider, &scenario.patient] {
            connect(&cloud, &meeting, person)?;
        }
        cloud.drain_queues().await?;
        Ok(Self { cloud, scenario, meeting })
    }

    /// Lets time pass, with the events that come meanwhile.
    pub(crate) async fn pass(&self, seconds: u32) -> TestResult {
        self.cloud.parts().clock.advance(seconds);
        assert_eq!(self.cloud.drain_queues().await?, 0, "no message failed");
        Ok(())
    }

    /// The next minute: a run of the schedules.
    pub(crate) async fn minute(&self) -> TestResult {
        self.pass(60).await?;
        for function in ["recording", "transcript"] {
            self.cloud.run_schedule(function).await?;
        }
        self.pass(0).await
    }

    pub(crate) async fn start(&self, body: Value) -> TestResult<Answer> {
        self.scenario.provider.ask("POST", ROUTE, &body).await
    }

    pub(crate) async fn stop(&self) -> TestResult<Answer> {
        self.scenario.provider.ask("DELETE", ROUTE, &Value::Null).await
    }

    /// The status of transcription, as the patient sees it.
    pub(crate) async fn feature(&self) -> TestResult<Value> {
        Ok(self.scenario.patient.status().await?.body["transcription"].clone())
    }

    /// Starts a transcription and waits until Chime has confirmed it.
    pub(crate) async fn transcribing(&self) -> TestResult<Value> {
        let started = self.start(json!({})).await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        assert_eq!(self.feature().await?["state"], "starting");
        // The capture runs after 2 s, and the transcription 1 s after it was asked for.
        for _ in 0..3 {
            self.pass(3).await?;
        }
        assert_eq!(self.feature().await?["state"], "active");
        Ok(started.body)
    }

    /// Somebody says something that takes a second, at once.
    pub(crate) async fn say(&self, who: &Caller, result: &str, text: &str) -> TestResult {
        let attendee = self.attendee(who).await?;
        let words = json!([{
            "attendeeId": attendee, "text": text, "resultId": result, "partial": false, "afterMs": 1000, "startMs": 0, "endMs": 1000,
        }]);
        let path = format!("chime/meetings/{}/captions", self.meeting);
        let answer = self.cloud.control_api("POST", &path, &words).await?;
        assert!(answer.status < 300, "{:?}", answer.body);
        self.pass(5).await
    }

    async fn attendee(&self, who: &Caller) -> TestResult<String> {
        let sql =
            format!("SELECT attendee_id FROM medzen.video_call_attendee_tokens WHERE user_id = '{}'", who.id);
        self.cloud.sql(&sql).await
    }

    /// `running requested`, the latest first: each run with the reason of its end.
    pub(crate) async fn runs(&self) -> TestResult<String> {
        self.cloud
            .sql(
                "SELECT coalesce(string_agg(status || ' ' || coalesce(end_reason, 'none'), ', ' ORDER BY number DESC), '')
                 FROM medzen.transcription_runs",
            )
            .await
    }

    /// The stored segments, in the order of the call: `provider: Good morning`.
    pub(crate) async fn text(&self) -> TestResult<String> {
        self.cloud
            .sql(
                "SELECT coalesce(string_agg(coalesce(role, speaker) || ': ' || body, E'\\n' ORDER BY start_ms, result_id, place), '')
                 FROM medzen.transcript_segments",
            )
            .await
    }

    /// The outcome of the transcript; empty where it is not finished.
    pub(crate) async fn outcome(&self) -> TestResult<String> {
        self.cloud.sql("SELECT coalesce(string_agg(outcome, ', '), '') FROM medzen.transcripts").await
    }
}

pub(crate) const ROUTE: &str = "/appointments/{a}/call/transcription";
