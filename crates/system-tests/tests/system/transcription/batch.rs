//! Text that a job makes of a call's sound: of languages that are not transcribed live, and of the gaps of the live text.

use local::chime::{EventDelivery, Options};
use local::faults::FaultKind;
use local::tokens::Key;
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use super::Transcribed;
use crate::requests::consent;

/// A language of jobs alone.
const HAUSA: &str = "ha-NG";

fn text_only() -> Value {
    json!({ "transcription": true })
}

async fn deployed(parameters: &[(&str, &str)]) -> TestResult<TestCloud> {
    let chime = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    TestCloud::deployed(chime, parameters).await
}

/// A call in which both say something in a language of jobs alone.
async fn spoken(purposes: Value) -> TestResult<Transcribed> {
    spoken_in(Transcribed::with_consent(purposes).await?).await
}

/// The same in a deployment with these parameters.
async fn spoken_with(parameters: &[(&str, &str)]) -> TestResult<Transcribed> {
    spoken_in(Transcribed::with_consent_on(deployed(parameters).await?, text_only()).await?).await
}

async fn spoken_in(call: Transcribed) -> TestResult<Transcribed> {
    let started = call.start(json!({ "language": HAUSA })).await?;
    assert_eq!((started.brief().as_str(), started.text("mode").as_str()), ("201", "batch"));
    for _ in 0..2 {
        call.pass(3).await?;
    }
    assert_eq!(call.feature().await?["state"], "active");
    both_speak(&call).await?;
    Ok(call)
}

async fn both_speak(call: &Transcribed) -> TestResult {
    call.say(&call.scenario.provider, "r-1", "Ina kwana").await?;
    call.say(&call.scenario.patient, "r-2", "Lafiya lau").await?;
    call.pass(5).await
}

const BOTH: &str = "provider: Ina kwana\npatient: Lafiya lau";

async fn after_the_call(call: &Transcribed, minutes: u32) -> TestResult {
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..minutes {
        call.minute().await?;
    }
    Ok(())
}

async fn job_fault(call: &Transcribed, kind: &str, times: u32) -> TestResult {
    let fault = json!({ "kind": kind, "times": times });
    assert!(call.cloud.control_api("POST", "transcribe/faults", &fault).await?.status < 300);
    Ok(())
}

impl Transcribed {
    /// `1 completed`, by attempt: the jobs with the reasons of their failures.
    async fn jobs(&self) -> TestResult<String> {
        self.cloud
            .sql(
                "SELECT coalesce(string_agg(concat_ws(' ', attempt, status, reason), ', ' ORDER BY requested_at, attempt), '')
                 FROM medzen.transcription_jobs",
            )
            .await
    }

    async fn gaps(&self) -> TestResult<String> {
        self.cloud
            .sql(
                "SELECT coalesce(string_agg(gap ->> 'reason', ',' ORDER BY (gap ->> 'start')::float8), '')
                 FROM medzen.transcripts, jsonb_array_elements(gaps) AS gap WHERE gap ->> 'reason' <> 'not_transcribed'",
            )
            .await
    }

    fn keys(&self) -> Vec<String> {
        let parts = self.cloud.parts();
        parts.s3.keys(&parts.plan.outputs["RecordingsBucketName"])
    }

    async fn jobs_at_transcribe(&self) -> TestResult<usize> {
        let listed = self.cloud.control_api("GET", "transcribe/jobs", &Value::Null).await?;
        Ok(listed.body["jobs"].as_array().ok_or("no list")?.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_of_jobs_alone_has_a_transcript_with_both_speakers_after_the_call() -> TestResult {
    let call = spoken(text_only()).await?;
    let watch = call.cloud.watch();
    assert_eq!(watch.count("StartMeetingTranscription"), 0);
    after_the_call(&call, 6).await?;
    assert_eq!(call.text().await?, BOTH);
    assert_eq!(
        call.cloud
            .sql("SELECT string_agg(DISTINCT source || ' ' || language, ',') FROM medzen.transcript_segments")
            .await?,
        format!("batch {HAUSA}")
    );
    assert_eq!((call.jobs().await?.as_str(), call.outcome().await?.as_str()), ("1 completed", "ready"));
    assert_eq!((watch.count("StartTranscriptionJob"), call.jobs_at_transcribe().await?), (1, 0));
    let used = "SELECT (quantity > 0)::text FROM medzen.usage_ledger WHERE kind = 'batch_seconds'";
    assert_eq!(call.cloud.sql(used).await?, "true");
    let left = call.keys();
    assert!(left.len() == 1 && left[0].starts_with("transcripts/"), "the sound is deleted: {left:?}");

    call.cloud
        .sql("UPDATE medzen.transcripts SET finished_at = finished_at - interval '8 years' RETURNING ''")
        .await?;
    for _ in 0..2 {
        call.minute().await?;
    }
    assert_eq!((call.text().await?.as_str(), call.keys()), ("", Vec::new()), "the output too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sound_of_a_recorded_call_is_the_file_of_its_recording() -> TestResult {
    let call = Transcribed::with_consent(json!({ "transcription": true, "recording": true })).await?;
    let watch = call.cloud.watch();
    let recordings = "/appointments/{a}/call/recordings";
    assert_eq!(call.scenario.provider.ask("POST", recordings, &json!({})).await?.brief(), "201");
    assert_eq!(call.start(json!({ "language": HAUSA })).await?.brief(), "201");
    for _ in 0..4 {
        call.pass(3).await?;
    }
    both_speak(&call).await?;
    after_the_call(&call, 8).await?;
    assert_eq!(call.text().await?, BOTH);
    assert_eq!((call.jobs().await?.as_str(), call.outcome().await?.as_str()), ("1 completed", "ready"));
    let recorded = call.cloud.sql("SELECT count(*) FROM medzen.recording_segments").await?;
    assert_eq!(
        watch.count("CreateMediaConcatenationPipeline").to_string(),
        recorded,
        "those of the recording alone"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_repeated_once_and_leaves_a_gap_with_its_reason() -> TestResult {
    let call = spoken(text_only()).await?;
    job_fault(&call, "fails", 2).await?;
    after_the_call(&call, 10).await?;
    assert_eq!(call.jobs().await?, "1 failed transcribe_failed, 2 failed transcribe_failed");
    assert_eq!((call.gaps().await?.as_str(), call.outcome().await?.as_str()), ("failed", "failed"));
    let message = "SELECT count(*) FROM medzen.transcription_jobs WHERE message <> ''";
    assert_eq!(call.cloud.sql(message).await?, "2", "what Transcribe said is kept");
    assert_eq!(call.keys(), Vec::<String>::new(), "the sound is deleted all the same");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_malformed_or_missing_is_asked_for_once_more() -> TestResult {
    for fault in ["outputMalformed", "outputMissing"] {
        let call = spoken(text_only()).await?;
        job_fault(&call, fault, 1).await?;
        after_the_call(&call, 10).await?;
        assert_eq!(call.jobs().await?, "1 failed unreadable, 2 completed", "{fault}");
        assert_eq!((call.text().await?.as_str(), call.outcome().await?.as_str()), (BOTH, "ready"), "{fault}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_of_a_job_is_replaced_by_a_question() -> TestResult {
    let call = spoken(text_only()).await?;
    let lost = json!({ "service": "events", "operation": "Transcribe Job State Change", "kind": "lose" });
    assert!(call.cloud.control_api("POST", "faults", &lost).await?.status < 300);
    after_the_call(&call, 8).await?;
    assert_eq!((call.text().await?.as_str(), call.jobs().await?.as_str()), (BOTH, "1 completed"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_ends_is_given_up_and_so_is_the_second_one() -> TestResult {
    let call = spoken(text_only()).await?;
    job_fault(&call, "neverEnds", 2).await?;
    after_the_call(&call, 6).await?;
    assert_eq!((call.jobs().await?.as_str(), call.outcome().await?.as_str()), ("1 running", ""));
    for _ in 0..2 {
        call.pass(48 * 3_600).await?;
        for _ in 0..6 {
            call.minute().await?;
        }
    }
    assert_eq!(call.jobs().await?, "1 failed overdue, 2 failed overdue");
    assert_eq!((call.gaps().await?.as_str(), call.outcome().await?.as_str()), ("failed", "failed"));
    assert_eq!(call.keys(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_goes_after_its_retention_with_text_or_without() -> TestResult {
    let call = spoken_with(&[("SpeechRetentionDays", "1")]).await?;
    job_fault(&call, "neverEnds", 2).await?;
    after_the_call(&call, 6).await?;
    assert!(call.keys().iter().any(|key| key.starts_with("speech/")), "kept for the job: {:?}", call.keys());
    call.pass(24 * 3_600).await?;
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!((call.jobs().await?.as_str(), call.outcome().await?.as_str()), ("1 failed overdue", "failed"));
    assert_eq!(call.keys(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_answer_is_lost_or_whose_function_dies_is_one_job() -> TestResult {
    for kind in [FaultKind::Drop, FaultKind::KillBefore, FaultKind::KillAfter] {
        let call = spoken(text_only()).await?;
        call.cloud.fault("transcribe", Some("StartTranscriptionJob"), kind, Some(1));
        assert_eq!(call.scenario.provider.end().await?.brief(), "200");
        for _ in 0..10 {
            call.cloud.parts().clock.advance(60);
            for function in ["recording", "transcript"] {
                // An invocation dies, and its message comes again.
                let _failed = call.cloud.drain_queues().await?;
                let _died = call.cloud.run_schedule(function).await;
            }
        }
        assert_eq!(call.text().await?, BOTH, "{kind:?}");
        assert_eq!(call.jobs().await?, "1 completed", "{kind:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_take_the_text_once() -> TestResult {
    let call = spoken(text_only()).await?;
    let lost = json!({ "service": "events", "operation": "Transcribe Job State Change", "kind": "lose" });
    assert!(call.cloud.control_api("POST", "faults", &lost).await?.status < 300);
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..8 {
        call.pass(60).await?;
        call.cloud.run_schedule("recording").await?;
        let (one, two) =
            tokio::join!(call.cloud.run_schedule("transcript"), call.cloud.run_schedule("transcript"));
        one.and(two)?;
    }
    assert_eq!((call.text().await?.as_str(), call.jobs().await?.as_str()), (BOTH, "1 completed"));
    let entries =
        "SELECT count(*) FROM medzen.audit_outbox WHERE payload::jsonb ->> 'event' = 'transcript.finished'";
    assert_eq!(call.cloud.sql(entries).await?, "1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sound_from_before_a_revocation_goes_to_no_job() -> TestResult {
    let call = spoken(text_only()).await?;
    let watch = call.cloud.watch();
    assert_eq!(consent(&call.scenario.patient, json!({ "transcription": false })).await?.brief(), "200");
    after_the_call(&call, 6).await?;
    assert_eq!(watch.count("StartTranscriptionJob"), 0);
    assert_eq!(
        (call.text().await?.as_str(), call.gaps().await?.as_str(), call.outcome().await?.as_str()),
        ("", "consent_revoked", "ready")
    );
    assert_eq!(call.keys(), Vec::<String>::new());
    Ok(())
}

/// Live text with an interruption of 60 s, in which the patient speaks.
async fn interrupted(parameters: &[(&str, &str)]) -> TestResult<Transcribed> {
    let call = Transcribed::with_consent_on(deployed(parameters).await?, text_only()).await?;
    let fault = json!({ "kind": "interrupts", "afterSeconds": 12, "forSeconds": 60 });
    assert!(call.cloud.control_api("POST", "chime/transcriptions/faults", &fault).await?.status < 300);
    call.transcribing().await?;
    call.say(&call.scenario.provider, "r-1", "Where does it hurt").await?;
    call.pass(20).await?;
    call.say(&call.scenario.patient, "r-2", "In my knee").await?;
    call.pass(60).await?;
    call.say(&call.scenario.provider, "r-3", "Since when").await?;
    after_the_call(&call, 8).await?;
    Ok(call)
}

const SOURCES: &str = "SELECT string_agg(source || ' ' || role || ': ' || body, E'\\n' ORDER BY start_ms) FROM medzen.transcript_segments";

#[tokio::test(flavor = "multi_thread")]
async fn the_gaps_of_the_live_text_are_filled_where_the_operator_wants_it() -> TestResult {
    let call = interrupted(&[("TranscriptionFillGaps", "on")]).await?;
    assert_eq!(
        call.cloud.sql(SOURCES).await?,
        "live provider: Where does it hurt\nbatch patient: In my knee\nlive provider: Since when"
    );
    assert_eq!(call.jobs().await?, "1 completed");

    let call = interrupted(&[]).await?;
    assert_eq!(
        call.cloud.sql(SOURCES).await?,
        "live provider: Where does it hurt\nlive provider: Since when"
    );
    assert_eq!(
        (call.jobs().await?.as_str(), call.gaps().await?.as_str(), call.outcome().await?.as_str()),
        ("", "interrupted", "incomplete")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_a_job_is_under_a_hold_that_was_placed_before_it() -> TestResult {
    let call = spoken(text_only()).await?;
    let claims = json!({ "sub": "an-auditor", "medzen_role": "auditor" });
    let token = call.cloud.parts().token(&claims, 60, Key::Good)?;
    let path = format!("/appointments/{}/hold", call.scenario.appointment);
    let placed =
        call.cloud.request("PUT", &path, Some(&token), json!({ "reason": "AZ-7" }).to_string()).await?;
    assert_eq!(placed.brief(), "201", "{:?}", placed.body);
    after_the_call(&call, 8).await?;
    assert_eq!((call.text().await?.as_str(), call.jobs().await?.as_str()), (BOTH, "1 completed"));
    let parts = call.cloud.parts();
    let versions = parts.s3.holds(&parts.plan.outputs["RecordingsBucketName"]);
    assert!(versions.iter().any(|(key, _)| key.starts_with("transcripts/")), "{versions:?}");
    assert!(versions.iter().all(|(_, held)| *held), "{versions:?}");
    Ok(())
}

/// Nothing is open any more when the consent is withdrawn, so nothing is stopped for it.
#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_to_no_job_after_a_revocation_that_stopped_nothing() -> TestResult {
    let call = spoken(text_only()).await?;
    let watch = call.cloud.watch();
    assert_eq!(call.stop().await?.brief(), "200");
    for _ in 0..2 {
        call.pass(3).await?;
    }
    assert_eq!(consent(&call.scenario.patient, json!({ "transcription": false })).await?.brief(), "200");
    after_the_call(&call, 6).await?;
    assert_eq!(watch.count("StartTranscriptionJob"), 0);
    assert_eq!(
        (call.text().await?.as_str(), call.gaps().await?.as_str(), call.outcome().await?.as_str()),
        ("", "consent_revoked", "ready")
    );
    assert_eq!(call.keys(), Vec::<String>::new(), "the speech is deleted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_goes_after_its_retention_where_its_transcript_is_never_finished() -> TestResult {
    let cloud = deployed(&[("SpeechRetentionDays", "1")]).await?;
    let call = Transcribed::with_consent_on(cloud, text_only()).await?;
    call.transcribing().await?;
    call.say(&call.scenario.patient, "r-1", "My knee hurts").await?;
    // No text is taken, so nothing finishes the transcript.
    call.cloud.fault("postgres", Some("store_segments"), FaultKind::Error, None);
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    for _ in 0..3 {
        call.cloud.parts().clock.advance(60);
        let _failed = call.cloud.drain_queues().await?;
        call.cloud.run_schedule("recording").await?;
        let _failed = call.cloud.run_schedule("transcript").await;
    }
    assert!(call.keys().iter().any(|key| key.starts_with("speech/")), "{:?}", call.keys());
    call.cloud.parts().clock.advance(24 * 3_600);
    for _ in 0..2 {
        let _failed = call.cloud.run_schedule("transcript").await;
        call.cloud.run_schedule("recording").await?;
    }
    assert_eq!(call.outcome().await?, "");
    assert_eq!(call.keys(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_transcribe_does_not_answer_for_is_given_up_an_hour_after_its_deadline() -> TestResult {
    let call = spoken(text_only()).await?;
    job_fault(&call, "neverEnds", 2).await?;
    after_the_call(&call, 6).await?;
    assert_eq!(call.jobs().await?, "1 running");
    call.cloud.fault("transcribe", Some("GetTranscriptionJob"), FaultKind::Error, None);
    call.pass(49 * 3_600).await?;
    for _ in 0..2 {
        call.cloud.parts().clock.advance(60);
        let _failed = call.cloud.run_schedule("transcript").await;
    }
    assert!(call.jobs().await?.starts_with("1 failed overdue"), "{}", call.jobs().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_of_jobs_alone_is_offered_and_its_run_ends_at_the_limit_of_its_call() -> TestResult {
    let cloud = deployed(&[("TranscriptionMinutesPerCall", "3")]).await?;
    let call = Transcribed::with_consent_on(cloud, text_only()).await?;
    let listed = call.scenario.provider.ask("GET", "/transcription/languages", &Value::Null).await?;
    let languages = listed.body["languages"].as_array().ok_or("no languages")?;
    let hausa = languages.iter().find(|one| one["code"] == HAUSA).ok_or("not listed")?;
    assert_eq!((&hausa["live"], &hausa["batch"]), (&Value::Null, &json!(true)), "{hausa}");
    assert_eq!(call.start(json!({ "language": HAUSA })).await?.brief(), "201");
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!(call.runs().await?, "stopped limit_reached");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_language_waits_until_the_capture_of_the_first_has_ended() -> TestResult {
    let call = spoken(text_only()).await?;
    assert_eq!(call.stop().await?.brief(), "200");
    let early = call.start(json!({ "language": "sw-KE" })).await?;
    assert_eq!(early.brief(), "409 CALL_NOT_READY");
    assert!(early.headers.contains_key("retry-after"));
    for _ in 0..2 {
        call.pass(3).await?;
    }
    assert_eq!(call.start(json!({ "language": "sw-KE" })).await?.brief(), "201");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_a_job_is_hidden_whole_where_personal_data_is() -> TestResult {
    let call = spoken_with(&[("TranscriptionMarkContent", "on")]).await?;
    after_the_call(&call, 6).await?;
    assert_eq!(call.text().await?, BOTH);
    let path = "/appointments/{a}/transcript?view=redacted";
    let read = call.scenario.provider.ask("GET", path, &Value::Null).await?;
    assert_eq!(read.brief(), "200", "{:?}", read.body);
    assert!(!read.body.to_string().contains("kwana"), "{:?}", read.body);
    Ok(())
}
