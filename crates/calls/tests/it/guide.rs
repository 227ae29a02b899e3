//! The cases a newcomer tries first.

use local::testing::{Outcome, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_starts_a_call() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;

    let started = play.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);

    let meetings = stage.live_meetings();
    assert_eq!(meetings.len(), 1, "one meeting in Chime");
    assert_eq!(meetings[0]["meetingId"], started.body["meetingId"]);
    assert_eq!(meetings[0]["attendees"].as_array().map(Vec::len), Some(1));
    let session = started.text("sessionId");
    let row = stage
        .sql(&format!("SELECT status || ' ' || meeting_id FROM video_call_sessions WHERE id = '{session}'"))
        .await?;
    assert_eq!(row, format!("active {}", started.text("meetingId")));
    let participant = format!(
        "SELECT string_agg(role || ' ' || status, ',') FROM video_call_participants WHERE session_id = '{session}'"
    );
    assert_eq!(stage.sql(&participant).await?, "provider joined");

    stage.run_schedule("audit").await?;
    let audit = stage.audit_table(&play.appointment)?;
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0]["event"], "call.started");
    assert_eq!(audit[0]["actor"], play.provider.id.as_str());
    Ok(())
}
