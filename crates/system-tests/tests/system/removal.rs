//! Removal: a removed participant is disconnected and cannot rejoin this call.

use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::{admit, at_chime, invite, operations_and_tokens, remove};
use crate::{invariants, outbox};

#[tokio::test(flavor = "multi_thread")]
async fn the_removed_are_disconnected_and_cannot_come_again_to_this_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    for guest in [&scenario.patient, &scenario.stranger] {
        let joined = guest.join().await?;
        assert_eq!(at_chime(&cloud, guest).len(), 1);
        cloud.parts().clock.advance(20);
        let removed = remove(&scenario.provider, guest).await?;
        assert_eq!(
            (removed.brief().as_str(), removed.text("status").as_str()),
            ("200", "removed"),
            "{:?}",
            removed.body
        );
        assert_eq!(removed.text("userId"), guest.id);
        assert_eq!(at_chime(&cloud, guest), Vec::<Value>::new(), "Chime has let go of them");
        assert_eq!(operations_and_tokens(&cloud, guest).await?, "0 0");
        assert_eq!(remove(&scenario.provider, guest).await?.brief(), "200", "twice is no error");

        assert_eq!(guest.join().await?.brief(), "403 REMOVED_FROM_CALL");
        for body in [
            json!({ "action": "join", "appointmentId": scenario.appointment }),
            json!({ "action": "join", "meetingId": joined.text("meetingId") }),
        ] {
            assert_eq!(guest.ask("POST", "/meetings", &body).await?.brief(), "403 REMOVED_FROM_CALL");
        }
        let again = invite(&scenario.provider, &[guest], json!({})).await?;
        assert_eq!(again.body["errors"][0]["code"], "REMOVED_FROM_CALL", "{:?}", again.body);
        assert_eq!(admit(&scenario.provider, guest).await?.brief(), "409 ALREADY_REMOVED");
    }
    let roster = scenario.provider.roster().await?;
    let patient =
        roster.body["attendees"].as_array().into_iter().flatten().find(|it| it["role"] == "patient");
    let patient = patient.ok_or("the roster still has them")?;
    assert_eq!((&patient["status"], &patient["present"]), (&json!("removed"), &json!(false)));
    let seconds = patient["durationSeconds"].as_i64().unwrap_or_default();
    assert!((20..30).contains(&seconds) && patient["leftAt"].is_string(), "{patient}");
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, participant.invited, participant.joined, participant.removed, participant.joined, participant.removed"
    );

    scenario.provider.end().await?;
    scenario.provider.start().await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200", "the next call is another");
    let invited = invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    assert_eq!(invited.body["errors"], json!([]));
    assert_eq!(scenario.stranger.join().await?.brief(), "200");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_participant_can_be_removed_and_the_provider_cannot() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(remove(&scenario.provider, &scenario.patient).await?.brief(), "404 NO_ACTIVE_CALL");
    scenario.provider.start().await?;
    assert_eq!(remove(&scenario.provider, &scenario.stranger).await?.brief(), "404 PARTICIPANT_NOT_FOUND");
    assert_eq!(remove(&scenario.provider, &scenario.provider).await?.brief(), "409 NOT_FOR_PROVIDER");
    assert_eq!(remove(&scenario.patient, &scenario.provider).await?.brief(), "403 PROVIDER_ONLY");
    assert_eq!(remove(&scenario.stranger, &scenario.patient).await?.brief(), "403 NOT_A_MEMBER");

    let watch = cloud.watch();
    assert_eq!(remove(&scenario.provider, &scenario.patient).await?.brief(), "200", "before they come");
    assert_eq!(watch.count("DeleteAttendee"), 0, "there is nobody at Chime");
    assert_eq!(scenario.patient.join().await?.brief(), "403 REMOVED_FROM_CALL");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_meets_a_removal_leaves_no_attendee() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    cloud.slow("chime", Some("CreateAttendee"), 1000);
    let joining = tokio::spawn({
        let patient = scenario.patient.clone();
        async move { patient.join().await }
    });
    while at_chime(&cloud, &scenario.patient).is_empty() && !joining.is_finished() {
        if remove(&scenario.provider, &scenario.patient).await?.status == 200 {
            break;
        }
    }
    assert_eq!(joining.await??.brief(), "403 REMOVED_FROM_CALL");
    assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new(), "the unused attendee was deleted");
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0");

    // And at any other moment.
    cloud.parts().faults.clear();
    for _ in 0..8 {
        let scenario = cloud.scenario().await?;
        scenario.provider.start().await?;
        let (joined, removed) =
            tokio::join!(scenario.patient.join(), remove(&scenario.provider, &scenario.patient));
        let (joined, removed) = (joined?, removed?);
        assert_eq!(removed.brief(), "200", "{:?}", removed.body);
        assert!(["200", "403 REMOVED_FROM_CALL"].contains(&joined.brief().as_str()), "{:?}", joined.body);
        assert_eq!(scenario.patient.join().await?.brief(), "403 REMOVED_FROM_CALL");
        assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new());
        assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0");
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_chime_is_down_the_removed_are_out_already_and_the_reconciler_disconnects_them() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(remove(&scenario.provider, &scenario.patient).await?.brief(), "503 UNAVAILABLE");
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "1 0", "one operation is pending");
    assert_eq!(scenario.patient.join().await?.brief(), "403 REMOVED_FROM_CALL");
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(
        operations_and_tokens(&cloud, &scenario.patient).await?,
        "1 0",
        "another request may be at it"
    );

    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(
        operations_and_tokens(&cloud, &scenario.patient).await?,
        "1 0",
        "Chime is down for the reconciler too"
    );
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(60);
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0");
    assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new());
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, participant.joined, participant.removed"
    );

    // Pending operations of an ended call are completed without a call to Chime.
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(remove(&scenario.provider, &scenario.patient).await?.brief(), "503 UNAVAILABLE");
    scenario.provider.end().await?;
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0");
    Ok(())
}

/// Five pending operations that each time out: a run has time for three, and the next one begins with the others.
#[tokio::test(flavor = "multi_thread")]
async fn removals_that_hang_at_chime_make_way_for_others() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let session = started.text("sessionId");
    cloud.chime_event(&started.text("meetingId"), "AttendeeJoined", Some(&started.text("attendeeToken")))?;
    cloud.drain_queues().await?;
    let now = cloud.parts().clock.now().unix_timestamp();
    let open_operations = format!(
        "WITH person AS (
           INSERT INTO video_call_participants (video_call_id, user_id, role, status)
           SELECT '{session}', gen_random_uuid(), 'observer', 'removed' FROM generate_series(1, 5)
           RETURNING video_call_id, user_id
         ), operation AS (
           SELECT medzen.enqueue_operation('delete_attendee', gen_random_uuid()::text, s.id, jsonb_build_object(
             'userId', person.user_id, 'controlRegion', s.control_region, 'meetingId', s.meeting_id),
             to_timestamp({now}) - interval '1 minute', NULL) AS operation
           FROM person JOIN video_call_sessions s ON s.id = person.video_call_id
         )
         SELECT count(operation) FROM operation"
    );
    assert_eq!(cloud.sql(&open_operations).await?, "5");
    cloud.slow("chime", Some("DeleteAttendee"), 2_000);
    let watch = cloud.watch();
    let asked = || {
        let calls = watch.calls();
        let paths =
            calls.into_iter().filter(|call| call.operation == "DeleteAttendee").map(|call| call.request.path);
        paths.collect::<std::collections::BTreeSet<String>>().len()
    };
    cloud.run_schedule("meeting-manager").await?;
    assert!((1..5).contains(&asked()), "a run has no time for all: {}", asked());
    for _ in 0..2 {
        cloud.parts().clock.advance(60);
        cloud.run_schedule("meeting-manager").await?;
    }
    assert_eq!(asked(), 5, "each has had its turn");
    Ok(())
}
