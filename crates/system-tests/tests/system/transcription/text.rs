//! The text of a call, taken from the files of its captures.

use local_testing::TestResult;
use serde_json::json;

use super::Transcribed;
use crate::requests::consent;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_has_a_transcript_with_both_speakers() -> TestResult {
    let call = Transcribed::with_consent(json!({ "transcription": true })).await?;
    call.transcribing().await?;
    call.say(&call.scenario.provider, "r-1", "Good morning").await?;
    call.say(&call.scenario.patient, "r-2", "My knee hurts").await?;
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..3 {
        call.minute().await?;
    }
    assert_eq!(call.text().await?, "provider: Good morning\npatient: My knee hurts");
    assert_eq!(call.runs().await?, "stopped call_ended");
    assert_eq!(call.outcome().await?, "ready");
    let events = call.cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    assert!(events.iter().any(|event| event["detail-type"] == "Transcript Ready"), "{events:?}");
    // The sound was captured for the text alone.
    call.minute().await?;
    let parts = call.cloud.parts();
    let left: Vec<_> = parts.s3.keys(&parts.plan.outputs["RecordingsBucketName"]);
    assert_eq!(left, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn text_from_before_a_revocation_stays_marked_and_what_came_after_it_is_not_kept() -> TestResult {
    let call = Transcribed::with_consent(json!({ "transcription": true })).await?;
    call.transcribing().await?;
    call.say(&call.scenario.patient, "r-1", "My knee hurts").await?;
    assert_eq!(consent(&call.scenario.patient, json!({ "transcription": false })).await?.brief(), "200");
    call.say(&call.scenario.patient, "r-2", "This is private").await?;
    for _ in 0..2 {
        call.minute().await?;
    }
    assert_eq!(call.text().await?, "patient: My knee hurts");
    assert_eq!(call.cloud.sql("SELECT revoked::text FROM medzen.transcript_segments").await?, "true");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_starts_meanwhile_changes_the_capture_and_leaves_a_gap_with_its_reason() -> TestResult
{
    let call = Transcribed::with_consent(json!({ "transcription": true, "recording": true })).await?;
    call.transcribing().await?;
    call.say(&call.scenario.provider, "r-1", "Before").await?;
    let recordings = "/appointments/{a}/call/recordings";
    let recorded = call.scenario.provider.ask("POST", recordings, &json!({})).await?;
    assert_eq!(recorded.brief(), "201");
    for _ in 0..4 {
        call.pass(3).await?;
    }
    assert_eq!(call.feature().await?["state"], "active", "the transcription goes on");
    call.say(&call.scenario.provider, "r-2", "After").await?;
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..3 {
        call.minute().await?;
    }
    assert_eq!(call.text().await?, "provider: Before\nprovider: After");
    let gaps =
        "SELECT string_agg(gap ->> 'reason', ',') FROM medzen.transcripts, jsonb_array_elements(gaps) AS gap
                WHERE gap ->> 'reason' = 'capture_switched'";
    assert_eq!(call.cloud.sql(gaps).await?, "capture_switched");
    assert_eq!(call.outcome().await?, "incomplete");
    let path = format!("/recordings/{}", recorded.text("recordingId"));
    let done = call.scenario.provider.ask("GET", &path, &serde_json::Value::Null).await?;
    assert_eq!(
        done.text("state"),
        "ready",
        "the text was taken before the chunks were deleted: {:?}",
        done.body
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_taken_twice_and_in_another_order_is_the_same() -> TestResult {
    let call = Transcribed::with_consent(json!({ "transcription": true })).await?;
    call.transcribing().await?;
    for number in 0..5 {
        call.say(&call.scenario.provider, &format!("r-{number}"), &format!("Sentence {number}")).await?;
    }
    assert_eq!(call.stop().await?.brief(), "200");
    for _ in 0..2 {
        call.pass(10).await?;
    }
    let once = call.text().await?;
    assert_eq!(once.lines().count(), 5, "{once}");
    // As after a crash before the capture was marked.
    call.cloud
        .sql(
            "WITH again AS (UPDATE medzen.media_captures SET text_taken_at = NULL RETURNING id, session_id)
             SELECT medzen.enqueue_operation('take_text', id::text, session_id, '{}', now(), NULL)::text FROM again",
        )
        .await?;
    call.minute().await?;
    assert_eq!(call.text().await?, once);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deletion_of_a_transcript_deletes_its_text_in_the_chunks_of_a_segment_that_is_incomplete()
-> TestResult {
    let call = Transcribed::with_consent(json!({ "transcription": true, "recording": true })).await?;
    let fault = json!({ "kind": "outputTruncated", "times": 2 });
    let set = call.cloud.control_api("POST", "chime/pipelines/faults", &fault).await?;
    assert!(set.status < 300, "{:?}", set.body);
    call.transcribing().await?;
    let recordings = "/appointments/{a}/call/recordings";
    assert_eq!(call.scenario.provider.ask("POST", recordings, &json!({})).await?.brief(), "201");
    for _ in 0..4 {
        call.pass(3).await?;
    }
    call.say(&call.scenario.patient, "r-1", "My knee hurts").await?;
    call.pass(60).await?;
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..30 {
        call.minute().await?;
    }
    assert_eq!(call.outcome().await?, "incomplete", "the capture was switched");
    assert_eq!(call.cloud.sql("SELECT status FROM medzen.recording_segments").await?, "incomplete");
    let files = || {
        let parts = call.cloud.parts();
        let all = parts.s3.keys(&parts.plan.outputs["RecordingsBucketName"]);
        let texts = all.iter().filter(|key| key.contains("/transcription-messages/")).count();
        (texts, all.len() - texts)
    };
    let (texts, other) = files();
    assert!(texts > 0 && other > 0, "{texts} {other}");
    call.cloud
        .sql("UPDATE medzen.transcripts SET finished_at = finished_at - interval '8 years' RETURNING ''")
        .await?;
    for _ in 0..2 {
        call.minute().await?;
    }
    assert_eq!(call.text().await?, "");
    assert_eq!(files(), (0, other), "and the recording keeps its sound");
    Ok(())
}
