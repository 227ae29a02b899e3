//! A capture whose speech is captured for its text alone is no recording.

use std::sync::PoisonError;

use local_testing::TestResult;
use serde_json::{Value, json};

use super::Recorded;
use crate::outbox;
use crate::requests::consent;

const PIPELINE: &str = "00000000-0000-4000-8000-0000000000f1";

async fn report(call: &Recorded, event: &str) -> TestResult {
    call.cloud.send_event(&json!({
        "source": "aws.chime", "detail-type": "Chime Media Pipeline State Change",
        "detail": { "eventType": format!("chime:MediaPipeline{event}"), "mediaPipelineId": PIPELINE },
    }))?;
    call.pass(0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_for_text_shows_no_recording_anywhere() -> TestResult {
    let call = Recorded::in_call().await?;
    for person in [&call.scenario.provider, &call.scenario.patient] {
        assert_eq!(consent(person, json!({ "transcription": true })).await?.brief(), "200");
    }
    let now = call.cloud.parts().clock.now().unix_timestamp();
    let open = format!(
        "SELECT medzen.open_capture(gen_random_uuid(), id, '{{transcription}}', to_timestamp({now}))::text
         FROM public.video_call_sessions"
    );
    assert_eq!(call.cloud.sql(&open).await?, "true");
    let running = format!(
        "UPDATE medzen.media_captures SET status = 'starting', pipeline_id = '{PIPELINE}' RETURNING status"
    );
    assert_eq!(call.cloud.sql(&running).await?, "starting");
    assert_eq!(call.feature().await?["state"], "off");
    call.pass(5).await?;
    report(&call, "InProgress").await?;
    let feature = call.feature().await?;
    assert_eq!((&feature["state"], &feature["recordingId"]), (&json!("off"), &Value::Null));
    assert_eq!(feature["recorder"], false, "the recorder is there for the text");
    call.pass(5).await?;
    // Nothing requests the text in this deployment, so that its capture is stopped.
    report(&call, "Deleted").await?;
    let ended = call.cloud.sql("SELECT purposes::text || ' ' || status FROM medzen.media_captures").await?;
    assert_eq!(ended, "{transcription} stopped");
    let ledger =
        call.cloud.sql("SELECT string_agg(kind, ', ') FROM medzen.usage_ledger WHERE quantity >= 5").await?;
    assert_eq!(ledger, "speech_capture_seconds");
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    assert!(events.contains("capture.started") && !events.contains("recording."), "{events}");
    let published = call.cloud.parts().bus.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let kinds: Vec<_> = published.iter().filter_map(|event| event["detail-type"].as_str()).collect();
    assert!(!kinds.iter().any(|kind| kind.starts_with("Recording")), "{kinds:?}");
    let list = call.scenario.provider.ask("GET", "/appointments/{a}/recordings", &Value::Null).await?;
    assert_eq!(list.body["recordings"], json!([]));
    let segments = "SELECT count(*) FROM medzen.recording_segments";
    assert_eq!(call.cloud.sql(segments).await?, "0");
    Ok(())
}
