//! Every payload in `events/attendee/`, in an order in which each is valid.

use local_testing::{Payloads, TestCloud, TestResult, redact};

const ACTIONS: [&str; 7] = ["join", "roster", "leave", "change", "remove", "consent", "quality"];

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut payloads = Payloads::new(&cloud, "attendee")?;

    payloads.send("join", "404 NO_ACTIVE_CALL").await?;
    payloads.send("roster", "404 NO_ACTIVE_CALL").await?;
    payloads.send("leave", "404 NO_ACTIVE_CALL").await?;

    // The call starts at the time that the payloads have.
    let mut start = Payloads::new(&cloud, "meeting-manager")?;
    let started = start.send("start", "201").await?;

    payloads.send("leave", "404 NOT_IN_CALL").await?;
    let joined = payloads.send("join", "200").await?;
    insta::assert_json_snapshot!("join", redact(&joined.body));
    let checked = payloads.send("join-checked", "200").await?;
    assert_eq!(checked.body, joined.body, "a rejoin gives the same place");
    let rejoined = payloads.send("join-by-provider", "200").await?;
    assert_eq!(rejoined.body, started.body, "the provider's place is that of the start");
    let roster = payloads.send("roster", "200").await?;
    insta::assert_json_snapshot!("roster", redact(&roster.body));
    let left = payloads.send("leave", "200").await?;
    insta::assert_json_snapshot!("leave", redact(&left.body));

    for case in ["join-by-stranger", "roster-by-stranger", "leave-by-stranger"] {
        payloads.send(case, "403 NOT_A_MEMBER").await?;
    }
    payloads.send("join-with-bad-id", "422 INVALID_FIELD").await?;
    let bad_field = payloads.send("join-with-bad-field", "422 INVALID_FIELD").await?;
    insta::assert_json_snapshot!("refusal", redact(&bad_field.body));

    decisions(&mut payloads).await?;

    payloads.send("direct-without-user", "422 INVALID_FIELD").await?;
    payloads.send("direct-unknown-action", "422 INVALID_FIELD").await?;
    payloads.send("direct-join", "200").await?;
    payloads.send("direct-roster", "200").await?;
    payloads.send("direct-consent", "200").await?;
    payloads.send("direct-quality", "202").await?;
    payloads.send("direct-change", "200").await?;
    payloads.send("direct-leave", "200").await?;
    payloads.send("direct-remove", "200").await?;

    payloads.send("consent-by-stranger", "403 NOT_A_MEMBER").await?;
    payloads.send("quality-by-stranger", "403 NOT_A_MEMBER").await?;
    payloads.send("remove-with-bad-id", "422 INVALID_FIELD").await?;
    payloads.send("remove-by-patient", "403 PROVIDER_ONLY").await?;
    let removed = payloads.send("remove", "200").await?;
    insta::assert_json_snapshot!("remove", redact(&removed.body));
    payloads.send("admit-removed", "409 ALREADY_REMOVED").await?;
    waiting(&mut payloads).await?;

    // An event of a meeting without a session, and a message that is not an event.
    payloads.send("chime-events", "0 failed").await?;
    payloads.send("chime-meeting-events", "0 failed").await?;
    payloads.send("chime-events-with-unreadable", "1 failed").await?;

    payloads.end(&ACTIONS);
    Ok(())
}

/// The provider's decisions about a patient in the call, and the patient's own.
async fn decisions(payloads: &mut Payloads<'_>) -> TestResult {
    payloads.send("join-again", "200").await?;
    let given = payloads.send("consent", "200").await?;
    insta::assert_json_snapshot!("consent", redact(&given.body));
    let revoked = payloads.send("consent-revoked", "200").await?;
    assert_eq!(revoked.body["consent"]["transcription"]["granted"], false);
    payloads.send("consent-with-bad-field", "422 INVALID_FIELD").await?;
    let quality = payloads.send("quality", "202").await?;
    insta::assert_json_snapshot!("quality", quality.body);
    let refused = payloads.send("quality-with-bad-field", "422 INVALID_FIELD").await?;
    assert_eq!(refused.text("field"), "samples[3].jitterMs");
    let muted = payloads.send("mute", "200").await?;
    insta::assert_json_snapshot!("mute", redact(&muted.body));
    payloads.send("change-by-patient", "403 PROVIDER_ONLY").await?;
    payloads.send("change-of-provider", "409 NOT_FOR_PROVIDER").await?;
    let refused = payloads.send("change-with-bad-field", "422 INVALID_FIELD").await?;
    assert_eq!(refused.text("field"), "capabilities.content");
    payloads.send("turn-away-too-late", "409 ALREADY_JOINED").await?;
    Ok(())
}

/// The same payloads with the waiting room on.
async fn waiting(decisions: &mut Payloads<'_>) -> TestResult {
    let cloud = TestCloud::with_parameters(&[("WaitingRoom", "on")]).await?;
    Payloads::new(&cloud, "meeting-manager")?.send("start", "201").await?;
    let mut payloads = Payloads::new(&cloud, "attendee")?;
    let waiting = payloads.send("join", "202").await?;
    insta::assert_json_snapshot!("waiting", redact(&waiting.body));
    insta::assert_json_snapshot!("waiting_headers", waiting.headers);
    let again = payloads.send("join-again", "202").await?;
    assert_eq!(again.body, waiting.body);
    let roster = payloads.send("roster", "200").await?;
    assert_eq!(roster.body["attendees"][1]["status"], "waiting", "{:?}", roster.body);
    let away = payloads.send("turn-away", "200").await?;
    assert_eq!(away.text("status"), "turned_away");
    payloads.send("join-again", "403 TURNED_AWAY").await?;
    let admitted = payloads.send("admit", "200").await?;
    insta::assert_json_snapshot!("admit", redact(&admitted.body));
    payloads.send("join-again", "200").await?;
    decisions.also(&payloads);
    Ok(())
}
