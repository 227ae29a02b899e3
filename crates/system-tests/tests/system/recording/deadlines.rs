//! Deadlines: nothing stays in a state for longer than `domain::recording::deadline` says, and what does is acted on and reported.

use domain::recording::capture::CaptureStatus;
use domain::recording::deadline::{self, Deadline};
use domain::recording::segment::SegmentStatus;
use domain::recording::{Intent, state};
use local::faults::FaultKind;
use local::lambda::LogLine;
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::rights::{RECORDING, insert_recording};
use super::{Recorded, control, events_at_once};
use crate::outbox;

/// The schedule runs each minute.
const TWO_RUNS: Duration = Duration::minutes(2);

const ROWS: &str = "SELECT json_build_object(
  'captures', (SELECT coalesce(json_agg(json_build_object('id', id, 'status', status, 'since', confirmed_at)), '[]')
    FROM medzen.media_captures),
  'segments', (SELECT coalesce(json_agg(json_build_object(
      'id', g.capture_id, 'status', g.status, 'since', greatest(g.changed_at, c.ended_at))), '[]')
    FROM medzen.recording_segments g JOIN medzen.media_captures c ON c.id = g.capture_id WHERE c.ended_at IS NOT NULL),
  'recordings', (SELECT coalesce(json_agg(json_build_object(
      'id', r.id, 'intent', r.intent, 'deletionRequested', r.deletion_requested_at IS NOT NULL,
      'since', coalesce(r.deletion_requested_at, r.ended_at, r.began_at),
      'segments', (SELECT coalesce(json_agg(g.status), '[]') FROM medzen.recording_segments g WHERE g.recording_id = r.id))), '[]')
    FROM medzen.recordings r))::text";

/// The deadlines of a row's state.
fn deadlines(table: &str, row: &Value) -> TestResult<&'static [Deadline]> {
    Ok(match table {
        "captures" => deadline::of_capture(serde_json::from_value::<CaptureStatus>(row["status"].clone())?),
        "segments" => deadline::of_segment(serde_json::from_value::<SegmentStatus>(row["status"].clone())?),
        _ => {
            let intent: Intent = serde_json::from_value(row["intent"].clone())?;
            let segments: Vec<SegmentStatus> = serde_json::from_value(row["segments"].clone())?;
            deadline::of_recording(state(intent, row["deletionRequested"] == true, &segments))
        }
    })
}

/// The rows of captures, segments and recordings that have been past a deadline of their state for more than two runs.
pub(super) async fn overdue(call: &Recorded) -> TestResult<Vec<String>> {
    let now = call.cloud.parts().clock.now();
    let rows: Value = serde_json::from_str(&call.cloud.sql(ROWS).await?)?;
    let mut overdue = Vec::new();
    for table in ["captures", "segments", "recordings"] {
        for row in rows[table].as_array().ok_or("no rows")? {
            let since = OffsetDateTime::parse(row["since"].as_str().ok_or("no time")?, &Rfc3339)?;
            if deadlines(table, row)?.iter().any(|deadline| now - since > deadline.after + TWO_RUNS) {
                overdue.push(format!("{table}: {row}"));
            }
        }
    }
    Ok(overdue)
}

/// Whether recording's last run reported captures, segments or recordings that are stuck.
fn reported_stuck(cloud: &TestCloud) -> bool {
    let lines = cloud.parts().lambda.logs();
    let mut reports = lines.iter().filter(|line| line.line.contains("\"CapturesStuck\":"));
    reports.next_back().is_some_and(|line| !line.line.contains("\"CapturesStuck\":0"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_outlasts_every_call_is_ended() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    assert_eq!(overdue(&call).await?, Vec::<String>::new());
    call.cloud
        .sql("UPDATE medzen.recordings SET began_at = began_at - interval '25 hours' RETURNING ''")
        .await?;
    assert_eq!(overdue(&call).await?.len(), 1);
    call.minute().await?;
    assert_eq!(call.get(&id).await?["endReason"], "call_ended");
    call.minute().await?;
    assert_eq!(call.captures().await?, "stopped requested");
    assert_eq!(overdue(&call).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_files_do_not_come_is_given_up_and_reported() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    call.pass(20).await?;
    call.cloud.fault("s3", None, FaultKind::Error, None);
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    call.pass(10).await?;
    assert_eq!(call.get(&id).await?["state"], "processing");
    assert!(!reported_stuck(&call.cloud));
    call.cloud
        .sql("UPDATE medzen.recordings SET ended_at = ended_at - interval '109 hours' RETURNING ''")
        .await?;
    assert_eq!(overdue(&call).await?.len(), 1);
    call.cloud.parts().clock.advance(60);
    // The run fails, because S3 does.
    drop(call.cloud.run_schedule("recording").await);
    assert!(reported_stuck(&call.cloud));
    let given_up = call.get(&id).await?;
    assert_eq!(
        (&given_up["state"], &given_up["segments"][0]["state"]),
        (&json!("incomplete"), &json!("incomplete"))
    );
    assert!(call.keys().iter().any(|key| key.starts_with("captures/")), "the chunks are kept");
    assert_eq!(overdue(&call).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_does_not_end_is_reported_and_repeated() -> TestResult {
    let parameters = [("RecordingRights", "provider:control,list,delete"), ("RecordingRetentionDays", "1")];
    let cloud = TestCloud::deployed(events_at_once(), &parameters).await?;
    let call = Recorded::with_consent_on(cloud).await?;
    let id = call.capturing().await?;
    call.pass(20).await?;
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    assert_eq!(call.finished(&id).await?["state"], "ready");
    call.pass(24 * 3600).await?;
    call.cloud.fault("s3", None, FaultKind::Error, None);
    drop(call.cloud.run_schedule("recording").await);
    assert!(!reported_stuck(&call.cloud));
    call.pass(63 * 60).await?;
    assert_eq!(overdue(&call).await?.len(), 1);
    drop(call.cloud.run_schedule("recording").await);
    assert!(reported_stuck(&call.cloud));
    call.cloud.parts().faults.clear();
    call.pass(600).await?;
    call.cloud.run_schedule("recording").await?;
    assert_eq!(call.keys(), Vec::<String>::new());
    assert_eq!(overdue(&call).await?, Vec::<String>::new());
    call.minute().await?;
    assert!(!reported_stuck(&call.cloud));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_when_only_the_recorder_is_left_for_two_minutes() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    let run = async || {
        call.cloud.run_schedule("meeting-manager").await?;
        call.minute().await
    };
    call.everyone("AttendeeDropped").await?;
    run().await?;
    assert_eq!(call.captures().await?, "running none", "somebody may come back");
    call.everyone("AttendeeJoined").await?;
    run().await?;
    run().await?;
    assert_eq!(call.captures().await?, "running none", "they did");
    call.everyone("AttendeeLeft").await?;
    run().await?;
    assert_eq!(call.captures().await?, "running none");
    run().await?;
    run().await?;
    call.pass(5).await?;
    assert_eq!(call.captures().await?, "stopped everyone_left");
    let done = call.finished(&id).await?;
    assert_eq!((&done["state"], &done["endReason"]), (&json!("ready"), &json!("everyone_left")), "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_backend_hangs_is_answered_503_by_the_function_itself() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    insert_recording(&cloud).await?;
    cloud.slow("sts", None, 60_000);
    let path = format!("/recordings/{RECORDING}/playback");
    let answer = scenario.provider.ask("GET", &path, &Value::Null).await?;
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "API Gateway's own 503 has no code");
    let is_cut =
        |line: &LogLine| line.function == "recording" && line.line.contains("function is unavailable");
    assert!(cloud.parts().lambda.logs().iter().any(is_cut), "before any backend gave up");
    let events = outbox::events(&cloud, &scenario.appointment).await?;
    assert!(!events.contains("recording.played"), "{events}");
    Ok(())
}
