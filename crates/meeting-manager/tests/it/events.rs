//! Every payload in `events/meeting-manager/`, in an order in which they make sense.

use local_testing::{Outcome, Stage, Story, masked};

const ACTIONS: [&str; 7] = ["create", "join", "leave", "end", "get-status", "get-link", "batch-join"];

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> Outcome {
    let stage = Stage::new().await?;
    let mut story = Story::new(&stage, "meeting-manager")?;

    story.tell("health", "200").await?;
    let before = story.tell("status", "200").await?;
    insta::assert_json_snapshot!("status_before", masked(&before.body));
    story.tell("status-by-stranger", "403 NOT_A_MEMBER").await?;
    story.tell("end", "404 NO_ACTIVE_CALL").await?;
    let bad_id = story.tell("start-with-bad-id", "422 INVALID_FIELD").await?;
    insta::assert_json_snapshot!("refusal", masked(&bad_id.body));
    story.tell("start-with-bad-field", "422 INVALID_FIELD").await?;
    story.tell("start-with-broken-json", "400 MALFORMED_REQUEST").await?;
    story.tell("start-without-claims", "401 NO_IDENTITY").await?;
    story.tell("start-of-no-appointment", "404 APPOINTMENT_NOT_FOUND").await?;
    story.tell("start-by-patient", "403 PATIENT_CANNOT_CREATE").await?;
    assert!(stage.meetings().is_empty(), "a refused start makes no meeting");
    let link = story.tell("link", "200").await?;
    let mut told = masked(&link.body);
    told["scheduledStart"] = "[when it was seeded]".into();
    insta::assert_json_snapshot!("link", told);
    story.tell("link-by-patient", "403 PROVIDER_ONLY").await?;

    let started = story.tell("start", "201").await?;
    insta::assert_json_snapshot!("start", masked(&started.body));
    let again = story.tell("start-again", "200").await?;
    assert_eq!(again.body, started.body, "a start of a call that is on answers the stored one");
    let watch = stage.watch();
    let checked = story.tell("start-checked", "200").await?;
    assert_eq!(checked.body, started.body, "the call lives");
    assert_eq!(watch.count("GetMeeting"), 1, "by Chime's own word");
    let during = story.tell("status", "200").await?;
    insta::assert_json_snapshot!("status_during", masked(&during.body));
    story.tell("end-by-patient", "403 PATIENT_CANNOT_END").await?;
    assert_eq!(stage.live_meetings().len(), 1, "a refused end ends nothing");
    let watch = stage.watch();
    let ran = story.tell("schedule", "200").await?;
    assert_eq!(ran.body, serde_json::Value::Null, "nobody reads what a schedule is answered");
    assert_eq!(watch.count("GetMeeting"), 1, "a call that nobody asked after for so long is asked for");
    assert_eq!(stage.live_meetings().len(), 1, "and one that lives goes on");
    let ended = story.tell("end", "200").await?;
    insta::assert_json_snapshot!("end", masked(&ended.body));
    assert!(stage.live_meetings().is_empty());

    story.tell("action-unknown", "422 INVALID_FIELD").await?;
    story.tell("action-without-call", "422 INVALID_FIELD").await?;
    story.tell("action-create", "201").await?;
    story.tell("action-create-in-base64", "200").await?;
    let same = story.tell("action-get-link", "200").await?;
    assert_eq!(same.body, link.body, "the link of an appointment is always the same");
    story.tell("action-batch-join-with-bad-terms", "422 INVALID_FIELD").await?;
    let student = story.tell("action-batch-join-of-student", "200").await?;
    assert_eq!(student.body["attendees"][0]["role"], "observer", "{:?}", student.body);
    let invited = story.tell("action-batch-join", "200").await?;
    insta::assert_json_snapshot!("invited", masked(&invited.body));
    story.tell("action-batch-join-by-patient", "403 PROVIDER_ONLY").await?;
    story.tell("action-batch-join-with-bad-field", "422 INVALID_FIELD").await?;
    let joined = story.tell("action-join", "200").await?;
    insta::assert_json_snapshot!("join", masked(&joined.body));
    story.tell("action-join-of-no-meeting", "404 APPOINTMENT_NOT_FOUND").await?;
    story.tell("action-get-status", "200").await?;
    let left = story.tell("action-leave", "200").await?;
    insta::assert_json_snapshot!("leave", masked(&left.body));
    story.tell("action-end", "200").await?;

    story.tell("direct-without-user", "422 INVALID_FIELD").await?;
    story.tell("direct-with-bad-id", "422 INVALID_FIELD").await?;
    story.tell("direct-create-by-patient", "403 PATIENT_CANNOT_CREATE").await?;
    let direct = story.tell("direct-create", "201").await?;
    insta::assert_json_snapshot!("direct_create_headers", direct.headers);
    story.tell("direct-get-link", "200").await?;
    let invited = story.tell("direct-batch-join", "200").await?;
    assert_eq!(invited.body["errors"], serde_json::json!([]));
    story.tell("direct-join", "200").await?;
    story.tell("direct-get-status", "200").await?;
    story.tell("direct-leave", "200").await?;
    story.tell("direct-end", "200").await?;

    // Operations that are complete already, and one message that is not an event.
    story.tell("operation-pending", "0 failed").await?;
    story.tell("operation-pending-with-unreadable", "1 failed").await?;

    story.end(&ACTIONS);
    Ok(())
}
