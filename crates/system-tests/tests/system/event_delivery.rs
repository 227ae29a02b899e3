//! Whole calls with events as Chime delivers them: late, out of order and sometimes twice. The stored result is compared
//! with what the test did.

use std::collections::BTreeSet;
use std::sync::Arc;

use local::chime::{EventDelivery, Options};
use local_testing::{Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use crate::invariants::{self, rows};
use crate::outbox;

const CALLS: usize = 20;
const FUNCTIONS: [&str; 2] = ["attendee", "meeting-manager"];

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallEnding {
    /// The provider ends it while participants may be connected.
    Ended,
    /// All participants leave; no request ends it.
    Left,
    /// No participant ever connects.
    Empty,
    /// A participant stays until Chime's limit of 24 hours.
    Forgotten,
}

/// A participant and what they did.
struct Person {
    caller: Caller,
    attendee: String,
    since: Option<i64>,
    stays: Vec<(i64, i64)>,
    connections: usize,
    drops: usize,
    lefts: usize,
}

impl Person {
    fn new(caller: &Caller, attendee: String) -> Self {
        let caller = caller.clone();
        Self { caller, attendee, since: None, stays: Vec::new(), connections: 0, drops: 0, lefts: 0 }
    }

    /// Whether they count as present: connected, or joined and not connected yet.
    fn is_here(&self) -> bool {
        self.connections == 0 || self.since.is_some()
    }

    fn seconds(&self, over_ms: i64) -> i64 {
        let open = self.since.map(|since| (since, over_ms));
        let stays = self.stays.iter().copied().chain(open);
        stays.map(|(from, to)| (to.min(over_ms) - from).max(0)).sum::<i64>() / 1000
    }
}

struct Call {
    cloud: Arc<TestCloud>,
    scenario: Scenario,
    session: String,
    meeting: String,
    people: Vec<Person>,
    ending: CallEnding,
    random: fastrand::Rng,
    /// The end of the call, if the test knows it.
    over_ms: Option<i64>,
}

impl Call {
    async fn begin(cloud: Arc<TestCloud>, n: usize, seed: u64) -> TestResult<Self> {
        let scenario = cloud.scenario().await?;
        // That two cores are late with forty environments is not what this test is about.
        let (_warm, _too) = tokio::join!(scenario.provider.status(), scenario.patient.roster());
        let started = scenario.provider.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        let joined = scenario.patient.join().await?;
        assert_eq!(joined.brief(), "200", "{:?}", joined.body);
        let ending = [CallEnding::Ended, CallEnding::Left, CallEnding::Empty, CallEnding::Forgotten][n % 4];
        Ok(Self {
            people: vec![
                Person::new(&scenario.provider, started.text("attendeeToken")),
                Person::new(&scenario.patient, joined.text("attendeeToken")),
            ],
            session: started.text("sessionId"),
            meeting: started.text("meetingId"),
            random: fastrand::Rng::with_seed(seed * 1000 + n as u64),
            over_ms: None,
            ending,
            scenario,
            cloud,
        })
    }

    /// Sends an event through the control API: a participant connects, leaves or is dropped.
    async fn send_event(&mut self, who: usize, kind: &str) -> TestResult {
        let person = &mut self.people[who];
        let path = format!("chime/meetings/{}/events", self.meeting);
        let event = json!({ "eventType": kind, "attendeeId": person.attendee });
        let response = self.cloud.control_api("POST", &path, &event).await?;
        assert_eq!(response.status, 200, "{:?}", response.body);
        let at = response.body["detail"]["timestamp"].as_i64().ok_or("no time")?;
        if kind == "AttendeeJoined" {
            person.since = Some(at);
            person.connections += 1;
        } else {
            let since = person.since.take().ok_or("connected before")?;
            person.stays.push((since, at));
            *(if kind == "AttendeeDropped" { &mut person.drops } else { &mut person.lefts }) += 1;
        }
        Ok(())
    }

    async fn random_step(mut self) -> TestResult<Self> {
        for who in 0..self.people.len() {
            if self.ending == CallEnding::Empty || self.random.bool() {
                continue;
            }
            let kind = match (self.people[who].since, self.random.bool()) {
                (None, _) => "AttendeeJoined",
                (Some(_), true) => "AttendeeLeft",
                (Some(_), false) => "AttendeeDropped",
            };
            self.send_event(who, kind).await?;
        }
        Ok(self)
    }

    async fn end_call(mut self) -> TestResult<Self> {
        match self.ending {
            CallEnding::Empty => {}
            CallEnding::Ended => {
                let ended = self.scenario.provider.end().await?;
                assert_eq!(ended.brief(), "200", "{:?}", ended.body);
                self.over_ms = Some(ms(&ended.text("endedAt"))?);
            }
            CallEnding::Left => {
                for who in 0..self.people.len() {
                    if self.people[who].since.is_none() {
                        self.send_event(who, "AttendeeJoined").await?;
                    }
                }
                for who in 0..self.people.len() {
                    self.send_event(who, if who == 0 { "AttendeeDropped" } else { "AttendeeLeft" }).await?;
                }
                let last = self.people.iter().flat_map(|it| &it.stays).map(|(_, to)| *to).max();
                self.over_ms = Some(last.ok_or("they were there")? + 300_000);
            }
            CallEnding::Forgotten => {
                if self.people[1].since.is_none() {
                    self.send_event(1, "AttendeeJoined").await?;
                }
            }
        }
        Ok(self)
    }

    async fn check_presence(self) -> TestResult<Self> {
        let status = self.scenario.provider.status().await?;
        let present: BTreeSet<&str> =
            status.body["present"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let here = self.people.iter().filter(|it| it.is_here()).map(|it| it.caller.id.as_str()).collect();
        assert_eq!(present, here, "{:?}", status.body);
        Ok(self)
    }

    /// Compares the stored state with what the test did.
    async fn check_stored_state(self) -> TestResult<Self> {
        let meeting = self.cloud.meetings().into_iter().find(|it| it["meetingId"] == self.meeting.as_str());
        let meeting = meeting.ok_or("no such meeting")?;
        assert_eq!(meeting["live"], false);
        let over_ms = self.over_ms.map_or_else(|| ms(meeting["endedAt"].as_str().unwrap_or_default()), Ok)?;
        let query = format!(
            "SELECT status, end_reason, round(extract(epoch FROM ended_at) * 1000)::bigint AS over, connected_count, projection_stale
             FROM video_call_sessions WHERE id = '{}'",
            self.session
        );
        let reason = if self.ending == CallEnding::Ended { "ended_by_provider" } else { "meeting_ended" };
        let expected = json!([{ "status": "ended", "end_reason": reason, "over": over_ms, "connected_count": 0, "projection_stale": false }]);
        assert_eq!(json!(rows(&self.cloud, &query).await?), expected, "{:?}", self.ending);

        let audit_entries =
            outbox::chain(&self.cloud, &format!("APPT#{}", self.scenario.appointment)).await?;
        for person in &self.people {
            let id = &person.caller.id;
            let row = format!(
                "SELECT status, connections, drops, duration_seconds AS seconds
                 FROM video_call_participants WHERE video_call_id = '{}' AND user_id = '{id}'",
                self.session
            );
            let row = rows(&self.cloud, &row).await?;
            let seconds = if person.connections == 0 {
                row[0]["seconds"].clone()
            } else {
                person.seconds(over_ms).into()
            };
            let expected = json!([{
                "status": "left", "connections": person.connections, "drops": person.drops, "seconds": seconds }]);
            assert_eq!(json!(row), expected, "{:?} {:?} {:?}", self.ending, person.stays, person.since);
            let count = |event: &str| {
                audit_entries
                    .iter()
                    .filter(|entry| entry["event"] == event && entry["userId"] == id.as_str())
                    .count()
            };
            // A participant who was connected at the end is audited as disconnected then.
            let lefts = person.lefts + usize::from(person.since.is_some());
            let audited =
                ["participant.connected", "participant.dropped", "participant.disconnected"].map(count);
            assert_eq!(audited, [person.connections, person.drops, lefts], "{:?}", self.ending);
        }
        invariants::hold(&self.cloud, &self.scenario.appointment).await?;

        let bus_events =
            self.cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let of_this = |event: &&Value| {
            event["source"] == bus::SOURCE && event["detail"]["sessionId"] == self.session.as_str()
        };
        let published: BTreeSet<String> = bus_events
            .iter()
            .filter(of_this)
            .map(|event| format!("{} {}", event["detail-type"], event["detail"]["eventId"]))
            .collect();
        let kinds: Vec<&str> = published.iter().filter_map(|it| it.split('"').nth(1)).collect();
        assert_eq!(kinds, ["Call Ended", "Call Started"]);
        Ok(self)
    }
}

/// All calls at once.
async fn each<F>(calls: Vec<Call>, step: impl Fn(Call) -> F) -> TestResult<Vec<Call>>
where
    F: Future<Output = TestResult<Call>> + Send + 'static,
{
    let mut steps: JoinSet<_> = calls.into_iter().map(step).collect();
    let mut calls = Vec::new();
    while let Some(call) = steps.join_next().await {
        calls.push(call??);
    }
    Ok(calls)
}

/// Drains the queues until all delayed events have been delivered.
async fn drain_until_empty(cloud: &TestCloud) -> TestResult {
    for _ in 0..5 {
        cloud.parts().clock.advance(4);
        if cloud.drain_queues().await? == 0 {
            return Ok(());
        }
        // Past the visibility timeout of failed messages.
        cloud.parts().clock.advance(126);
    }
    Err("messages come again and again".into())
}

fn ms(text: &str) -> TestResult<i64> {
    Ok(i64::try_from(OffsetDateTime::parse(text, &Rfc3339)?.unix_timestamp_nanos() / 1_000_000)?)
}

async fn run_calls(seed: u64) -> TestResult {
    let options =
        Options { rate: None, event_delivery: EventDelivery::LikeChime { seed }, ..Options::default() };
    let cloud = Arc::new(TestCloud::with(options).await?);
    let mut beginnings: JoinSet<_> = (0..CALLS).map(|n| Call::begin(Arc::clone(&cloud), n, seed)).collect();
    let mut calls = Vec::new();
    while let Some(call) = beginnings.join_next().await {
        calls.push(call??);
    }
    for round in 0..5 {
        calls = each(calls, Call::random_step).await?;
        cloud.parts().clock.advance(3 + 2 * round);
    }
    drain_until_empty(&cloud).await?;
    calls = each(calls, Call::check_presence).await?;
    calls = each(calls, Call::end_call).await?;
    drain_until_empty(&cloud).await?;

    // Five minutes later Chime has ended the empty meetings and sent the events; no request was made. Where someone had just
    // left or never connected, Chime is asked.
    cloud.parts().clock.advance(301);
    drain_until_empty(&cloud).await?;
    verify_reported_ends(&cloud).await?;
    let open = "SELECT count(*) FROM video_call_sessions WHERE status <> 'ended'";
    assert_eq!(cloud.sql(open).await?, (CALLS / 4).to_string(), "the forgotten ones alone");
    cloud.parts().clock.advance(24 * 3600);
    drain_until_empty(&cloud).await?;
    verify_reported_ends(&cloud).await?;
    assert_eq!(cloud.sql(open).await?, "0");

    for _ in 0..2 {
        cloud.run_schedule("meeting-manager").await?;
        cloud.parts().clock.advance(60);
        drain_until_empty(&cloud).await?;
    }
    assert_eq!(cloud.live_meetings(), Vec::<Value>::new());
    each(calls, Call::check_stored_state).await?;
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.pending_operations WHERE operation = 'publish_event' AND completed_at IS NULL").await?, "0");
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events WHERE session_id IS NULL").await?, "0");
    for function in FUNCTIONS {
        assert_eq!(cloud.dead_letters(function)?, Vec::<Value>::new(), "{function}");
    }
    let bus_events = cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let chime: Vec<&str> = bus_events
        .iter()
        .filter(|event| event["source"] == "aws.chime")
        .filter_map(|event| event["id"].as_str())
        .collect();
    let once: BTreeSet<&str> = chime.iter().copied().collect();
    assert!(chime.len() > once.len(), "some came twice");
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events").await?, once.len().to_string());
    Ok(())
}

/// Runs the reconciler twice, because at two requests a second one run verifies twelve ends.
async fn verify_reported_ends(cloud: &TestCloud) -> TestResult {
    for _ in 0..2 {
        // A schedule's time is in whole seconds.
        cloud.parts().clock.advance(2);
        cloud.run_schedule("meeting-manager").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_calls_are_stored_correctly_whatever_the_order_of_chimes_events() -> TestResult {
    for seed in [1, 2, 3] {
        run_calls(seed).await.map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}
