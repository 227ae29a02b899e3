//! Roles: what the templates allow is what the functions need, all of it and no more.

use local_testing::{Outcome, Stage};
use serde_json::{Value, json};

use crate::asks::change;

#[tokio::test(flavor = "multi_thread")]
async fn no_permission_of_the_roles_is_unused_and_none_is_missing() -> Outcome {
    let stage = Stage::new().await?;

    // A call from its start to its end, with someone invited, and one that the reconciler closes.
    let play = stage.play().await?;
    play.provider.start().await?;
    let guests =
        json!({"action": "batch-join", "appointmentId": play.appointment, "userIds": [play.stranger.id]});
    assert_eq!(play.provider.ask("POST", "/meetings", &guests).await?.brief(), "200");
    // Someone is muted, and the reconciler tells Chime again what it was not told.
    play.patient.join().await?;
    let mute = json!({"capabilities": {"audio": "Receive"}});
    assert_eq!(change(&play.provider, &play.patient, mute).await?.brief(), "200");
    stage.fault("chime", Some("UpdateAttendeeCapabilities"), local::faults::Kind::Error, None);
    let blind = json!({"capabilities": {"video": "Receive"}});
    assert_eq!(change(&play.provider, &play.patient, blind).await?.brief(), "503 UNAVAILABLE");
    stage.parts().faults.clear();
    stage.parts().clock.advance(31);
    stage.run_schedule("meeting-manager").await?;
    play.provider.end().await?;
    let play = stage.play().await?;
    play.provider.start().await?;
    stage.parts().clock.advance(301);
    stage.run_schedule("meeting-manager").await?;

    // Someone joins twice at once: one of the two attendees is taken back.
    let join = |play: &local_testing::Play| json!({"action": "join", "appointmentId": play.appointment});
    stage.slow("chime", Some("CreateAttendee"), 1000);
    let play = stage.play().await?;
    play.provider.start().await?;
    let body = join(&play);
    let (one, two) = tokio::join!(
        play.patient.ask("POST", "/meetings", &body),
        play.patient.ask("POST", "/meetings", &body)
    );
    assert_eq!(one?.body["attendeeToken"], two?.body["attendeeToken"]);
    let play = stage.play().await?;
    play.provider.start().await?;
    let (one, two) = tokio::join!(play.patient.join(), play.patient.join());
    assert_eq!(one?.body["attendeeToken"], two?.body["attendeeToken"]);
    stage.parts().faults.clear();

    // The provider rejoins a call that is over, which starts a new one; it is ended while that is under way.
    stage.parts().clock.advance(301);
    stage.slow("chime", Some("CreateMeetingWithAttendees"), 1000);
    let rejoining = tokio::spawn({
        let provider = play.provider.clone();
        async move { provider.join().await }
    });
    let creating = format!(
        "SELECT count(*)::text FROM video_call_sessions WHERE appointment_id = '{}' AND status = 'creating'",
        play.appointment
    );
    while stage.sql(&creating).await? == "0" {
        tokio::task::yield_now().await;
    }
    assert_eq!(play.provider.end().await?.brief(), "200");
    assert_eq!(rejoining.await??.brief(), "410 MEETING_EXPIRED");
    assert!(stage.live_meetings().is_empty());

    // Chime sends events of a meeting, and an operation is announced, so that both queues are read.
    let play = stage.play().await?;
    let started = play.provider.start().await?;
    let attendee = started.text("attendeeToken");
    stage.chime_event(&started.text("meetingId"), "AttendeeJoined", Some(&attendee))?;
    // One function at a time, so that each has something to tell.
    assert_eq!(stage.drain_queues().await?, 0);
    stage.chime_event(&started.text("meetingId"), "MeetingEnded", None)?;
    assert_eq!(stage.drain_queues().await?, 0);
    let bus = &stage.parts().plan.buses.first().ok_or("a bus of our own")?.name;
    stage.send_event(&json!({
        "bus": bus, "source": "medzen.internal", "detail-type": "Operation Pending",
        "detail": {"operation": "delete_attendee", "operationId": started.text("sessionId"), "executor": "meeting-manager"},
    }))?;
    assert_eq!(stage.drain_queues().await?, 0);

    stage.run_schedule("audit").await?;
    let usage = stage.parts().iam_usage();
    for (function, usage) in usage.as_object().ok_or("usage by function")? {
        assert_eq!(
            (&usage["unused"], &usage["refused"]),
            (&json!([]), &Value::Array(Vec::new())),
            "{function}"
        );
    }
    Ok(())
}
