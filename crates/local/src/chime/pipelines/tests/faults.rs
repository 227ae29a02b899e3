//! Faults on demand.

use super::concatenations::captured;
use super::*;

fn fault(kind: &str, more: Value) -> NewPipelineFault {
    let mut fault = json!({ "kind": kind });
    if let (Some(fault), Value::Object(more)) = (fault.as_object_mut(), more) {
        fault.extend(more);
    }
    serde_json::from_value(fault).expect("it is a fault")
}

/// The events' names and the last status of a capture with a fault after a minute.
async fn capture_with(kind: &str, more: Value) -> (Vec<String>, Value, Engine, String) {
    let mut engine = engine();
    engine.chime.add_pipeline_fault(fault(kind, more));
    let (_, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(60);
    let status = engine.status(&id).await;
    let names = engine.events().into_iter().map(|(name, _)| name).collect();
    (names, status, engine, id)
}

#[tokio::test]
async fn a_capture_may_never_start() {
    let (names, status, engine, _) = capture_with("neverStarts", json!({})).await;
    assert_eq!((names.len(), status, engine.keys("").len()), (0, json!("Initializing"), 0));
}

#[tokio::test]
async fn a_capture_may_fail_for_good() {
    let (names, status, engine, _) = capture_with("failsPermanently", json!({ "afterSeconds": 12 })).await;
    assert_eq!((names.join(" "), status), ("InProgress PermanentFailure".to_owned(), json!("Failed")));
    assert_eq!(engine.keys("audio/").len(), 3, "two chunks of 5 s and one of 2 s");
}

#[tokio::test]
async fn a_capture_may_fail_for_a_time() {
    let more = json!({ "afterSeconds": 10, "forSeconds": 20 });
    let (names, status, engine, _) = capture_with("failsTemporarily", more).await;
    assert_eq!(names.join(" "), "InProgress TemporaryFailure Resumed");
    assert_eq!(status, "InProgress");
    let starts: Vec<i64> =
        engine.keys("audio/").iter().filter_map(|key| artifacts::started_ms(key)).collect();
    let gaps: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [5_000, 25_000, 5_000, 5_000, 5_000, 5_000]);
    let (names, status, _, _) = capture_with("failsTemporarily", json!({ "afterSeconds": 10 })).await;
    assert_eq!((names.join(" "), status), ("InProgress TemporaryFailure".to_owned(), json!("Paused")));
}

#[tokio::test]
async fn a_capture_may_hang_while_it_stops_and_captures_no_more() {
    let (_, _, mut engine, id) = capture_with("hangsInStopping", json!({})).await;
    engine.stop(&id).await;
    engine.advance(3);
    let chunks = engine.keys("audio/").len();
    engine.advance(600);
    assert_eq!((engine.status(&id).await, engine.events().len()), (json!("Stopping"), 0));
    assert_eq!(engine.keys("audio/").len(), chunks);
    let deleted =
        NewPipelineEvent { event_type: "MediaPipelineDeleted".to_owned(), ..NewPipelineEvent::default() };
    engine.chime.pipeline_event(&id, deleted).expect("it is there");
    assert_eq!((engine.status(&id).await, engine.events().len()), (json!("Stopped"), 1));
}

#[tokio::test]
async fn a_file_may_be_short_or_out_of_step() {
    let table = [
        ("outputTruncated", 2, 10_000_000),
        ("lastChunkMissing", 4, 20_000_000),
        // 22 s of pictures.
        ("tracksApart", 5, 25_000_000),
    ];
    for (kind, chunks, duration_us) in table {
        let mut engine = engine();
        engine.chime.add_pipeline_fault(fault(kind, json!({})));
        let (_, joined) = captured(&engine, 4).await;
        engine.advance(30);
        assert_eq!(engine.status(&joined).await, "Stopped", "{kind}");
        assert!(engine.events().contains(&("Deleted".to_owned(), joined.clone())), "{kind}");
        let file = engine.movie(&format!("joined/c1/audio/{joined}.mp4"));
        let keyframes = file.pictures.iter().filter(|picture| picture.keyframe).count();
        assert_eq!(keyframes, chunks, "{kind}");
        assert_eq!(file.duration_us, duration_us, "{kind}");
        let sound_us = file.sound.last().expect("it has sound").time_us;
        let picture_us = file.pictures.last().expect("it has pictures").time_us;
        assert_eq!(sound_us > picture_us + 2_500_000, kind == "tracksApart", "{kind}");
    }
}

#[tokio::test]
async fn a_file_may_never_come_or_its_making_fail() {
    for (kind, status, last) in
        [("outputNever", "InProgress", "InProgress"), ("outputFails", "Failed", "PermanentFailure")]
    {
        let mut engine = engine();
        engine.chime.add_pipeline_fault(fault(kind, json!({})));
        let (_, joined) = captured(&engine, 2).await;
        engine.advance(240);
        assert_eq!(engine.status(&joined).await, status);
        assert_eq!(engine.events().last(), Some(&(last.to_owned(), joined)));
        assert!(engine.keys("joined/").is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn a_fault_hits_so_many_pipelines_of_its_kind_and_may_be_taken_back() {
    let engine = engine();
    engine.chime.add_pipeline_fault(fault("outputFails", json!({})));
    engine.chime.add_pipeline_fault(fault("neverStarts", json!({ "times": 2 })));
    let mut started = Vec::new();
    for n in 0..3 {
        let (_, arn) = engine.meeting(true);
        let body = changed(good_capture(&arn), "/ClientRequestToken", json!(format!("capture-{n}")));
        let id = engine.capture(&body).await;
        engine.advance(2);
        started.push(engine.status(&id).await == "InProgress");
    }
    assert_eq!(started, [false, false, true]);
    engine.chime.clear_pipeline_faults();
    let (_, joined) = {
        let (_, arn) = engine.meeting(true);
        let body = changed(good_capture(&arn), "/ClientRequestToken", json!("capture-9"));
        let capture = engine.capture(&body).await;
        engine.advance(10);
        engine.stop(&capture).await;
        (capture.clone(), engine.concatenation(&good_concatenation(&capture)).await)
    };
    engine.advance(30);
    assert_eq!(engine.status(&joined).await, "Stopped");
}

#[tokio::test]
async fn an_event_of_no_pipeline_or_no_kind_is_refused() {
    let engine = engine();
    let (_, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    let event = |name: &str| NewPipelineEvent { event_type: name.to_owned(), ..NewPipelineEvent::default() };
    let unknown = engine.chime.pipeline_event("x", event("MediaPipelineDeleted"));
    assert_eq!(unknown, Err(PipelineEventError::UnknownPipeline("x".to_owned())));
    let odd = engine.chime.pipeline_event(&id, event("MediaPipelinePaused"));
    assert_eq!(odd, Err(PipelineEventError::UnknownType("MediaPipelinePaused".to_owned())));
}
