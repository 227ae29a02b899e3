//! Chunks joined to a file.

use super::*;

const FOLDER: &str = "joined/c1/audio/";

/// A capture that has run for some chunks of 5 s and has been asked to stop, with the concatenation that waits for it.
pub(super) async fn captured(engine: &Engine, chunks: u32) -> (String, String) {
    let (_, arn) = engine.meeting(true);
    let capture = engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    let joined = engine.concatenation(&good_concatenation(&capture)).await;
    engine.advance(5 * chunks);
    engine.stop(&capture).await;
    (capture, joined)
}

#[tokio::test]
async fn a_concatenation_waits_for_the_end_of_its_capture_and_joins_all_chunks() {
    let mut engine = engine();
    let (capture, joined) = captured(&engine, 4).await;
    assert_eq!(engine.status(&joined).await, "NotStarted");
    engine.advance(2);
    assert_eq!((engine.status(&capture).await, engine.keys(FOLDER).len()), (json!("Stopped"), 0));
    engine.advance(1);
    assert_eq!(engine.status(&joined).await, "InProgress");
    engine.advance(10);
    assert_eq!(engine.status(&joined).await, "Stopped");
    let event = |name: &str, id: &str| (name.to_owned(), id.to_owned());
    assert_eq!(
        engine.events(),
        [
            event("InProgress", &capture),
            event("Deleted", &capture),
            event("InProgress", &joined),
            event("Deleted", &joined),
        ]
    );
    let file = engine.movie(&format!("{FOLDER}{joined}.mp4"));
    let chunks = engine.keys("captures/c1/audio/");
    let captured_us: u64 = chunks.iter().map(|key| engine.movie(key).duration_us).sum();
    assert_eq!((chunks.len(), file.duration_us), (5, captured_us));
    let keyframes = file.pictures.iter().filter(|picture| picture.keyframe).map(|picture| picture.time_us);
    assert_eq!(keyframes.collect::<Vec<_>>(), [0, 5_000_000, 10_000_000, 15_000_000, 20_000_000]);
    let texts = engine.keys(&format!("joined/c1/meeting-events/{joined}.txt"));
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn a_concatenation_of_a_capture_that_has_ended_begins_at_once() {
    let engine = engine();
    let (_, arn) = engine.meeting(true);
    let capture = engine.capture(&good_capture(&arn)).await;
    engine.advance(12);
    engine.stop(&capture).await;
    engine.advance(600);
    assert_eq!(engine.status(&capture).await, "NotFound");
    let joined = engine.concatenation(&good_concatenation(&capture)).await;
    engine.advance(11);
    assert_eq!(engine.status(&joined).await, "Stopped");
    assert_eq!(engine.keys(FOLDER).len(), 1);
}

#[tokio::test]
async fn the_time_of_a_temporary_failure_is_kept_in_the_file() {
    let mut engine = engine();
    let (_, arn) = engine.meeting(true);
    let capture = engine.capture(&good_capture(&arn)).await;
    engine.advance(7);
    let event = |name: &str| NewPipelineEvent { event_type: name.to_owned(), ..NewPipelineEvent::default() };
    engine.chime.pipeline_event(&capture, event("MediaPipelineTemporaryFailure")).expect("it runs");
    assert_eq!(engine.status(&capture).await, "Paused");
    engine.advance(60);
    engine.chime.pipeline_event(&capture, event("chime:MediaPipelineResumed")).expect("it is paused");
    assert_eq!(engine.status(&capture).await, "InProgress");
    engine.advance(5);
    engine.stop(&capture).await;
    engine.concatenation(&good_concatenation(&capture)).await;
    engine.advance(13);
    let names: Vec<String> = engine.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..3], ["InProgress", "TemporaryFailure", "Resumed"]);
    let chunks = engine.keys("captures/c1/audio/");
    let captured_us: u64 = chunks.iter().map(|key| engine.movie(key).duration_us).sum();
    let file = engine.movie(&engine.keys(FOLDER)[0]);
    assert_eq!(file.duration_us - captured_us, 60_000_000);
}

#[tokio::test]
async fn a_concatenation_can_be_deleted_and_leaves_no_file() {
    let mut engine = engine();
    let (_, joined) = captured(&engine, 2).await;
    let (status, _) = engine.ask("DELETE", &format!("/sdk-media-pipelines/{joined}"), &Value::Null).await;
    assert_eq!(status, 204);
    engine.advance(30);
    assert_eq!((engine.status(&joined).await, engine.keys(FOLDER).len()), (json!("Stopped"), 0));
    assert!(engine.events().contains(&("Deleted".to_owned(), joined)));
}

#[tokio::test]
async fn a_capture_without_chunks_makes_its_concatenation_fail() {
    let mut engine = engine();
    let (_, arn) = engine.meeting(true);
    let capture = engine.capture(&good_capture(&arn)).await;
    let joined = engine.concatenation(&good_concatenation(&capture)).await;
    engine.stop(&capture).await;
    engine.advance(60);
    assert_eq!(engine.status(&joined).await, "Failed");
    assert!(engine.events().contains(&("PermanentFailure".to_owned(), joined)));
}
