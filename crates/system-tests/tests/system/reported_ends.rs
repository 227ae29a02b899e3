//! Events that claim what is not so: ends of meetings that are live, and times that cannot be true.

use local::faults::FaultKind;
use local_testing::{Answer, MeetingEvents, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::requests::remove;
use crate::{invariants, outbox};

const ATTENDEE: &str = "attendee";
const MEETING: &str = "meeting-manager";

/// A call in which the provider is connected.
struct Connected {
    scenario: Scenario,
    events: MeetingEvents,
    started: Answer,
}

impl Connected {
    async fn new(cloud: &TestCloud) -> TestResult<Self> {
        let scenario = cloud.scenario().await?;
        let started = scenario.provider.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        cloud.chime_event(
            &started.text("meetingId"),
            "AttendeeJoined",
            Some(&started.text("attendeeToken")),
        )?;
        cloud.drain_queues().await?;
        let events = MeetingEvents::of(cloud, &started);
        Ok(Self { scenario, events, started })
    }

    async fn claim_end(&self, cloud: &TestCloud, at: OffsetDateTime) -> TestResult {
        let event = self.events.meeting("MeetingEnded", at)?;
        assert_eq!(cloud.deliver_now(ATTENDEE, &[event]).await?, Vec::<usize>::new());
        Ok(())
    }

    fn provider(&self, kind: &str, at: OffsetDateTime) -> TestResult<Value> {
        self.events.attendee(kind, at, &self.started.text("attendeeToken"), &self.scenario.provider.id)
    }

    async fn session(&self, cloud: &TestCloud, columns: &str) -> TestResult<String> {
        let id = self.started.text("sessionId");
        cloud.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE id = '{id}'")).await
    }

    async fn own_row(&self, cloud: &TestCloud, columns: &str) -> TestResult<String> {
        let (id, user) = (self.started.text("sessionId"), &self.scenario.provider.id);
        let of = format!("video_call_id = '{id}' AND user_id = '{user}'");
        cloud.sql(&format!("SELECT {columns} FROM video_call_participants WHERE {of}")).await
    }
}

/// Runs the reconciler a moment later, because a schedule's time is in whole seconds. Returns how often
/// Chime was asked for a meeting.
async fn reconcile(cloud: &TestCloud) -> TestResult<usize> {
    cloud.parts().clock.advance(2);
    let watch = cloud.watch();
    cloud.run_schedule(MEETING).await?;
    Ok(watch.count("GetMeeting"))
}

const OPEN: &str = "SELECT count(*) FROM medzen.pending_operations WHERE operation = 'verify_meeting' AND completed_at IS NULL";

#[tokio::test(flavor = "multi_thread")]
async fn a_false_end_changes_nothing_and_is_verified_once() -> TestResult {
    let cloud = TestCloud::new().await?;
    let call = Connected::new(&cloud).await?;
    let watch = cloud.watch();
    call.claim_end(&cloud, cloud.parts().clock.now()).await?;
    assert_eq!(
        watch.operations(),
        ["insert_events", "apply_projection"],
        "no request to Chime, two round trips"
    );
    assert_eq!(call.session(&cloud, "status || ' ' || connected_count").await?, "active 1");
    assert_eq!(cloud.sql(OPEN).await?, "1");

    assert_eq!(reconcile(&cloud).await?, 1);
    assert_eq!(call.session(&cloud, "status || ' ' || connected_count").await?, "active 1");
    assert_eq!(cloud.sql(OPEN).await?, "0");
    assert_eq!(reconcile(&cloud).await?, 0, "it is answered");
    assert_eq!(outbox::calls(&cloud, &call.scenario.appointment).await?, "call.started");

    // Later events do not bring the claim back.
    cloud.deliver(ATTENDEE, &[call.provider("AttendeeDropped", cloud.parts().clock.now())?]).await?;
    assert_eq!(call.session(&cloud, "status").await?, "active");
    assert_eq!(cloud.sql(OPEN).await?, "0");
    invariants::hold(&cloud, &call.scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_after_a_false_end_returns_the_live_meeting() -> TestResult {
    let cloud = TestCloud::new().await?;
    let call = Connected::new(&cloud).await?;
    call.claim_end(&cloud, cloud.parts().clock.now()).await?;
    let watch = cloud.watch();
    let again = call.scenario.provider.start().await?;
    assert_eq!(again.brief(), "200");
    assert_eq!(again.text("meetingId"), call.started.text("meetingId"));
    assert_eq!(watch.count("GetMeeting"), 1, "Chime is asked before the stored meeting is believed");
    assert_eq!(cloud.live_meetings().len(), 1);
    assert_eq!(cloud.sql(OPEN).await?, "0", "that answered the operation too");
    let watch = cloud.watch();
    assert_eq!(call.scenario.patient.join().await?.brief(), "200");
    assert_eq!(watch.count("GetMeeting"), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_chime_confirms_closes_the_call_at_the_time_of_the_event() -> TestResult {
    for starts_again in [false, true] {
        let cloud = TestCloud::new().await?;
        let call = Connected::new(&cloud).await?;
        // The meeting ends for real, and Chime's events about that, a departure among them, are lost.
        cloud.hold_queues();
        let meeting = call.started.text("meetingId");
        cloud.parts().clock.advance(100);
        cloud.chime_event(&meeting, "MeetingEnded", None)?;
        let over = cloud.meetings().into_iter().find(|it| it["meetingId"] == meeting.as_str());
        let over = over.and_then(|it| it["endedAt"].as_str().map(str::to_owned)).ok_or("it ended")?;
        let ended = OffsetDateTime::parse(&over, &Rfc3339)?;
        call.claim_end(&cloud, ended).await?;
        cloud.parts().clock.advance(20);
        if starts_again {
            let again = call.scenario.provider.start().await?;
            assert_eq!(again.brief(), "201", "{:?}", again.body);
            assert_eq!(cloud.live_meetings().len(), 1);
        } else {
            assert_eq!(reconcile(&cloud).await?, 1);
        }
        assert_eq!(call.session(&cloud, "status || ' ' || end_reason").await?, "ended meeting_ended");
        let over = call.session(&cloud, "round(extract(epoch FROM ended_at) * 1000)::bigint").await?;
        assert_eq!(over, (ended.unix_timestamp_nanos() / 1_000_000).to_string());
        assert_eq!(cloud.sql(OPEN).await?, "0");
        invariants::hold(&cloud, &call.scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_chime_does_not_answer_the_call_goes_on_and_the_operation_is_retried() -> TestResult {
    let cloud = TestCloud::new().await?;
    let call = Connected::new(&cloud).await?;
    call.claim_end(&cloud, cloud.parts().clock.now()).await?;
    cloud.fault("chime", Some("GetMeeting"), FaultKind::Error, None);
    assert_eq!(reconcile(&cloud).await?, 1);
    let state = "SELECT attempts || ' ' || (last_error IS NOT NULL) || ' ' || (leased_until IS NULL)
                 FROM medzen.pending_operations WHERE operation = 'verify_meeting'";
    assert_eq!(cloud.sql(state).await?, "1 true true");
    assert_eq!(call.session(&cloud, "status").await?, "active");
    assert_eq!(call.scenario.provider.start().await?.brief(), "200", "nobody is locked out");
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(60);
    assert_eq!(reconcile(&cloud).await?, 1);
    assert_eq!(cloud.sql(OPEN).await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_claimed_ends_are_verified_two_a_second_at_most() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut calls = Vec::new();
    for _ in 0..8 {
        calls.push(Connected::new(&cloud).await?);
    }
    for call in &calls {
        call.claim_end(&cloud, cloud.parts().clock.now()).await?;
    }
    cloud.parts().clock.advance(2);
    let watch = cloud.watch();
    cloud.run_schedule(MEETING).await?;
    let times: Vec<u64> =
        watch.calls().iter().filter(|call| call.operation == "GetMeeting").map(|call| call.at_ms).collect();
    assert_eq!(times.len(), 8);
    for three in times.windows(3) {
        assert!(three[2] - three[0] >= 1000, "three within a second: {times:?}");
    }
    assert_eq!(cloud.sql(OPEN).await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrival_that_lies_ahead_does_not_keep_its_participant_in_the_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    let call = Connected::new(&cloud).await?;
    let ahead = cloud.parts().clock.now() + Duration::minutes(10);
    cloud.deliver_now(ATTENDEE, &[call.provider("AttendeeJoined", ahead)?]).await?;
    // The second connection supersedes the first for a minute.
    cloud.parts().clock.advance(90);
    cloud.deliver_now(ATTENDEE, &[call.provider("AttendeeLeft", cloud.parts().clock.now())?]).await?;
    assert_eq!(call.own_row(&cloud, "status || ' ' || connected").await?, "left false");
    assert_eq!(call.session(&cloud, "connected_count").await?, "0");
    let future = "(last_event_at > now() + interval '1 day')::text || (last_left_at IS NULL)::text";
    assert_eq!(call.session(&cloud, future).await?, "falsefalse");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn times_outside_the_call_give_no_duration_outside_it() -> TestResult {
    let cloud = TestCloud::new().await?;
    let call = Connected::new(&cloud).await?;
    cloud.parts().clock.advance(60);
    cloud.deliver_now(ATTENDEE, &[call.provider("AttendeeLeft", cloud.parts().clock.now())?]).await?;
    let ancient = call.provider("AttendeeJoined", OffsetDateTime::UNIX_EPOCH)?;
    cloud.deliver_now(ATTENDEE, &[ancient]).await?;
    cloud.parts().clock.advance(301);
    // The engine has ended the empty meeting. Its event claims an hour more.
    let received = cloud.parts().clock.now();
    call.claim_end(&cloud, received + Duration::hours(1)).await?;
    assert_eq!(call.session(&cloud, "status || ' ' || end_reason").await?, "ended meeting_ended");
    let late = format!("(ended_at > timestamptz '{received}' + interval '5 seconds')::text");
    assert_eq!(call.session(&cloud, &late).await?, "false");
    let seconds: i64 = call.own_row(&cloud, "duration_seconds").await?.parse()?;
    assert!((60..=70).contains(&seconds), "{seconds} s");
    let chain = outbox::chain(&cloud, &format!("APPT#{}", call.scenario.appointment)).await?;
    let claimed: Vec<&Value> = chain.iter().filter(|entry| entry["reportedAt"].is_string()).collect();
    assert_eq!(claimed.len(), 1, "{chain:?}");
    assert_eq!(
        claimed[0]["reportedAt"],
        json!("1970-01-01T00:00:00.000Z"),
        "the audit keeps what was claimed"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_departure_whose_arrival_was_lost_counts() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let joined = scenario.patient.join().await?;
    let events = MeetingEvents::of(&cloud, &started);
    cloud.parts().clock.advance(120);
    let left = events.attendee(
        "AttendeeLeft",
        cloud.parts().clock.now(),
        &joined.text("attendeeToken"),
        &scenario.patient.id,
    )?;
    cloud.deliver_now(ATTENDEE, &[left]).await?;
    let row = format!(
        "SELECT status || ' ' || (duration_seconds BETWEEN 119 AND 125) FROM video_call_participants WHERE user_id = '{}'",
        scenario.patient.id
    );
    assert_eq!(cloud.sql(&row).await?, "left true");
    Ok(())
}

/// The meeting's open deletion, and whether it is marked as ended.
async fn deletion(cloud: &TestCloud, meeting: &str) -> TestResult<String> {
    cloud
        .sql(&format!(
            "SELECT (SELECT count(*) FROM medzen.pending_operations
                     WHERE operation = 'delete_meeting' AND target = '{meeting}' AND completed_at IS NULL)
                    || ' ' || (SELECT ended_at IS NOT NULL FROM medzen.chime_meetings WHERE meeting_id = '{meeting}')"
        ))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_stands_in_for_the_deletion_of_a_meeting() -> TestResult {
    for claimed_first in [true, false] {
        let cloud = TestCloud::new().await?;
        let call = Connected::new(&cloud).await?;
        let joined = call.scenario.patient.join().await?;
        let meeting = call.started.text("meetingId");
        cloud.chime_event(&meeting, "AttendeeJoined", Some(&joined.text("attendeeToken")))?;
        cloud.drain_queues().await?;
        if claimed_first {
            call.claim_end(&cloud, cloud.parts().clock.now()).await?;
        }
        cloud.fault("chime", Some("DeleteMeeting"), FaultKind::Error, None);
        assert_eq!(call.scenario.provider.end().await?.brief(), "503 UNAVAILABLE");
        if !claimed_first {
            call.claim_end(&cloud, cloud.parts().clock.now()).await?;
        }
        let camera = call.provider("AttendeeVideoStarted", cloud.parts().clock.now())?;
        cloud.deliver_now(ATTENDEE, &[camera]).await?;
        assert_eq!(call.session(&cloud, "status").await?, "ending", "claimed first: {claimed_first}");
        assert_eq!(deletion(&cloud, &meeting).await?, "1 false", "claimed first: {claimed_first}");

        cloud.parts().faults.clear();
        cloud.parts().clock.advance(60);
        if claimed_first {
            reconcile(&cloud).await?;
            assert!(cloud.live_meetings().is_empty(), "claimed first: {claimed_first}");
        } else {
            assert_eq!(call.scenario.provider.start().await?.brief(), "201");
            assert_eq!(cloud.live_meetings().len(), 1, "the new call's");
        }
        assert_eq!(call.session(&cloud, "status || ' ' || end_reason").await?, "ended ended_by_provider");
        invariants::hold(&cloud, &call.scenario.appointment).await?;
    }
    Ok(())
}

/// Departures and an end that are claimed one after the other are as plausible as the end of an empty meeting.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_end_was_believed_is_deleted_all_the_same() -> TestResult {
    let cloud = TestCloud::new().await?;
    let call = Connected::new(&cloud).await?;
    let meeting = call.started.text("meetingId");
    assert_eq!(call.scenario.patient.join().await?.brief(), "200");
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(remove(&call.scenario.provider, &call.scenario.patient).await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    cloud.deliver_now(ATTENDEE, &[call.provider("AttendeeLeft", cloud.parts().clock.now())?]).await?;
    cloud.parts().clock.advance(250);
    call.claim_end(&cloud, cloud.parts().clock.now()).await?;
    assert_eq!(call.session(&cloud, "status || ' ' || end_reason").await?, "ended meeting_ended");
    assert_eq!(cloud.live_meetings().len(), 1, "the provider is connected");
    assert_eq!(deletion(&cloud, &meeting).await?, "1 false");

    reconcile(&cloud).await?;
    assert!(cloud.live_meetings().is_empty());
    assert_eq!(deletion(&cloud, &meeting).await?, "0 true");
    let open = "SELECT count(*) FROM medzen.pending_operations WHERE operation <> 'publish_event' AND completed_at IS NULL";
    assert_eq!(cloud.sql(open).await?, "0");
    invariants::hold(&cloud, &call.scenario.appointment).await
}
