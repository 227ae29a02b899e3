//! Transcripts are read in each form and view, by whoever has the right, and deleted; each reading is audited.

use local::chime::{EventDelivery, Options};
use local_testing::{Answer, Caller, TestCloud, TestResult};
use serde_json::{Value, json};

use super::Transcribed;

const TRANSCRIPT: &str = "/appointments/{a}/transcript";

async fn deployed(parameters: &[(&str, &str)]) -> TestResult<TestCloud> {
    let chime = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    TestCloud::deployed(chime, parameters).await
}

/// A call that is over, with a finished transcript of two segments.
pub(super) async fn finished(parameters: &[(&str, &str)]) -> TestResult<Transcribed> {
    let cloud = deployed(parameters).await?;
    let call = Transcribed::with_consent_on(cloud, json!({ "transcription": true })).await?;
    call.transcribing().await?;
    let early = read(&call.scenario.provider, TRANSCRIPT, None).await?;
    assert_eq!(early.brief(), "409 TRANSCRIPT_NOT_READY", "it is in progress");
    call.say(&call.scenario.provider, "r-1", "Good morning, Anna").await?;
    call.say(&call.scenario.patient, "r-2", "My knee hurts").await?;
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..3 {
        call.minute().await?;
    }
    assert_eq!(call.outcome().await?, "ready");
    Ok(call)
}

pub(super) async fn read(by: &Caller, path: &str, accept: Option<&str>) -> TestResult<Answer> {
    let accept: Vec<_> = accept.map(|accept| ("accept", accept.as_bytes().to_vec())).into_iter().collect();
    by.ask_with("GET", path, &accept, Vec::new().into()).await
}

/// The entries of readings in the appointment's chain: `provider json full`.
async fn readings(call: &Transcribed) -> TestResult<Vec<String>> {
    call.cloud.run_schedule("audit").await?;
    let entries = call.cloud.audit_table(&call.scenario.appointment)?;
    let of = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    Ok(entries
        .iter()
        .filter(|entry| entry["event"] == "transcript.read")
        .map(|entry| format!("{} {} {}", of(entry, "role"), of(entry, "format"), of(entry, "view")))
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_read_in_the_form_that_is_accepted_and_each_reading_is_audited() -> TestResult {
    let call = finished(&[]).await?;
    let provider = &call.scenario.provider;
    let stored = call.cloud.sql("SELECT sha256 || ' ' || session_id FROM medzen.transcripts").await?;
    let json = read(provider, TRANSCRIPT, None).await?;
    assert_eq!(json.brief(), "200", "{:?}", json.body);
    assert_eq!(format!("{} {}", json.text("sha256"), json.text("sessionId")), stored);
    assert_eq!(json.body["unchanged"], true);
    let said: Vec<_> = json.body["segments"]
        .as_array()
        .ok_or("no segments")?
        .iter()
        .map(|one| (one["number"].clone(), one["speaker"]["label"].clone(), one["text"].clone()))
        .collect();
    assert_eq!(
        said,
        [
            (json!(1), json!("provider"), json!("Good morning, Anna")),
            (json!(2), json!("patient"), json!("My knee hurts"))
        ]
    );
    let vtt = read(provider, TRANSCRIPT, Some("text/vtt")).await?;
    assert_eq!(vtt.headers["content-type"], "text/vtt; charset=utf-8");
    let text = vtt.body.as_str().unwrap_or_default();
    assert!(text.starts_with("WEBVTT\n") && text.contains("\n<v patient>My knee hurts\n"), "{text}");
    let of_session = format!("{TRANSCRIPT}?sessionId={}&view=full", json.text("sessionId"));
    let plain = read(provider, &of_session, Some("text/plain;q=0.9, application/pdf")).await?;
    assert_eq!(plain.headers["content-disposition"], "attachment; filename=\"consultation.txt\"");
    assert_eq!(read(provider, TRANSCRIPT, Some("application/pdf")).await?.brief(), "406 NOT_ACCEPTABLE");
    let other = format!("{TRANSCRIPT}?sessionId={}", provider.id);
    assert_eq!(read(provider, &other, None).await?.brief(), "404 TRANSCRIPT_NOT_FOUND");
    assert_eq!(
        readings(&call).await?,
        ["provider json full", "provider vtt full", "provider txt full"],
        "a refusal is no reading"
    );

    // Without its entry nothing is read.
    call.cloud.fault("postgres", Some("audit_reading"), local::faults::FaultKind::Error, None);
    let refused = read(provider, TRANSCRIPT, None).await?;
    call.cloud.parts().faults.clear();
    assert!(refused.status >= 500 && refused.body["segments"].is_null(), "{:?}", refused.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_read_it_redacted_reads_nothing_that_was_marked() -> TestResult {
    let rights = "provider:control,transcript.read;patient:transcript.read_redacted";
    let call = finished(&[("RecordingRights", rights), ("TranscriptionMarkContent", "on")]).await?;
    let name = r#"[{"start": 14, "end": 18, "category": "PII", "type": "NAME", "confidence": 0.9}]"#;
    let mark = format!(
        "UPDATE medzen.transcript_segments SET spans = '{name}' WHERE body LIKE '%Anna%' RETURNING body"
    );
    assert_eq!(call.cloud.sql(&mark).await?, "Good morning, Anna");
    let patient = &call.scenario.patient;
    assert_eq!(read(patient, TRANSCRIPT, None).await?.brief(), "403 TRANSCRIPT_RIGHT_MISSING");
    let redacted = format!("{TRANSCRIPT}?view=redacted");
    for (accept, hidden) in
        [("application/json", "Good morning, [NAME]"), ("text/vtt", "<v provider>Good morning, [NAME]\n")]
    {
        let seen = read(patient, &redacted, Some(accept)).await?;
        assert_eq!(seen.brief(), "200", "{:?}", seen.body);
        let body = seen.body.as_str().map_or_else(|| seen.body.to_string(), str::to_owned);
        assert!(body.contains(hidden) && !body.contains("Anna"), "{body}");
    }
    // Its result never became final, so its marks never came.
    let unfinish =
        "UPDATE medzen.transcript_segments SET unfinished = true WHERE body LIKE '%knee%' RETURNING body";
    assert_eq!(call.cloud.sql(unfinish).await?, "My knee hurts");
    let seen = read(patient, &redacted, None).await?;
    assert!(!seen.body.to_string().contains("knee"), "{:?}", seen.body);
    // Whoever may read all may hide it.
    assert_eq!(read(&call.scenario.provider, &redacted, None).await?.brief(), "200");
    let search = json!({ "query": "Anna" });
    let found = patient.ask("POST", "/transcripts/search", &search).await?;
    assert_eq!(found.body["results"], json!([]), "a search would reveal what is hidden");

    // A run of the same call in which nothing was marked.
    let unmark = "UPDATE medzen.transcription_runs
        SET settings = jsonb_set(settings, '{live,identifyContent}', 'false') RETURNING 1::text";
    call.cloud.sql(unmark).await?;
    assert_eq!(read(patient, &redacted, None).await?.brief(), "409 TRANSCRIPT_NOT_MARKED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_whose_text_was_changed_in_the_database_says_so() -> TestResult {
    let call = finished(&[]).await?;
    let change =
        "UPDATE medzen.transcript_segments SET body = 'My foot hurts' WHERE body LIKE '%knee%' RETURNING ''";
    call.cloud.sql(change).await?;
    let seen = read(&call.scenario.provider, TRANSCRIPT, None).await?;
    assert_eq!((seen.status, &seen.body["unchanged"]), (200, &json!(false)), "{:?}", seen.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_deleted_after_its_retention_and_its_digest_stays() -> TestResult {
    let call = finished(&[("RecordingRetentionDays", "1")]).await?;
    let provider = &call.scenario.provider;
    let found = read(provider, TRANSCRIPT, None).await?;
    let path = format!("/transcripts/{}", found.text("transcriptId"));
    let delete = async || provider.ask("DELETE", &path, &Value::Null).await;
    assert_eq!(delete().await?.brief(), "409 TRANSCRIPT_RETAINED");
    let denied = call.scenario.patient.ask("DELETE", &path, &Value::Null).await?;
    assert_eq!(denied.brief(), "403 TRANSCRIPT_RIGHT_MISSING");
    // The clock's day would outlast the tokens.
    call.cloud
        .sql("UPDATE medzen.transcripts SET finished_at = finished_at - interval '1 day' RETURNING ''")
        .await?;
    let hold = "INSERT INTO medzen.legal_holds (appointment_id, reason, placed_at, placed_by)
        SELECT appointment_id, 'AZ-7', now(), 'an-auditor' FROM video_call_sessions RETURNING ''";
    call.cloud.sql(hold).await?;
    assert_eq!(delete().await?.brief(), "409 TRANSCRIPT_ON_HOLD");
    let lift = "UPDATE medzen.legal_holds SET lifted_at = now(), lifted_by = placed_by WHERE lifted_at IS NULL RETURNING ''";
    call.cloud.sql(lift).await?;
    let deleting = delete().await?;
    assert_eq!((deleting.status, deleting.text("state").as_str()), (202, "deleting"), "{:?}", deleting.body);
    assert_eq!(read(provider, TRANSCRIPT, None).await?.brief(), "409 TRANSCRIPT_NOT_READY");
    // A hold that is placed before the deletion is executed postpones it.
    call.cloud.sql(hold).await?;
    call.minute().await?;
    assert_eq!(delete().await?.text("state"), "deleting");
    assert_ne!(call.text().await?, "");
    call.cloud.sql(lift).await?;
    let again = "UPDATE medzen.pending_operations SET not_before = now() - interval '1 year'
        WHERE operation = 'delete_transcript' AND last_error = 'TRANSCRIPT_ON_HOLD' AND attempts = 0 RETURNING 'true'";
    assert_eq!(call.cloud.sql(again).await?, "true");
    call.minute().await?;
    assert_eq!(delete().await?.text("state"), "deleted", "it may be repeated");
    assert_eq!(read(provider, TRANSCRIPT, None).await?.brief(), "404 TRANSCRIPT_NOT_FOUND");
    assert_eq!(call.text().await?, "");
    let digest = call.cloud.sql("SELECT sha256 FROM medzen.transcripts").await?;
    assert_eq!(digest, found.text("sha256"));
    Ok(())
}
