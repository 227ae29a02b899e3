//! Roles: what the templates allow is what the functions need, all of it and no more.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::{change, consent, record, run_recording, start_transcription};

/// Permissions of recording for what does not happen here, but in the tests of the crate `objects`: files above 5 GB are copied in
/// parts, and a version under legal hold is not deleted.
const RARE: [&str; 4] = [
    "s3:AbortMultipartUpload",
    "s3:GetObjectLegalHold",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_permission_of_the_roles_is_unused_and_none_is_missing() -> TestResult {
    let cloud =
        TestCloud::with_parameters(&[("TranscriptionFillGaps", "on"), ("MedicalEntities", "on")]).await?;

    // A call from its start to its end, with someone invited, and one that the reconciler closes.
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let guests = json!({"action": "batch-join", "appointmentId": scenario.appointment, "userIds": [scenario.stranger.id]});
    assert_eq!(scenario.provider.ask("POST", "/meetings", &guests).await?.brief(), "200");
    // A participant is muted, and the reconciler repeats the update that did not reach Chime.
    scenario.patient.join().await?;
    let mute = json!({"capabilities": {"audio": "Receive"}});
    assert_eq!(change(&scenario.provider, &scenario.patient, mute).await?.brief(), "200");
    cloud.fault("chime", Some("UpdateAttendeeCapabilities"), local::faults::FaultKind::Error, None);
    let blind = json!({"capabilities": {"video": "Receive"}});
    assert_eq!(change(&scenario.provider, &scenario.patient, blind).await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
    scenario.provider.end().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    cloud.parts().clock.advance(301);
    cloud.run_schedule("meeting-manager").await?;

    // Someone joins twice at once: one of the two attendees is taken back.
    let join =
        |scenario: &local_testing::Scenario| json!({"action": "join", "appointmentId": scenario.appointment});
    cloud.slow("chime", Some("CreateAttendee"), 1000);
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let body = join(&scenario);
    let (one, two) = tokio::join!(
        scenario.patient.ask("POST", "/meetings", &body),
        scenario.patient.ask("POST", "/meetings", &body)
    );
    assert_eq!(one?.body["attendeeToken"], two?.body["attendeeToken"]);
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let (one, two) = tokio::join!(scenario.patient.join(), scenario.patient.join());
    assert_eq!(one?.body["attendeeToken"], two?.body["attendeeToken"]);
    cloud.parts().faults.clear();

    // The provider rejoins a call that is over, which starts a new one; it is ended while that is under way.
    cloud.parts().clock.advance(301);
    cloud.slow("chime", Some("CreateMeetingWithAttendees"), 1000);
    let rejoining = tokio::spawn({
        let provider = scenario.provider.clone();
        async move { provider.join().await }
    });
    let creating = format!(
        "SELECT count(*)::text FROM video_call_sessions WHERE appointment_id = '{}' AND status = 'creating'",
        scenario.appointment
    );
    while cloud.sql(&creating).await? == "0" {
        tokio::task::yield_now().await;
    }
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(rejoining.await??.brief(), "410 MEETING_EXPIRED");
    assert!(cloud.live_meetings().is_empty());

    // Chime sends events of a meeting, and an operation is announced, so that both queues are read.
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let attendee = started.text("attendeeToken");
    cloud.chime_event(&started.text("meetingId"), "AttendeeJoined", Some(&attendee))?;
    // One function at a time, so that each has an event to publish.
    assert_eq!(cloud.drain_queues().await?, 0);
    cloud.chime_event(&started.text("meetingId"), "MeetingEnded", None)?;
    assert_eq!(cloud.drain_queues().await?, 0);
    let bus = &cloud.parts().plan.buses.first().ok_or("a bus of our own")?.name;
    cloud.send_event(&json!({
        "bus": bus, "source": "medzen.internal", "detail-type": "Operation Pending",
        "detail": {"operation": "delete_attendee", "operationId": started.text("sessionId"), "executor": "meeting-manager"},
    }))?;
    assert_eq!(cloud.drain_queues().await?, 0);

    hold(&cloud, &scenario).await?;
    record_and_play(&cloud).await?;
    transcribe(&cloud).await?;
    transcribe_afterwards(&cloud).await?;

    cloud.run_schedule("audit").await?;
    let usage = cloud.parts().iam_usage();
    for (function, usage) in usage.as_object().ok_or("usage by function")? {
        let unused = usage["unused"].as_array().ok_or("a list")?.iter().filter_map(Value::as_str);
        let rare = |it: &str| match function.as_str() {
            "recording" => RARE.contains(&it),
            "transcript" => it == "s3:GetObjectLegalHold",
            _ => false,
        };
        let unused: Vec<_> = unused.filter(|it| !rare(it)).collect();
        assert_eq!((unused, &usage["refused"]), (Vec::new(), &json!([])), "{function}");
    }
    Ok(())
}

/// The files of an appointment come under hold, when its entries are in the audit table.
async fn hold(cloud: &TestCloud, scenario: &local_testing::Scenario) -> TestResult {
    cloud.run_schedule("audit").await?;
    let auditor = json!({ "sub": "an-auditor", "medzen_role": "auditor" });
    let token = cloud.parts().token(&auditor, 60, local::tokens::Key::Good)?;
    let path = format!("/appointments/{}/hold", scenario.appointment);
    let placed = cloud.request("PUT", &path, Some(&token), json!({ "reason": "AZ-7" }).to_string()).await?;
    assert_eq!(placed.brief(), "201", "{:?}", placed.body);
    Ok(())
}

/// One transcription has text, consent to another is revoked, and a third goes on when its call ends.
async fn transcribe(cloud: &TestCloud) -> TestResult {
    let (spoken, revoked, ended) =
        (cloud.scenario().await?, cloud.scenario().await?, cloud.scenario().await?);
    let mut meetings = Vec::new();
    for scenario in [&spoken, &revoked, &ended] {
        meetings.push(start_transcription(scenario).await?);
    }
    for _ in 0..4 {
        cloud.parts().clock.advance(15);
        run_transcription(cloud).await?;
    }
    // No event reports that it began: the lines of the capture do.
    let attendee = format!(
        "SELECT attendee_id FROM medzen.video_call_attendee_tokens WHERE user_id = '{}'",
        spoken.provider.id
    );
    let words = json!([{ "attendeeId": cloud.sql(&attendee).await?, "text": "Good morning", "resultId": "r-1", "afterMs": 1000 }]);
    let script = format!("chime/meetings/{}/captions", meetings[0]);
    assert!(cloud.control_api("POST", &script, &words).await?.status < 300);
    for _ in 0..4 {
        cloud.parts().clock.advance(15);
        run_transcription(cloud).await?;
    }
    assert_eq!(consent(&revoked.patient, json!({ "transcription": false })).await?.brief(), "200");
    assert_eq!(ended.provider.end().await?.brief(), "200");
    assert_eq!(spoken.provider.end().await?.brief(), "200");
    for _ in 0..6 {
        cloud.parts().clock.advance(60);
        run_transcription(cloud).await?;
    }
    let text = "SELECT coalesce(string_agg(body, ','), '') FROM medzen.transcript_segments";
    assert_eq!(cloud.sql(text).await?, "Good morning");
    Ok(())
}

/// The text of one call is made by a job, and a medical job fills the text of another one, whose transcription failed. Both are deleted.
async fn transcribe_afterwards(cloud: &TestCloud) -> TestResult {
    let route = "/appointments/{a}/call/transcription";
    let mut meetings = Vec::new();
    for wanted in [json!({ "language": "ha-NG" }), json!({ "language": "en-US", "specialty": "PRIMARYCARE" })]
    {
        let scenario = cloud.scenario().await?;
        meetings.push(scenario.provider.start().await?.text("meetingId"));
        assert_eq!(consent(&scenario.provider, json!({ "transcription": true })).await?.brief(), "200");
        assert_eq!(scenario.provider.ask("POST", route, &wanted).await?.brief(), "201");
        for _ in 0..4 {
            cloud.parts().clock.advance(15);
            run_transcription(cloud).await?;
        }
        cloud.send_event(&json!({
            "source": "aws.chime", "detail-type": "Chime Meeting State Change",
            "detail": {"eventType": "chime:TranscriptionFailed", "meetingId": meetings.last(), "message": "Internal server error"},
        }))?;
        run_transcription(cloud).await?;
        assert_eq!(scenario.provider.end().await?.brief(), "200");
    }
    for _ in 0..10 {
        cloud.parts().clock.advance(60);
        run_transcription(cloud).await?;
    }
    let jobs =
        "SELECT string_agg(kind || ' ' || status, ', ' ORDER BY kind DESC) FROM medzen.transcription_jobs";
    assert_eq!(cloud.sql(jobs).await?, "standard completed, medical completed");
    cloud
        .sql("UPDATE medzen.transcripts SET finished_at = finished_at - interval '8 years' RETURNING ''")
        .await?;
    for _ in 0..2 {
        cloud.parts().clock.advance(60);
        run_transcription(cloud).await?;
    }
    Ok(())
}

async fn run_transcription(cloud: &TestCloud) -> TestResult {
    for function in ["recording", "transcript"] {
        assert_eq!(cloud.drain_queues().await?, 0);
        cloud.run_schedule(function).await?;
    }
    Ok(())
}

/// A recording is played; consent to another is revoked; a third is going on when its call ends.
async fn record_and_play(cloud: &TestCloud) -> TestResult {
    let (played, revoked, ended) =
        (cloud.scenario().await?, cloud.scenario().await?, cloud.scenario().await?);
    let recording = record(&played).await?;
    for scenario in [&revoked, &ended] {
        record(scenario).await?;
    }
    hold(cloud, &ended).await?;
    run_recording(cloud, 1, 35).await?;
    let stop = format!("/recordings/{recording}/stop");
    assert_eq!(played.provider.ask("POST", &stop, &json!({})).await?.brief(), "200");
    assert_eq!(consent(&revoked.patient, json!({ "recording": false })).await?.brief(), "200");
    assert_eq!(ended.provider.end().await?.brief(), "200");
    run_recording(cloud, 12, 60).await?;
    let playback = format!("/recordings/{recording}/playback");
    let links = played.provider.ask("GET", &playback, &Value::Null).await?;
    assert_eq!(links.brief(), "200", "{:?}", links.body);
    let url = links.body["segments"][0]["url"].as_str().ok_or("no link")?;
    assert_eq!(cloud.fetch(url, Some("bytes=0-3")).await?.0, 206);
    cloud.sql("UPDATE medzen.recordings SET ended_at = ended_at - interval '8 years' RETURNING ''").await?;
    run_recording(cloud, 1, 60).await
}
