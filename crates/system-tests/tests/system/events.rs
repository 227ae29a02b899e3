//! Chime's events, as a queue hands them over: late, twice, out of order, in part.

use local::faults::FaultKind;
use local_testing::{Answer, Caller, MeetingEvents, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::{invariants, outbox};

pub(crate) const ATTENDEE: &str = "attendee";
pub(crate) const MEETING: &str = "meeting-manager";

/// A call that provider and patient have joined, with their responses.
pub(crate) struct On {
    pub(crate) scenario: Scenario,
    pub(crate) meeting_events: MeetingEvents,
    pub(crate) started: Answer,
    pub(crate) joined: Answer,
    pub(crate) began: OffsetDateTime,
}

impl On {
    pub(crate) async fn set(cloud: &TestCloud) -> TestResult<Self> {
        let scenario = cloud.scenario().await?;
        let started = scenario.provider.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        let joined = scenario.patient.join().await?;
        assert_eq!(joined.brief(), "200", "{:?}", joined.body);
        let meeting_events = MeetingEvents::of(cloud, &started);
        let began = OffsetDateTime::from_unix_timestamp(cloud.parts().clock.now().unix_timestamp() + 1)?;
        Ok(Self { scenario, meeting_events, started, joined, began })
    }

    pub(crate) fn provider(&self, kind: &str, second: i64) -> TestResult<Value> {
        self.about(&self.scenario.provider, &self.started, kind, second)
    }

    pub(crate) fn patient(&self, kind: &str, second: i64) -> TestResult<Value> {
        self.about(&self.scenario.patient, &self.joined, kind, second)
    }

    pub(crate) fn about(&self, who: &Caller, place: &Answer, kind: &str, second: i64) -> TestResult<Value> {
        self.meeting_events.attendee(kind, self.at(second), &place.text("attendeeToken"), &who.id)
    }

    pub(crate) fn ended(&self, second: i64) -> TestResult<Value> {
        self.meeting_events.meeting("MeetingEnded", self.at(second))
    }

    pub(crate) fn at(&self, second: i64) -> OffsetDateTime {
        self.began + Duration::seconds(second)
    }

    /// A participant's state in the roster that the provider sees: `joined 0 1/0` is status, seconds, connections and drops.
    pub(crate) async fn stands(&self, who: &Caller) -> TestResult<String> {
        let roster = self.scenario.provider.roster().await?;
        let people = roster.body["attendees"].as_array().cloned().unwrap_or_default();
        let one = people.iter().find(|one| one["userId"] == who.id.as_str()).ok_or("not in the roster")?;
        let word = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        Ok(format!("{} {} {}/{}", word("status"), one["durationSeconds"], one["connections"], one["drops"]))
    }
}

pub(crate) async fn session(cloud: &TestCloud, on: &On, columns: &str) -> TestResult<String> {
    let id = on.started.text("sessionId");
    cloud.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE id = '{id}'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_and_duplicated_give_the_right_presence_and_durations() -> TestResult {
    presence_is_read(true).await
}

/// Chime's documented samples of attendees' events have the meeting's id but not its `externalMeetingId`.
#[tokio::test(flavor = "multi_thread")]
async fn events_without_the_external_meeting_id_give_the_same_result() -> TestResult {
    presence_is_read(false).await
}

async fn presence_is_read(named: bool) -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut on = On::set(&cloud).await?;
    if !named {
        on.meeting_events.external = None;
    }
    // The patient's connection is lost and comes back; the provider changes to a second device.
    let history = [
        on.provider("AttendeeAuthorized", 9)?,
        on.provider("AttendeeJoined", 10)?,
        on.patient("AttendeeJoined", 20)?,
        on.patient("AttendeeDropped", 80)?,
        on.patient("AttendeeJoined", 95)?,
        on.provider("AttendeeJoined", 100)?,
        on.provider("AttendeeLeft", 101)?,
        on.patient("AttendeeLeft", 125)?,
        on.provider("AttendeeLeft", 130)?,
    ];
    // The last first, in batches of three, each of them delivered twice.
    for batch in history.rchunks(3) {
        assert_eq!(cloud.deliver(ATTENDEE, batch).await?, Vec::<usize>::new());
        let doubled: Vec<Value> = batch.iter().chain(batch).cloned().collect();
        assert_eq!(cloud.deliver(ATTENDEE, &doubled).await?, Vec::<usize>::new());
    }
    cloud.parts().clock.advance(131);
    assert_eq!(on.stands(&on.scenario.provider).await?, "left 120 2/0");
    assert_eq!(on.stands(&on.scenario.patient).await?, "left 90 2/1");
    let roster = on.scenario.provider.roster().await?;
    let patient = roster.body["attendees"].as_array().into_iter().flatten();
    let patient =
        patient.clone().find(|one| one["userId"] == on.scenario.patient.id.as_str()).ok_or("no patient")?;
    for (since, second) in [("joinedAt", 95), ("leftAt", 125)] {
        let time = OffsetDateTime::parse(patient[since].as_str().unwrap_or_default(), &Rfc3339)?;
        assert_eq!(time, on.at(second), "{since} is of the last connection");
    }
    assert_eq!(session(&cloud, &on, "max_participants_reached || ' ' || connected_count").await?, "2 0");
    let kept = "SELECT count(*) || ' ' || count(session_id) FROM medzen.chime_events";
    assert_eq!(cloud.sql(kept).await?, "9 9", "each once, and each counted");

    let audit_entries = outbox::chain(&cloud, &format!("APPT#{}", on.scenario.appointment)).await?;
    let count = |event: &str| audit_entries.iter().filter(|entry| entry["event"] == event).count();
    let audited = ["participant.connected", "participant.disconnected", "participant.dropped"].map(count);
    assert_eq!(audited, [4, 3, 1], "{audit_entries:?}");
    let dropped =
        audit_entries.iter().find(|entry| entry["event"] == "participant.dropped").ok_or("no drop")?;
    assert_eq!(dropped["userId"], json!(on.scenario.patient.id));
    assert_eq!(dropped["happenedAt"], json!(domain::stamp::text(on.at(80))), "when, by Chime's clock");
    assert_eq!(dropped["via"], "event");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_participant_is_present_and_a_dropped_one_is_not() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let present = async || -> TestResult<Vec<Value>> {
        Ok(on.scenario.patient.status().await?.body["present"].as_array().cloned().unwrap_or_default())
    };
    cloud.deliver(ATTENDEE, &[on.provider("AttendeeJoined", 10)?, on.patient("AttendeeJoined", 12)?]).await?;
    assert_eq!(present().await?.len(), 2);
    cloud.deliver(ATTENDEE, &[on.patient("AttendeeDropped", 40)?]).await?;
    assert_eq!(present().await?, [json!(on.scenario.provider.id)]);
    cloud.deliver(ATTENDEE, &[on.patient("AttendeeJoined", 50)?]).await?;
    assert_eq!(present().await?.len(), 2, "a client that reconnects by itself is back without asking us");
    cloud.parts().clock.advance(70);
    let brief = on.stands(&on.scenario.patient).await?;
    assert!(brief.starts_with("joined ") && brief.ends_with(" 2/1"), "{brief}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_and_a_shared_screen_are_no_persons() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let share = format!("{}#content", on.started.text("attendeeToken"));
    let recorder = "7d9f1c5e-0000-4000-8000-00000000aaaa";
    let events = [
        on.provider("AttendeeJoined", 10)?,
        on.meeting_events.attendee("AttendeeJoined", on.at(11), recorder, "aws:MediaPipeline-7d9f1c5e")?,
        on.meeting_events.attendee(
            "AttendeeJoined",
            on.at(12),
            &share,
            &format!("{}#content", on.scenario.provider.id),
        )?,
        on.meeting_events.attendee(
            "AttendeeContentJoined",
            on.at(12),
            &share,
            &format!("{}#content", on.scenario.provider.id),
        )?,
    ];
    assert_eq!(cloud.deliver(ATTENDEE, &events).await?, Vec::<usize>::new());
    assert_eq!(session(&cloud, &on, "max_participants_reached || ' ' || connected_count").await?, "1 1");
    assert_eq!(
        outbox::events(&cloud, &on.scenario.appointment).await?,
        "call.started, participant.joined, participant.connected, content.started",
        "a shared screen is audited"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_ended_event_closes_the_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let both = [on.provider("AttendeeJoined", 10)?, on.patient("AttendeeJoined", 20)?];
    assert_eq!(cloud.deliver(ATTENDEE, &both).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(700);
    // The patient's departure never came.
    assert_eq!(cloud.deliver(ATTENDEE, &[on.provider("AttendeeLeft", 60)?]).await?, Vec::<usize>::new());
    assert_eq!(cloud.deliver(ATTENDEE, &[on.ended(620)?]).await?, Vec::<usize>::new());
    assert_eq!(session(&cloud, &on, "status").await?, "active", "the patient may be there: Chime is asked");
    cloud.parts().clock.advance(2);
    cloud.run_schedule(MEETING).await?;

    assert_eq!(session(&cloud, &on, "status || ' ' || end_reason").await?, "ended meeting_ended");
    let length = session(&cloud, &on, "extract(epoch FROM ended_at)::bigint").await?;
    assert_eq!(length, on.at(620).unix_timestamp().to_string(), "when it ended, not when the event arrived");
    assert_eq!(on.stands(&on.scenario.provider).await?, "left 50 1/0");
    assert_eq!(
        on.stands(&on.scenario.patient).await?,
        "left 600 1/0",
        "until the end, for nothing else is known"
    );
    assert_eq!(on.scenario.patient.join().await?.brief(), "404 NO_ACTIVE_CALL");
    assert_eq!(on.scenario.provider.end().await?.brief(), "200", "and a late end is no fault");
    // The first event may arrive last.
    assert_eq!(cloud.deliver(ATTENDEE, &[on.patient("AttendeeLeft", 75)?]).await?, Vec::<usize>::new());
    assert_eq!(on.stands(&on.scenario.patient).await?, "left 55 1/0");
    let audit_events = outbox::events(&cloud, &on.scenario.appointment).await?;
    assert_eq!(audit_events.matches("call.ended").count(), 1, "{audit_events}");
    invariants::hold(&cloud, &on.scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_end_is_finished_by_the_schedule_and_not_by_an_event() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    cloud.fault("postgres", Some("close"), FaultKind::KillBefore, Some(1));
    assert!(on.scenario.provider.end().await?.status >= 500, "the end broke off");
    cloud.parts().faults.clear();
    assert_eq!(session(&cloud, &on, "status").await?, "ending");
    assert_eq!(cloud.deliver(ATTENDEE, &[on.ended(1)?]).await?, Vec::<usize>::new());
    assert_eq!(session(&cloud, &on, "status").await?, "ending", "an event does not prove the deletion");
    cloud.parts().clock.advance(31);
    cloud.run_schedule(MEETING).await?;
    assert_eq!(session(&cloud, &on, "status || ' ' || end_reason").await?, "ended ended_by_provider");
    invariants::hold(&cloud, &on.scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_durations_of_an_ended_call_are_those_that_chime_saw() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let events = [
        on.provider("AttendeeJoined", 10)?,
        on.patient("AttendeeJoined", 20)?,
        on.patient("AttendeeDropped", 30)?,
    ];
    assert_eq!(cloud.deliver(ATTENDEE, &events).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(110);
    assert_eq!(on.scenario.provider.end().await?.brief(), "200");
    // The event of the meeting's end is lost; the reconciler asks Chime.
    cloud.run_schedule(MEETING).await?;
    assert_eq!(session(&cloud, &on, "projection_stale::text || ' ' || connected_count").await?, "false 0");
    assert_eq!(on.stands(&on.scenario.patient).await?, "left 10 1/1");
    let ended = session(&cloud, &on, "floor(extract(epoch FROM ended_at))::bigint").await?.parse::<i64>()?;
    let expected = ended - on.at(10).unix_timestamp();
    let stands = on.stands(&on.scenario.provider).await?;
    assert_eq!(stands, format!("left {expected} 1/0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_meeting_that_no_session_has_yet_are_kept_for_it() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    // The start is killed after Chime's answer and before it is stored; Chime sends the meeting's events all the same.
    cloud.fault("postgres", Some("activate"), FaultKind::KillBefore, Some(1));
    assert!(scenario.provider.start().await?.status >= 500);
    cloud.parts().faults.clear();
    let made = cloud.meetings().first().cloned().ok_or("no meeting")?;
    let meeting_events = MeetingEvents {
        meeting: made["meetingId"].as_str().unwrap_or_default().to_owned(),
        external: made["externalMeetingId"].as_str().map(str::to_owned),
    };
    assert!(meeting_events.external.is_some(), "{made}");
    let began = cloud.parts().clock.now();
    let attendee = made["attendees"][0]["attendeeId"].as_str().unwrap_or_default().to_owned();
    let joined = meeting_events.attendee(
        "AttendeeJoined",
        began + Duration::SECOND,
        &attendee,
        &scenario.provider.id,
    )?;
    assert_eq!(cloud.deliver(ATTENDEE, &[joined]).await?, Vec::<usize>::new());
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events WHERE session_id IS NULL").await?, "1");

    let started = scenario.provider.start().await?;
    assert!([200, 201].contains(&started.status), "{:?}", started.body);
    assert_eq!(started.text("meetingId"), meeting_events.meeting, "the same token gives the same meeting");
    cloud.run_schedule(MEETING).await?;
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events WHERE session_id IS NULL").await?, "0");
    assert_eq!(cloud.sql("SELECT connected_count::text FROM video_call_sessions").await?, "1");
    let events = outbox::events(&cloud, &scenario.appointment).await?;
    assert_eq!(events, "call.started, participant.connected");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_someone_is_connected_and_shortly_after_chime_is_not_asked_before_a_rejoin() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    assert_eq!(cloud.deliver(ATTENDEE, &[on.provider("AttendeeJoined", 10)?]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(600);
    let asked = async || -> TestResult<usize> {
        let watch = cloud.watch();
        assert_eq!(on.scenario.patient.join().await?.brief(), "200");
        Ok(watch.count("GetMeeting"))
    };
    assert_eq!(asked().await?, 0, "the provider is connected");
    assert_eq!(cloud.deliver(ATTENDEE, &[on.provider("AttendeeLeft", 590)?]).await?, Vec::<usize>::new());
    assert_eq!(asked().await?, 0, "the last one went a moment ago");
    cloud.parts().clock.advance(240);
    // The engine has no connected attendee, so it has ended the meeting by now.
    let watch = cloud.watch();
    assert_eq!(on.scenario.patient.join().await?.brief(), "410 MEETING_EXPIRED");
    assert_eq!(watch.count("GetMeeting"), 1, "four minutes are over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_who_leaves_but_stays_connected_is_still_tracked() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let both = [on.provider("AttendeeJoined", 1)?, on.patient("AttendeeJoined", 1)?];
    assert_eq!(cloud.deliver(ATTENDEE, &both).await?, Vec::<usize>::new());
    let yes = json!({ "recording": true });
    assert_eq!(on.scenario.provider.ask("PUT", "/appointments/{a}/call/consent", &yes).await?.brief(), "200");
    cloud.parts().clock.advance(5);
    assert_eq!(on.scenario.patient.leave().await?.brief(), "200");

    let status = on.scenario.provider.status().await?;
    assert_eq!(status.body["present"].as_array().map(Vec::len), Some(2), "Chime still sees them connected");
    let recording = &status.body["consent"]["recording"];
    assert_eq!(
        (&recording["allowed"], &recording["missing"]),
        (&json!(false), &json!([on.scenario.patient.id]))
    );

    assert_eq!(cloud.deliver(ATTENDEE, &[on.patient("AttendeeLeft", 6)?]).await?, Vec::<usize>::new());
    let status = on.scenario.provider.status().await?;
    assert_eq!(status.body["present"], json!([on.scenario.provider.id]));
    let recording = &status.body["consent"]["recording"];
    assert_eq!(
        (&recording["allowed"], &recording["missing"]),
        (&json!(false), &json!([on.scenario.patient.id])),
        "the token that they hold still admits them"
    );
    assert_eq!(on.scenario.patient.ask("PUT", "/appointments/{a}/call/consent", &yes).await?.brief(), "200");
    let status = on.scenario.provider.status().await?;
    assert_eq!(status.body["consent"]["recording"]["allowed"], true);
    Ok(())
}
