//! Every payload in `events/recording/`, in an order in which each is valid.

use local::chime::{EventDelivery, Options};
use local_testing::{Payloads, TestCloud, TestResult, redact};
use serde_json::{Value, json};

const ACTIONS: [&str; 9] =
    ["start", "withdraw", "stop", "pause", "resume", "list", "get", "playback", "delete"];

/// By default nobody may download or delete.
const ALL_RIGHTS: (&str, &str) = ("RecordingRights", "provider:control,list,play,download,delete");

/// The recording that the payloads name.
const RECORDING: &str = "00000000-0000-4000-8000-000000000091";

/// Runs of the schedule until a capture has ended and its file is verified.
const MAX_RUNS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> TestResult {
    let cloud = TestCloud::with_parameters(&[ALL_RIGHTS]).await?;
    let mut payloads = Payloads::new(&cloud, "recording")?;

    payloads.send("start", "404 NO_ACTIVE_CALL").await?;
    payloads.send("withdraw", "404 NO_ACTIVE_CALL").await?;
    let none = payloads.send("list", "200").await?;
    assert_eq!(none.body["recordings"], json!([]));
    for case in ["get", "stop", "pause", "resume", "playback", "delete"] {
        payloads.send(case, "404 RECORDING_NOT_FOUND").await?;
    }

    // The call starts at the time that the payloads have.
    let mut start = Payloads::new(&cloud, "meeting-manager")?;
    start.send("start", "201").await?;
    let mut patient = Payloads::new(&cloud, "attendee")?;
    patient.send("join", "200").await?;
    let refused = payloads.send("start", "409 CONSENT_REQUIRED").await?;
    insta::assert_json_snapshot!("consent_required", redact(&refused.body));
    // Else it would begin by itself when the last of them consents.
    let withdrawn = payloads.send("withdraw", "200").await?;
    assert_eq!(withdrawn.body["requested"], false);
    patient.send("consent", "200").await?;
    consent_of_provider(&cloud).await?;
    let started = payloads.send("start", "201").await?;
    insta::assert_json_snapshot!("start", redact(&started.body));
    let again = payloads.send("start", "200").await?;
    assert_eq!(again.body, started.body, "it was being recorded already");
    rename(&cloud).await?;

    denials(&mut payloads).await?;
    control(&mut payloads).await?;
    payloads.send("playback", "409 RECORDING_NOT_READY").await?;
    payloads.send("playback-download", "409 RECORDING_NOT_READY").await?;
    payloads.send("delete", "409 RECORDING_RETAINED").await?;
    messages(&mut payloads).await?;
    payloads.send("schedule", "200").await?;
    direct(&mut payloads).await?;

    payloads.end(&ACTIONS);
    Ok(())
}

async fn denials(payloads: &mut Payloads<'_>) -> TestResult {
    for action in ["start", "withdraw", "stop", "pause", "resume"] {
        payloads.send(&format!("{action}-by-patient"), "403 PROVIDER_ONLY").await?;
        payloads.send(&format!("{action}-by-stranger"), "403 NOT_A_MEMBER").await?;
    }
    for action in ["list", "get", "playback", "delete"] {
        payloads.send(&format!("{action}-by-patient"), "403 RECORDING_RIGHT_MISSING").await?;
        payloads.send(&format!("{action}-by-stranger"), "403 NOT_A_MEMBER").await?;
    }
    for action in ["start", "withdraw"] {
        let refused = payloads.send(&format!("{action}-with-bad-id"), "422 INVALID_FIELD").await?;
        assert_eq!(refused.text("field"), "appointmentId");
    }
    for action in ["get", "stop", "playback", "delete"] {
        let refused = payloads.send(&format!("{action}-with-bad-id"), "422 INVALID_FIELD").await?;
        assert_eq!(refused.text("field"), "recordingId");
    }
    Ok(())
}

/// The provider pauses, resumes and stops.
async fn control(payloads: &mut Payloads<'_>) -> TestResult {
    let paused = payloads.send("pause", "200").await?;
    insta::assert_json_snapshot!("pause", redact(&paused.body));
    let again = payloads.send("pause", "200").await?;
    assert_eq!(again.body, paused.body);
    payloads.send("start", "409 RECORDING_PAUSED").await?;
    let resumed = payloads.send("resume", "200").await?;
    assert_eq!(resumed.text("state"), "recording", "{:?}", resumed.body);
    let stopped = payloads.send("stop", "200").await?;
    insta::assert_json_snapshot!("stop", redact(&stopped.body));
    let again = payloads.send("stop", "200").await?;
    assert_eq!(again.body, stopped.body);
    payloads.send("pause", "409 RECORDING_ENDED").await?;
    payloads.send("resume", "409 RECORDING_ENDED").await?;
    let got = payloads.send("get", "200").await?;
    assert_eq!(got.body, stopped.body);
    let listed = payloads.send("list", "200").await?;
    assert_eq!(listed.body["recordings"], json!([got.body]));
    Ok(())
}

/// Events of a pipeline and of a session that there are not, and messages that are no events.
async fn messages(payloads: &mut Payloads<'_>) -> TestResult {
    payloads.send("pipeline-events", "0 failed").await?;
    payloads.send("pipeline-events-with-unreadable", "2 failed").await?;
    payloads.send("operation-pending", "0 failed").await?;
    payloads.send("operation-pending-with-unreadable", "1 failed").await?;
    Ok(())
}

/// The direct actions, at the cloud's time, up to the playback of a verified file.
async fn direct(payloads: &mut Payloads<'_>) -> TestResult {
    let chime = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    let cloud = TestCloud::deployed(chime, &[ALL_RIGHTS]).await?;
    let scenario = cloud.first_scenario()?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    let consent = "/appointments/{a}/call/consent";
    assert_eq!(scenario.patient.ask("PUT", consent, &json!({ "recording": true })).await?.brief(), "200");
    consent_of_provider(&cloud).await?;
    let mut direct = Payloads::new(&cloud, "recording")?;
    assert_eq!(direct.send("direct-withdraw", "200").await?.body["requested"], false);
    direct.send("direct-start", "201").await?;
    rename(&cloud).await?;
    // Chime captures 5 s after 2 s of preparation, and the event says so.
    cloud.parts().clock.advance(30);
    assert_eq!(cloud.drain_queues().await?, 0);
    let captured = direct.send("direct-get", "200").await?;
    assert_eq!(captured.body["capturing"], true, "{:?}", captured.body);
    assert_eq!(direct.send("direct-pause", "200").await?.text("state"), "paused");
    assert_eq!(direct.send("direct-resume", "200").await?.text("state"), "recording");
    assert_eq!(direct.send("direct-stop", "200").await?.text("endReason"), "requested");
    for _ in 0..MAX_RUNS {
        if direct.send("direct-get", "200").await?.text("state") != "processing" {
            break;
        }
        cloud.parts().clock.advance(60);
        assert_eq!(cloud.drain_queues().await?, 0);
        cloud.run_schedule("recording").await?;
    }
    let listed = direct.send("direct-list", "200").await?;
    insta::assert_json_snapshot!("list", without_times(&listed.body));
    let played = direct.send("direct-playback", "200").await?;
    insta::assert_json_snapshot!("playback", without_times(&played.body));
    let saved = direct.send("direct-playback-download", "200").await?;
    let url = saved.body["segments"][0]["url"].as_str().unwrap_or_default();
    assert!(url.contains("response-content-disposition=attachment"), "{url}");
    direct.send("direct-delete", "409 RECORDING_RETAINED").await?;
    // The parameter `RecordingRetentionDays` is seven years.
    cloud.sql("UPDATE medzen.recordings SET ended_at = ended_at - interval '8 years' RETURNING ''").await?;
    let deleting = direct.send("direct-delete", "202").await?;
    assert_eq!(deleting.text("state"), "deleting");
    direct.send("direct-playback", "409 RECORDING_NOT_READY").await?;
    direct.send("direct-playback-by-patient", "403 RECORDING_RIGHT_MISSING").await?;
    for (case, field) in [
        ("direct-with-bad-field", "recordingId"),
        ("direct-without-recording", "recordingId"),
        ("direct-without-user", "userId"),
        ("direct-unknown-action", "action"),
    ] {
        assert_eq!(direct.send(case, "422 INVALID_FIELD").await?.text("field"), field, "{case}");
    }
    payloads.also(&direct);
    Ok(())
}

async fn consent_of_provider(cloud: &TestCloud) -> TestResult {
    let provider = cloud.first_scenario()?.provider;
    let consent =
        provider.ask("PUT", "/appointments/{a}/call/consent", &json!({ "recording": true })).await?;
    assert_eq!(consent.brief(), "200", "{:?}", consent.body);
    Ok(())
}

/// Gives the only recording the id that the payloads name.
async fn rename(cloud: &TestCloud) -> TestResult {
    // Without triggers, among which are the checks of foreign keys.
    let rename = format!(
        "BEGIN; SET LOCAL session_replication_role = replica;
         UPDATE medzen.media_captures SET recording_id = '{RECORDING}' WHERE recording_id IS NOT NULL;
         UPDATE medzen.recording_segments SET recording_id = '{RECORDING}';
         UPDATE medzen.recordings SET id = '{RECORDING}'; COMMIT; SELECT ''"
    );
    cloud.sql(&rename).await.map(drop)
}

/// The answer without what depends on the time, the links' signatures among it.
fn without_times(body: &Value) -> Value {
    let masked = |name: &str, field: &Value| match name {
        "startedAt" | "endedAt" | "expiresAt" if field.is_string() => json!("[time]"),
        "durationSeconds" if field.is_number() => json!("[seconds]"),
        "url" => json!(
            field
                .as_str()
                .and_then(|url| url.split('?').next()?.split_once("/recordings/"))
                .map(|(_, key)| format!("[bucket]/recordings/{key}?[signature]"))
        ),
        _ => without_times(field),
    };
    match redact(body) {
        Value::Object(fields) => {
            fields.into_iter().map(|(name, field)| (name.clone(), masked(&name, &field))).collect()
        }
        Value::Array(items) => items.iter().map(without_times).collect(),
        other => other,
    }
}
