//! Random sequences of requests, faults and crashes: nothing is captured without a row, nothing outlasts its deadline, and no recording
//! is ready that is short.

use local::faults::FaultKind;
use local_testing::TestResult;
use serde_json::{Value, json};

use super::deadlines::overdue;
use super::{Recorded, control, start};
use crate::requests::consent;

/// Sequences of one run; the variable `RECORDING_SEQUENCES` asks for others.
const SEQUENCES: u64 = 12;
/// Requests of each.
const STEPS: usize = 14;

const FAULTS: [FaultKind; 5] =
    [FaultKind::Error, FaultKind::Throttle, FaultKind::Drop, FaultKind::KillBefore, FaultKind::KillAfter];
const CHIME: [&str; 4] = [
    "CreateMediaCapturePipeline",
    "DeleteMediaCapturePipeline",
    "CreateMediaConcatenationPipeline",
    "GetMediaPipeline",
];
const STATEMENTS: [&str; 4] = ["apply_captures", "apply_segment", "load_call", "complete_operations"];
const OUTPUTS: [&str; 4] = ["outputTruncated", "lastChunkMissing", "tracksApart", "failsPermanently"];
const EVENTS: [&str; 2] = ["chime:MediaPipelineInProgress", "chime:MediaPipelineDeleted"];

/// Captures that Chime has and no row is open for, twenty minutes after everything was tried.
async fn check(call: &Recorded, seed: u64) -> TestResult {
    let pipelines = call.cloud.control_api("GET", "chime/pipelines", &json!(null)).await?;
    let running: Vec<_> = pipelines.body["pipelines"]
        .as_array()
        .ok_or("no list")?
        .iter()
        .filter(|it| it["kind"] == "capture" && it["endedAt"].is_null() && it["status"] != "Failed")
        .collect();
    assert!(running.is_empty(), "seed {seed}: {running:?}");
    let open = "SELECT count(*) FROM medzen.media_captures WHERE ended_at IS NULL";
    assert_eq!(call.cloud.sql(open).await?, "0", "seed {seed}: {}", call.captures().await?);
    let unfinished = "SELECT count(*) FROM medzen.recordings WHERE ended_at IS NULL OR finished_at IS NULL";
    assert_eq!(call.cloud.sql(unfinished).await?, "0", "seed {seed}");
    // A file is as long as the chunks of its capture, of which the last may be short.
    let ready = call
        .cloud
        .sql(
            "SELECT coalesce(json_object_agg(c.pipeline_id, g.duration_seconds), '{}')::text
             FROM medzen.recording_segments g JOIN medzen.media_captures c ON c.id = g.capture_id WHERE g.status = 'ready'",
        )
        .await?;
    let ready: Value = serde_json::from_str(&ready)?;
    for (pipeline, seconds) in ready.as_object().ok_or("no object")? {
        let all = pipelines.body["pipelines"].as_array().ok_or("no list")?;
        let capture = all.iter().find(|it| it["pipelineId"] == pipeline.as_str()).ok_or("no pipeline")?;
        let chunks = capture["chunks"].as_f64().ok_or("no chunks")?;
        let seconds = seconds.as_f64().ok_or("no duration")?;
        assert!(seconds >= (chunks - 1.0) * 5.0 - 10.0, "seed {seed}: {seconds} s of {chunks} chunks");
    }
    let lost = "SELECT count(*) FROM medzen.recording_segments WHERE status = 'incomplete' AND chunks_deleted_at IS NOT NULL";
    assert_eq!(call.cloud.sql(lost).await?, "0", "seed {seed}: chunks of an incomplete segment");
    // After a revocation only the marked tail is captured of its participant.
    let unmarked = call
        .cloud
        .sql(
            "SELECT count(*) FROM public.video_call_consents r
             JOIN medzen.media_captures c ON c.session_id = r.session_id
             WHERE NOT r.granted AND r.kind = 'recording' AND c.began_at < r.given_at AND c.ended_at > r.given_at
               AND NOT c.revoked @> '{recording}'
               AND EXISTS (
                 SELECT FROM public.video_call_participants p
                 WHERE p.video_call_id = r.session_id AND p.user_id = r.user_id AND p.joined_at <= r.given_at)",
        )
        .await?;
    assert_eq!(unmarked, "0", "seed {seed}: captured after a revocation");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_faults_and_crashes_leave_nothing_unfinished() -> TestResult {
    let sequences = std::env::var("RECORDING_SEQUENCES").map_or(Ok(SEQUENCES), |number| number.parse())?;
    for seed in 0..sequences {
        let mut random = fastrand::Rng::with_seed(seed);
        let call = Recorded::with_consent().await?;
        let (provider, patient) = (&call.scenario.provider, &call.scenario.patient);
        let mut id: Option<String> = None;
        for _ in 0..STEPS {
            if random.u8(0..3) == 0 {
                let kind = FAULTS[random.usize(0..FAULTS.len())];
                match random.u8(0..4) {
                    0 => {
                        let body = json!({ "kind": OUTPUTS[random.usize(0..OUTPUTS.len())], "times": 1, "afterSeconds": 10 });
                        call.cloud.control_api("POST", "chime/pipelines/faults", &body).await?;
                    }
                    1 => {
                        let event = EVENTS[random.usize(0..EVENTS.len())];
                        call.cloud.fault("events", Some(event), FaultKind::Lose, Some(1));
                    }
                    2 => {
                        let statement = STATEMENTS[random.usize(0..STATEMENTS.len())];
                        call.cloud.fault("postgres", Some(statement), kind, Some(random.u32(1..3)));
                    }
                    _ => {
                        let operation = CHIME[random.usize(0..CHIME.len())];
                        call.cloud.fault("chime", Some(operation), kind, Some(random.u32(1..3)));
                    }
                }
            }
            let answer = match (random.u8(0..9), &id) {
                (0 | 1, _) | (2..=4, None) => start(provider).await?,
                (2, Some(id)) => control(provider, id, "stop").await?,
                (3, Some(id)) => control(provider, id, "pause").await?,
                (4, Some(id)) => control(provider, id, "resume").await?,
                (5, _) => consent(patient, json!({ "recording": random.bool() })).await?,
                (6, _) => patient.leave().await?,
                (7, _) => patient.join().await?,
                _ => consent(provider, json!({ "recording": true })).await?,
            };
            // API Gateway's own 500 is for a function that was killed.
            assert_ne!(answer.body["code"], "INTERNAL", "seed {seed}");
            if let Some(new) = answer.body["recordingId"].as_str() {
                id = Some(new.to_owned());
            }
            call.cloud.parts().clock.advance(random.u32(0..20));
            call.cloud.drain_queues().await?;
            if random.bool() {
                // A run that dies is repeated by the next minute's.
                drop(call.cloud.run_schedule("recording").await);
            }
        }
        call.cloud.parts().faults.clear();
        call.cloud.control_api("DELETE", "chime/pipelines/faults", &json!(null)).await?;
        for _ in 0..3 {
            if provider.end().await?.status == 200 {
                break;
            }
        }
        for run in 0..30 {
            call.cloud.parts().clock.advance(60);
            call.cloud.drain_queues().await?;
            call.cloud.run_schedule("recording").await?;
            // Those of the faults' time have two runs.
            if run >= 2 {
                assert_eq!(overdue(&call).await?, Vec::<String>::new(), "seed {seed}, run {run}");
            }
        }
        check(&call, seed).await?;
    }
    Ok(())
}
