//! Every payload in `events/transcript/`, in an order in which each is valid.

use local_testing::{Payloads, TestCloud, TestResult};
use serde_json::json;

const ACTIONS: [&str; 6] = ["start", "stop", "languages", "read", "delete", "search"];

/// The transcript that the payloads name.
const TRANSCRIPT: &str = "00000000-0000-4000-8000-0000000000d1";

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut payloads = Payloads::new(&cloud, "transcript")?;

    let languages = payloads.send("languages", "200").await?;
    let all = languages.body["languages"].as_array().ok_or("no languages")?;
    let of = |code: &str| all.iter().find(|one| one["code"] == code).cloned().unwrap_or_default();
    assert_eq!(
        of("en-US")["live"],
        json!({ "engine": "standard", "region": "us-east-1", "unconfirmed": false })
    );
    assert_eq!((&of("sw-KE")["live"], &of("sw-KE")["batch"]), (&json!(null), &json!(true)), "not attempted");

    payloads.send("start", "404 NO_ACTIVE_CALL").await?;
    payloads.send("stop", "404 TRANSCRIPT_NOT_FOUND").await?;
    // The call starts at the time that the payloads have.
    let mut start = Payloads::new(&cloud, "meeting-manager")?;
    start.send("start", "201").await?;
    let mut patient = Payloads::new(&cloud, "attendee")?;
    patient.send("join", "200").await?;
    let refused = payloads.send("start", "409 CONSENT_REQUIRED").await?;
    assert_eq!(refused.body["missing"].as_array().map(Vec::len), Some(2), "{:?}", refused.body);
    let scenario = cloud.first_scenario()?;
    for person in [&scenario.provider, &scenario.patient] {
        let consent = json!({ "transcription": true });
        assert_eq!(person.ask("PUT", "/appointments/{a}/call/consent", &consent).await?.brief(), "200");
    }
    let refused = payloads.send("start-with-bad-language", "422 INVALID_FIELD").await?;
    assert_eq!(refused.text("field"), "language");
    let started = payloads.send("start", "201").await?;
    assert_eq!(
        (started.text("state").as_str(), started.text("mode").as_str(), started.text("region").as_str()),
        ("starting", "live", "us-east-1")
    );
    let again = payloads.send("start", "200").await?;
    assert_eq!(again.body, started.body, "it was being transcribed already");

    for action in ["start", "stop"] {
        payloads.send(&format!("{action}-by-patient"), "403 PROVIDER_ONLY").await?;
        payloads.send(&format!("{action}-by-stranger"), "403 NOT_A_MEMBER").await?;
        let refused = payloads.send(&format!("{action}-with-bad-id"), "422 INVALID_FIELD").await?;
        assert_eq!(refused.text("field"), "appointmentId");
    }
    payloads.send("transcription-events", "0 failed").await?;
    payloads.send("transcription-events-with-unreadable", "2 failed").await?;
    payloads.send("job-events", "0 failed").await?;
    payloads.send("job-events-with-unreadable", "1 failed").await?;
    payloads.send("operation-pending", "0 failed").await?;
    payloads.send("operation-pending-with-unreadable", "1 failed").await?;
    let stopped = payloads.send("stop", "200").await?;
    assert_eq!(
        (stopped.text("state").as_str(), stopped.text("reason").as_str()),
        ("stopped", "requested"),
        "nothing was captured, so Chime was asked for nothing: {:?}",
        stopped.body
    );
    payloads.send("schedule", "200").await?;
    payloads.send("direct-start", "201").await?;
    payloads.send("direct-stop", "200").await?;
    reading(&cloud, &mut payloads).await?;
    payloads.send("direct-languages", "200").await?;
    for (case, field) in [
        ("direct-with-bad-field", "language"),
        ("direct-without-appointment", "appointmentId"),
        ("direct-without-user", "userId"),
        ("direct-unknown-action", "action"),
        ("direct-read-with-bad-view", "view"),
        ("direct-without-transcript", "transcriptId"),
    ] {
        let refused = payloads.send(case, "422 INVALID_FIELD").await?;
        assert_eq!(refused.text("field"), field, "{case}");
    }
    payloads.end(&ACTIONS);
    Ok(())
}

/// The transcript of the call is finished, with a text, and is read, searched and deleted.
async fn reading(cloud: &TestCloud, payloads: &mut Payloads<'_>) -> TestResult {
    payloads.send("read", "409 TRANSCRIPT_NOT_READY").await?;
    payloads.send("delete", "404 TRANSCRIPT_NOT_FOUND").await?;
    let finished = format!(
        "BEGIN; SET CONSTRAINTS ALL DEFERRED;
         UPDATE medzen.transcription_runs SET started_at = ended_at;
         ALTER TABLE medzen.transcription_runs DROP CONSTRAINT transcription_runs_transcript_id_fkey;
         UPDATE medzen.transcription_runs SET transcript_id = '{TRANSCRIPT}';
         UPDATE medzen.transcripts SET id = '{TRANSCRIPT}', finished_at = now(), outcome = 'ready', segment_count = 1, gaps = '[]',
           sha256 = repeat('0', 64);
         INSERT INTO medzen.transcript_segments (
           transcript_id, result_id, place, rank, source, start_ms, end_ms, user_id, role, content, body, language, confidence, spans,
           unfinished, revoked, search)
         SELECT '{TRANSCRIPT}', 'r-1', 0, '1', 'live', 1000, 3500, created_by, 'provider', false, 'Good morning --> <you>', 'en-US', 0.98,
           '[]', false, false, to_tsvector('english', 'Good morning --> <you>')
         FROM public.video_call_sessions;
         COMMIT; SELECT ''"
    );
    cloud.sql(&finished).await?;

    let read = payloads.send("read", "200").await?;
    assert_eq!(read.headers["content-type"], "application/json");
    let segments = &read.body["segments"];
    assert_eq!((&segments[0]["number"], &segments[0]["start"]), (&json!(1), &json!(1.0)));
    assert_eq!(segments[0]["text"], "Good morning --> <you>");
    let vtt = payloads.send("read-vtt", "200").await?;
    assert_eq!(vtt.headers["content-type"], "text/vtt; charset=utf-8");
    assert_eq!(vtt.headers["content-disposition"], "attachment; filename=\"consultation.vtt\"");
    assert_eq!(
        vtt.body,
        "WEBVTT\n\n00:00:01.000 --> 00:00:03.500\n<v provider>Good morning --&gt; &lt;you&gt;\n"
    );
    let srt = payloads.send("read-srt", "200").await?;
    assert_eq!(srt.headers["content-type"], "application/x-subrip; charset=utf-8");
    let text = payloads.send("read-text", "200").await?;
    assert_eq!(text.body, "[00:00:01.000] provider: Good morning --> <you>\n");
    payloads.send("read-pdf", "406 NOT_ACCEPTABLE").await?;
    payloads.send("read-redacted", "409 TRANSCRIPT_NOT_MARKED").await?;
    assert_eq!(payloads.send("direct-read", "200").await?.body, vtt.body);

    let found = payloads.send("search", "200").await?;
    let result = &found.body["results"][0];
    assert_eq!(result["snippet"], "<mark>Good</mark> <mark>morning</mark> --&gt; &lt;you&gt;", "{result}");
    assert_eq!((&result["segment"], &result["start"]), (&json!(1), &json!(1.0)));
    assert_eq!(found.body["nextCursor"], json!(null));
    assert_eq!(payloads.send("direct-search", "200").await?.body, found.body);
    let none = payloads.send("search-by-patient", "200").await?;
    assert_eq!(none.body["results"], json!([]), "the patient has no right to read");
    payloads.send("delete", "409 TRANSCRIPT_RETAINED").await?;
    payloads.send("direct-delete", "409 TRANSCRIPT_RETAINED").await?;

    for action in ["read", "delete"] {
        payloads.send(&format!("{action}-by-patient"), "403 TRANSCRIPT_RIGHT_MISSING").await?;
        payloads.send(&format!("{action}-by-stranger"), "403 NOT_A_MEMBER").await?;
    }
    for (case, field) in [
        ("read-with-bad-id", "appointmentId"),
        ("read-with-bad-session", "sessionId"),
        ("read-with-bad-view", "view"),
        ("delete-with-bad-id", "transcriptId"),
        ("search-with-bad-cursor", "cursor"),
        ("search-without-words", "query"),
    ] {
        let refused = payloads.send(case, "422 INVALID_FIELD").await?;
        assert_eq!(refused.text("field"), field, "{case}");
    }
    Ok(())
}
