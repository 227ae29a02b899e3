//! Every payload in `events/transcript/`, in an order in which each is valid.

use local_testing::{Payloads, TestCloud, TestResult};
use serde_json::json;

const ACTIONS: [&str; 3] = ["start", "stop", "languages"];

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
    assert_eq!((&of("sw-KE")["live"], &of("sw-KE")["batch"]), (&json!(null), &json!(false)), "not attempted");

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
    payloads.send("direct-languages", "200").await?;
    for (case, field) in [
        ("direct-with-bad-field", "language"),
        ("direct-without-appointment", "appointmentId"),
        ("direct-without-user", "userId"),
        ("direct-unknown-action", "action"),
    ] {
        let refused = payloads.send(case, "422 INVALID_FIELD").await?;
        assert_eq!(refused.text("field"), field, "{case}");
    }
    payloads.end(&ACTIONS);
    Ok(())
}
