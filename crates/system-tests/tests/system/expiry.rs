//! States that end by themselves: participants who vanished, calls that everyone left, calls with one who was forgotten.

use local::faults::FaultKind;
use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::with_waiting_room;
use crate::{invariants, outbox};

const MEETING: &str = "meeting-manager";

/// A call that the provider started and is connected to.
async fn started(cloud: &TestCloud) -> TestResult<(Scenario, Answer)> {
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    happen(cloud, &started, "AttendeeJoined", &started).await?;
    Ok((scenario, started))
}

/// An attendee connects or leaves, by Chime's events.
async fn happen(cloud: &TestCloud, call: &Answer, kind: &str, place: &Answer) -> TestResult {
    cloud.chime_event(&call.text("meetingId"), kind, Some(&place.text("attendeeToken")))?;
    cloud.drain_queues().await?;
    Ok(())
}

async fn row(cloud: &TestCloud, caller: &Caller, columns: &str) -> TestResult<String> {
    cloud.sql(&format!("SELECT {columns} FROM video_call_participants WHERE user_id = '{}'", caller.id)).await
}

async fn session(cloud: &TestCloud, call: &Answer, columns: &str) -> TestResult<String> {
    let id = call.text("sessionId");
    cloud.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE id = '{id}'")).await
}

/// Lets the time pass and runs the reconciler. Returns the attendees that it deleted.
async fn after(cloud: &TestCloud, seconds: u32) -> TestResult<usize> {
    cloud.parts().clock.advance(seconds);
    let watch = cloud.watch();
    cloud.run_schedule(MEETING).await?;
    Ok(watch.count("DeleteAttendee"))
}

async fn expired(cloud: &TestCloud, scenario: &Scenario) -> TestResult<Vec<Value>> {
    let chain = outbox::chain(cloud, &format!("APPT#{}", scenario.appointment)).await?;
    let expired = chain.iter().filter(|entry| entry["event"] == "participant.expired");
    Ok(expired.map(|entry| json!([entry["userId"], entry["reason"], entry["actor"]])).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_patient_who_stops_asking_has_left() -> TestResult {
    let cloud = with_waiting_room().await?;
    let (scenario, _started) = started(&cloud).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "202");
    // A patient who asks stays, however long it takes.
    for _ in 0..4 {
        assert_eq!(after(&cloud, 60).await?, 0);
        let status = scenario.patient.status().await?;
        assert_eq!(status.body["me"]["status"], "waiting", "{:?}", status.body);
    }
    // So does one that repeats the join instead.
    for _ in 0..3 {
        after(&cloud, 60).await?;
        assert_eq!(scenario.patient.join().await?.brief(), "202");
    }
    assert_eq!(expired(&cloud, &scenario).await?, Vec::<Value>::new());
    after(&cloud, 89).await?;
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "waiting", "not yet");
    after(&cloud, 3).await?;
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left");
    assert_eq!(scenario.provider.status().await?.body["waiting"], json!([]));
    assert_eq!(expired(&cloud, &scenario).await?, [json!([scenario.patient.id, "not_seen", null])]);
    assert_eq!(scenario.patient.join().await?.brief(), "202", "coming back is waiting anew");
    assert_eq!(scenario.provider.status().await?.body["waiting"].as_array().map(Vec::len), Some(1));
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_who_never_connects_has_left_and_the_token_does_not_work_any_more() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, started) = started(&cloud).await?;
    let joined = scenario.patient.join().await?;
    assert_eq!(joined.brief(), "200");
    assert_eq!(after(&cloud, 118).await?, 0, "not yet");
    assert_eq!(after(&cloud, 4).await?, 1, "the attendee is deleted in the same run");
    assert_eq!(row(&cloud, &scenario.patient, "status || ' ' || duration_seconds").await?, "left 0");
    assert_eq!(row(&cloud, &scenario.provider, "status").await?, "joined", "the connected one stays");
    let attendee = joined.text("attendeeToken");
    assert!(!json!(cloud.live_meetings()).to_string().contains(&attendee), "deleted at Chime");
    assert_eq!(expired(&cloud, &scenario).await?, [json!([scenario.patient.id, "not_connected", null])]);

    let consent =
        scenario.provider.ask("PUT", "/appointments/{a}/call/consent", &json!({ "recording": true })).await?;
    assert_eq!(consent.brief(), "200");
    let status = scenario.provider.status().await?;
    assert_eq!(status.body["consent"]["recording"]["allowed"], true, "a participant who left blocks nothing");

    let again = scenario.patient.join().await?;
    assert_eq!(again.brief(), "200");
    assert_ne!(again.text("attendeeToken"), attendee, "a rejoin has a new attendee");
    assert_eq!(again.text("meetingId"), started.text("meetingId"));
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_the_status_is_not_disconnected_where_chimes_event_was_lost() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, _started) = started(&cloud).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    for _ in 0..6 {
        assert_eq!(after(&cloud, 60).await?, 0);
        assert_eq!(scenario.patient.status().await?.brief(), "200");
    }
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "joined");
    assert_eq!(after(&cloud, 92).await?, 1, "once it is silent too, it is gone");
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_every_participant_left_ends_though_chime_reports_a_connection() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, started) = started(&cloud).await?;
    // The client stays connected, or the event of its departure is lost: Chime keeps the meeting.
    assert_eq!(scenario.provider.leave().await?.brief(), "200");
    after(&cloud, 298).await?;
    assert_eq!(session(&cloud, &started, "status").await?, "active", "not yet");
    after(&cloud, 4).await?;
    assert_eq!(session(&cloud, &started, "status || ' ' || end_reason").await?, "ended everyone_left");
    assert!(cloud.live_meetings().is_empty());
    assert_eq!(
        outbox::calls(&cloud, &scenario.appointment).await?,
        "call.started, call.end_requested, call.ended"
    );
    assert_eq!(scenario.provider.start().await?.brief(), "201", "a new call may begin");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_who_is_alone_for_long_is_asked_and_the_call_ends_without_an_answer() -> TestResult {
    for answers in [true, false] {
        let cloud = TestCloud::new().await?;
        let (scenario, started) = started(&cloud).await?;
        let patient = scenario.patient.join().await?;
        happen(&cloud, &started, "AttendeeJoined", &patient).await?;
        after(&cloud, 600).await?;
        assert_eq!(scenario.provider.status().await?.body["endsAt"], Value::Null, "two are in the call");
        happen(&cloud, &started, "AttendeeLeft", &patient).await?;
        after(&cloud, 1_790).await?;
        assert_eq!(scenario.provider.status().await?.body["endsAt"], Value::Null, "not yet");
        after(&cloud, 12).await?;
        let status = scenario.provider.status().await?;
        assert!(status.body["endsAt"].is_string(), "{:?}", status.body);
        assert_eq!(
            scenario.patient.status().await?.body["endsAt"],
            Value::Null,
            "only the participant in it is asked"
        );
        if answers {
            let stay = scenario
                .provider
                .ask("POST", "/appointments/{a}/call/attendees", &json!({ "stay": true }))
                .await?;
            assert_eq!(stay.brief(), "200");
            assert_eq!(scenario.provider.status().await?.body["endsAt"], Value::Null);
        }
        after(&cloud, 302).await?;
        let state = session(&cloud, &started, "status || coalesce(' ' || end_reason, '')").await?;
        assert_eq!(state, if answers { "active" } else { "ended forgotten" });
        assert_eq!(cloud.live_meetings().len(), usize::from(answers));
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_before_or_after_an_expiry_is_finished_by_the_next() -> TestResult {
    for (operation, kind) in [
        ("expire", FaultKind::KillBefore),
        ("expire", FaultKind::KillAfter),
        ("DeleteAttendee", FaultKind::KillBefore),
        ("DeleteAttendee", FaultKind::KillAfter),
    ] {
        let cloud = TestCloud::new().await?;
        let (scenario, _started) = started(&cloud).await?;
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        cloud.parts().clock.advance(130);
        cloud.fault("*", Some(operation), kind, Some(1));
        assert!(cloud.run_schedule(MEETING).await.is_err(), "{operation} {kind:?}: it was killed");
        cloud.parts().faults.clear();
        after(&cloud, 60).await?;
        assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left", "{operation} {kind:?}");
        let open = "SELECT count(*) FROM medzen.pending_operations WHERE operation = 'delete_attendee' AND completed_at IS NULL";
        assert_eq!(cloud.sql(open).await?, "0", "{operation} {kind:?}");
        assert_eq!(expired(&cloud, &scenario).await?.len(), 1, "{operation} {kind:?}");
    }
    Ok(())
}

/// A leave request of an old device, later than the connection of the new one, leaves the row `left` and connected.
#[tokio::test(flavor = "multi_thread")]
async fn a_connected_participant_who_asks_is_in_the_call_though_the_row_says_left() -> TestResult {
    for with_patient in [false, true] {
        let cloud = TestCloud::new().await?;
        let (scenario, started) = started(&cloud).await?;
        if with_patient {
            let patient = scenario.patient.join().await?;
            happen(&cloud, &started, "AttendeeJoined", &patient).await?;
        }
        after(&cloud, 3).await?;
        assert_eq!(scenario.provider.leave().await?.brief(), "200");
        assert_eq!(row(&cloud, &scenario.provider, "status || ' ' || connected").await?, "left true");
        let mut asked = false;
        for minute in 1..=40 {
            after(&cloud, 60).await?;
            let status = scenario.provider.status().await?;
            let expected = if with_patient || minute < 35 { "active" } else { "ended" };
            if minute != 35 {
                assert_eq!(
                    status.text("callStatus"),
                    expected,
                    "with the patient: {with_patient}, minute {minute}"
                );
            }
            if with_patient {
                assert_eq!(status.body["endsAt"], Value::Null, "two are in the call, minute {minute}");
                assert_eq!(scenario.patient.status().await?.brief(), "200");
            }
            asked |= status.body["endsAt"].is_string();
        }
        assert_eq!(asked, !with_patient, "the provider, who is alone, is asked");
        if !with_patient {
            assert_eq!(session(&cloud, &started, "end_reason").await?, "forgotten");
        }
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn once_that_client_is_silent_the_call_is_empty_from_its_last_request_on() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, started) = started(&cloud).await?;
    after(&cloud, 3).await?;
    assert_eq!(scenario.provider.leave().await?.brief(), "200");
    for _ in 0..10 {
        after(&cloud, 60).await?;
        assert_eq!(scenario.provider.status().await?.brief(), "200");
    }
    after(&cloud, 240).await?;
    assert_eq!(session(&cloud, &started, "status").await?, "active", "for five minutes");
    after(&cloud, 70).await?;
    after(&cloud, 60).await?;
    assert_eq!(session(&cloud, &started, "status || ' ' || end_reason").await?, "ended everyone_left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_who_connects_with_a_revoked_attendee_gets_another_with_one_request() -> TestResult {
    for room in ["off", "on"] {
        let cloud = TestCloud::with_parameters(&[("WaitingRoom", room)]).await?;
        let (scenario, started) = started(&cloud).await?;
        if room == "on" {
            assert_eq!(scenario.patient.join().await?.brief(), "202");
            crate::requests::admit(&scenario.provider, &scenario.patient).await?;
        }
        let joined = scenario.patient.join().await?;
        assert_eq!(joined.brief(), "200", "{room}");
        cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Throttle, None);
        after(&cloud, 130).await?;
        assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left", "{room}");
        // The page was loading, and connects with the token that it has.
        happen(&cloud, &started, "AttendeeJoined", &joined).await?;
        assert_eq!(
            row(&cloud, &scenario.patient, "status || ' ' || connected").await?,
            "left true",
            "{room}"
        );
        cloud.parts().faults.clear();

        let watch = cloud.watch();
        let again = scenario.patient.join().await?;
        assert_eq!(again.brief(), "200", "{room}: {:?}", again.body);
        assert_ne!(again.text("attendeeToken"), joined.text("attendeeToken"), "{room}");
        assert_eq!((watch.count("CreateAttendee"), watch.count("DeleteAttendee")), (1, 0), "{room}");
        after(&cloud, 60).await?;
        assert_eq!(
            crate::requests::at_chime(&cloud, &scenario.patient).len(),
            1,
            "{room}: the old one is deleted"
        );
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

/// A row that says `joined` without a stored attendee, however it came about, does not keep its participant out.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_a_stored_attendee_locks_nobody_out() -> TestResult {
    for (room, admitted, expected) in [("off", false, "200"), ("on", true, "200"), ("on", false, "202")] {
        let cloud = TestCloud::with_parameters(&[("WaitingRoom", room)]).await?;
        let (scenario, started) = started(&cloud).await?;
        let admitted = if admitted { "now()" } else { "NULL" };
        let insert = format!(
            "INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
             VALUES ('{}', '{}', 'patient', 'joined', now(), {admitted}) RETURNING ''",
            started.text("sessionId"),
            scenario.patient.id
        );
        cloud.sql(&insert).await?;
        let watch = cloud.watch();
        let answer = scenario.patient.join().await?;
        assert_eq!(answer.brief(), expected, "{room} {admitted}: {:?}", answer.body);
        assert_eq!(watch.count("CreateAttendee"), usize::from(expected == "200"), "{room} {admitted}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_creates_two_attendees_at_most() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, started) = started(&cloud).await?;
    // A trigger of the database that lets no join be stored.
    let refuse = format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON public.video_call_participants FOR EACH ROW
         WHEN (NEW.user_id = '{}') EXECUTE FUNCTION public.refuse(); SELECT '{}'",
        scenario.patient.id,
        started.text("sessionId")
    );
    cloud.sql(&refuse).await?;
    let watch = cloud.watch();
    assert_eq!(scenario.patient.join().await?.brief(), "409 CALL_NOT_READY");
    assert_eq!((watch.count("CreateAttendee"), watch.count("DeleteAttendee")), (2, 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_returns_the_stored_place_is_a_sign_of_life() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201");
    cloud.parts().clock.advance(100);
    let watch = cloud.watch();
    let again = scenario.provider.start().await?;
    assert_eq!((again.brief().as_str(), again.text("attendeeToken")), ("200", started.text("attendeeToken")));
    assert_eq!(watch.operations(), ["start_call"], "one round trip");
    assert_eq!(after(&cloud, 25).await?, 0, "the attendee was handed out 25 s ago");
    assert_eq!(row(&cloud, &scenario.provider, "status").await?, "joined");
    assert_eq!(after(&cloud, 92).await?, 1, "once it is silent it is gone");
    assert_eq!(row(&cloud, &scenario.provider, "status").await?, "left");
    Ok(())
}
