//! Every payload in `events/attendee/`, in an order in which they make sense.

use local::testing::{Outcome, Stage, Story, masked};

const ACTIONS: [&str; 3] = ["join", "roster", "leave"];

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

    story.tell("direct-without-user", "422 INVALID_FIELD").await?;
    story.tell("direct-unknown-action", "422 INVALID_FIELD").await?;
    story.tell("direct-join", "200").await?;
    story.tell("direct-roster", "200").await?;
    story.tell("direct-leave", "200").await?;

    // Of a meeting that nobody here knows, and one message that is no event.
    story.tell("chime-events", "0 failed").await?;
    story.tell("chime-events-with-unreadable", "1 failed").await?;

    story.end(&ACTIONS);
    Ok(())
}
