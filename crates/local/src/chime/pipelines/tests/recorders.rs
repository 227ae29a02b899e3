//! Captures of meetings with media.

use std::collections::HashSet;

use super::*;
use crate::chime::pipelines::recorder::Command;
use crate::media::{Media, MediaOptions};

/// An engine whose recorders the test plays.
fn with_recorders() -> (Engine, mpsc::UnboundedReceiver<Command>) {
    let engine = engine();
    let (commands, taken) = mpsc::unbounded_channel();
    engine.chime.attach_recorders(commands);
    (engine, taken)
}

fn commands(taken: &mut mpsc::UnboundedReceiver<Command>) -> Vec<&'static str> {
    let names = std::iter::from_fn(|| taken.try_recv().ok()).map(|command| match command {
        Command::Start(_) => "start",
        Command::Stop { .. } => "stop",
    });
    names.collect()
}

#[tokio::test]
async fn a_capture_has_stopped_when_its_recorder_has_put_the_last_chunk() {
    let (mut engine, mut taken) = with_recorders();
    let (_, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    assert!(commands(&mut taken).is_empty(), "it initializes");
    engine.advance(20);
    assert_eq!(commands(&mut taken), ["start"]);
    assert!(engine.keys("").is_empty(), "the engine makes no chunks");
    engine.stop(&id).await;
    engine.advance(1);
    assert!(commands(&mut taken).is_empty(), "it captures until it stops");
    engine.advance(60);
    assert_eq!(commands(&mut taken), ["stop"]);
    assert_eq!(engine.status(&id).await, "Stopping");
    engine.chime.recorder_finished(&id, 1);
    assert_eq!(engine.status(&id).await, "Stopped");
    let names: Vec<String> = engine.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["InProgress", "Deleted"]);
}

#[tokio::test]
async fn the_recorder_of_a_capture_that_is_resumed_is_a_new_one() {
    let (mut engine, mut taken) = with_recorders();
    let (meeting, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    for name in ["MediaPipelineTemporaryFailure", "MediaPipelineResumed"] {
        let event = NewPipelineEvent { event_type: name.to_owned(), ..NewPipelineEvent::default() };
        engine.chime.pipeline_event(&id, event).expect("it is there");
    }
    assert_eq!(commands(&mut taken), ["start", "stop", "start"]);
    engine.end_meeting(&meeting);
    engine.advance(1);
    assert_eq!(commands(&mut taken), ["stop"]);
    engine.chime.recorder_finished(&id, 1);
    assert_eq!(engine.status(&id).await, "Stopping", "the first recorder is not the last");
    engine.chime.recorder_finished(&id, 2);
    assert_eq!(engine.status(&id).await, "Stopped");
    assert_eq!(engine.events().last().map(|(name, _)| name.as_str()), Some("Deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_with_a_media_plane_is_captured_from_it() {
    let mut engine = engine();
    let media = Media::start(&engine.chime, MediaOptions::default()).expect("loopback has free ports");
    let (_, arn) = engine.meeting(false);
    let body = changed(good_capture(&arn), "/ChimeSdkMeetingConfiguration", artifacts("AudioOnly"));
    let id = engine.capture(&body).await;
    engine.advance(2);
    // 5 s of the media plane's own time.
    while engine.keys("audio/").is_empty() {
        tokio::task::yield_now().await;
    }
    engine.stop(&id).await;
    engine.advance(2);
    while engine.status(&id).await != "Stopped" {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.events().last().map(|(name, _)| name.as_str()), Some("Deleted"));
    let keys = engine.keys("audio/");
    let first = engine.movie(&keys[0]);
    assert_eq!((first.duration_us, first.pictures.len(), first.sound.len()), (5_000_000, 0, 250));
    let files: HashSet<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(files.len(), keys.len());
    assert_eq!(engine.chime.pipelines()["pipelines"][0]["chunks"], keys.len());
    drop(media);
}
