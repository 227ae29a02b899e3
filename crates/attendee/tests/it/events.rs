//! Every payload in `events/attendee/`, in an order in which they make sense.

use local_testing::{Outcome, Stage, Story, masked};

const ACTIONS: [&str; 7] = ["join", "roster", "leave", "change", "remove", "consent", "quality"];

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> Outcome {
    let stage = Stage::new().await?;
    let mut story = Story::new(&stage, "attendee")?;

    story.tell("join", "404 NO_ACTIVE_CALL").await?;
    story.tell("roster", "404 NO_ACTIVE_CALL").await?;
    story.tell("leave", "404 NO_ACTIVE_CALL").await?;

    // The call starts at the time that the payloads have.
    let mut start = Story::new(&stage, "meeting-manager")?;
    let started = start.tell("start", "201").await?;

    story.tell("leave", "404 NOT_IN_CALL").await?;
    let joined = story.tell("join", "200").await?;
    insta::assert_json_snapshot!("join", masked(&joined.body));
    let checked = story.tell("join-checked", "200").await?;
    assert_eq!(checked.body, joined.body, "a rejoin gives the same place");
    let rejoined = story.tell("join-by-provider", "200").await?;
    assert_eq!(rejoined.body, started.body, "the provider's place is that of the start");
    let roster = story.tell("roster", "200").await?;
    insta::assert_json_snapshot!("roster", masked(&roster.body));
    let left = story.tell("leave", "200").await?;
    insta::assert_json_snapshot!("leave", masked(&left.body));

    for case in ["join-by-stranger", "roster-by-stranger", "leave-by-stranger"] {
        story.tell(case, "403 NOT_A_MEMBER").await?;
    }
    story.tell("join-with-bad-id", "422 INVALID_FIELD").await?;
    let bad_field = story.tell("join-with-bad-field", "422 INVALID_FIELD").await?;
    insta::assert_json_snapshot!("refusal", masked(&bad_field.body));

    decisions(&mut story).await?;

    story.tell("direct-without-user", "422 INVALID_FIELD").await?;
    story.tell("direct-unknown-action", "422 INVALID_FIELD").await?;
    story.tell("direct-join", "200").await?;
    story.tell("direct-roster", "200").await?;
    story.tell("direct-consent", "200").await?;
    story.tell("direct-quality", "202").await?;
    story.tell("direct-change", "200").await?;
    story.tell("direct-leave", "200").await?;
    story.tell("direct-remove", "200").await?;

    story.tell("consent-by-stranger", "403 NOT_A_MEMBER").await?;
    story.tell("quality-by-stranger", "403 NOT_A_MEMBER").await?;
    story.tell("remove-with-bad-id", "422 INVALID_FIELD").await?;
    story.tell("remove-by-patient", "403 PROVIDER_ONLY").await?;
    let removed = story.tell("remove", "200").await?;
    insta::assert_json_snapshot!("remove", masked(&removed.body));
    story.tell("admit-removed", "409 ALREADY_REMOVED").await?;
    waiting(&mut story).await?;

    // Of a meeting that no session has, and one message that is not an event.
    story.tell("chime-events", "0 failed").await?;
    story.tell("chime-meeting-events", "0 failed").await?;
    story.tell("chime-events-with-unreadable", "1 failed").await?;

    story.end(&ACTIONS);
    Ok(())
}

/// What is decided about a patient who is in the call, and what they say themselves.
async fn decisions(story: &mut Story<'_>) -> Outcome {
    story.tell("join-again", "200").await?;
    let given = story.tell("consent", "200").await?;
    insta::assert_json_snapshot!("consent", masked(&given.body));
    let revoked = story.tell("consent-revoked", "200").await?;
    assert_eq!(revoked.body["consent"]["transcription"]["granted"], false);
    story.tell("consent-with-bad-field", "422 INVALID_FIELD").await?;
    let told = story.tell("quality", "202").await?;
    insta::assert_json_snapshot!("quality", told.body);
    let refused = story.tell("quality-with-bad-field", "422 INVALID_FIELD").await?;
    assert_eq!(refused.text("field"), "samples[3].jitterMs");
    let muted = story.tell("mute", "200").await?;
    insta::assert_json_snapshot!("mute", masked(&muted.body));
    story.tell("change-by-patient", "403 PROVIDER_ONLY").await?;
    story.tell("change-of-provider", "409 NOT_FOR_PROVIDER").await?;
    let refused = story.tell("change-with-bad-field", "422 INVALID_FIELD").await?;
    assert_eq!(refused.text("field"), "capabilities.content");
    story.tell("turn-away-too-late", "409 ALREADY_JOINED").await?;
    Ok(())
}

/// The same payloads where those who come wait.
async fn waiting(told: &mut Story<'_>) -> Outcome {
    let stage = Stage::with_parameters(&[("WaitingRoom", "on")]).await?;
    Story::new(&stage, "meeting-manager")?.tell("start", "201").await?;
    let mut story = Story::new(&stage, "attendee")?;
    let waiting = story.tell("join", "202").await?;
    insta::assert_json_snapshot!("waiting", masked(&waiting.body));
    insta::assert_json_snapshot!("waiting_headers", waiting.headers);
    let again = story.tell("join-again", "202").await?;
    assert_eq!(again.body, waiting.body);
    let roster = story.tell("roster", "200").await?;
    assert_eq!(roster.body["attendees"][1]["status"], "waiting", "{:?}", roster.body);
    let away = story.tell("turn-away", "200").await?;
    assert_eq!(away.text("status"), "turned_away");
    story.tell("join-again", "403 TURNED_AWAY").await?;
    let admitted = story.tell("admit", "200").await?;
    insta::assert_json_snapshot!("admit", masked(&admitted.body));
    story.tell("join-again", "200").await?;
    told.also(&story);
    Ok(())
}
