//! Every payload in `events/meeting-manager/`, in an order in which each is valid.

use local_testing::{Payloads, TestCloud, TestResult, redact};

const ACTIONS: [&str; 7] = ["create", "join", "leave", "end", "get-status", "get-link", "batch-join"];

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut payloads = Payloads::new(&cloud, "meeting-manager")?;

    payloads.send("health", "200").await?;
    let before = payloads.send("status", "200").await?;
    insta::assert_json_snapshot!("status_before", redact(&before.body));
    payloads.send("status-by-stranger", "403 NOT_A_MEMBER").await?;
    payloads.send("end", "404 NO_ACTIVE_CALL").await?;
    let bad_id = payloads.send("start-with-bad-id", "422 INVALID_FIELD").await?;
    insta::assert_json_snapshot!("refusal", redact(&bad_id.body));
    payloads.send("start-with-bad-field", "422 INVALID_FIELD").await?;
    payloads.send("start-with-broken-json", "400 MALFORMED_REQUEST").await?;
    payloads.send("start-without-claims", "401 NO_IDENTITY").await?;
    payloads.send("start-of-no-appointment", "404 APPOINTMENT_NOT_FOUND").await?;
    payloads.send("start-by-patient", "403 PATIENT_CANNOT_CREATE").await?;
    assert!(cloud.meetings().is_empty(), "a refused start makes no meeting");
    let link = payloads.send("link", "200").await?;
    let mut redacted = redact(&link.body);
    redacted["scheduledStart"] = "[when it was seeded]".into();
    // The page listens on another port in each run.
    redacted["webLink"] = link.text("webLink").replace(&cloud.parts().page_url, "[page]").into();
    insta::assert_json_snapshot!("link", redacted);
    payloads.send("link-by-patient", "403 PROVIDER_ONLY").await?;

    let started = payloads.send("start", "201").await?;
    insta::assert_json_snapshot!("start", redact(&started.body));
    let again = payloads.send("start-again", "200").await?;
    assert_eq!(again.body, started.body, "a start of a call that is on answers the stored one");
    let watch = cloud.watch();
    let checked = payloads.send("start-checked", "200").await?;
    assert_eq!(checked.body, started.body, "the call lives");
    assert_eq!(watch.count("GetMeeting"), 1, "by Chime's own word");
    let during = payloads.send("status", "200").await?;
    insta::assert_json_snapshot!("status_during", redact(&during.body));
    payloads.send("end-by-patient", "403 PATIENT_CANNOT_END").await?;
    assert_eq!(cloud.live_meetings().len(), 1, "a refused end ends nothing");
    let watch = cloud.watch();
    let ran = payloads.send("schedule", "200").await?;
    assert_eq!(ran.body, serde_json::Value::Null, "nobody reads what a schedule is answered");
    assert_eq!(watch.count("GetMeeting"), 1, "a call that nobody asked after for so long is asked for");
    assert_eq!(cloud.live_meetings().len(), 1, "and one that lives goes on");
    let ended = payloads.send("end", "200").await?;
    insta::assert_json_snapshot!("end", redact(&ended.body));
    assert!(cloud.live_meetings().is_empty());

    payloads.send("action-unknown", "422 INVALID_FIELD").await?;
    payloads.send("action-without-call", "422 INVALID_FIELD").await?;
    payloads.send("action-create", "201").await?;
    payloads.send("action-create-in-base64", "200").await?;
    let same = payloads.send("action-get-link", "200").await?;
    assert_eq!(same.body, link.body, "the link of an appointment is always the same");
    payloads.send("action-batch-join-with-bad-terms", "422 INVALID_FIELD").await?;
    let student = payloads.send("action-batch-join-of-student", "200").await?;
    assert_eq!(student.body["attendees"][0]["role"], "observer", "{:?}", student.body);
    let invited = payloads.send("action-batch-join", "200").await?;
    insta::assert_json_snapshot!("invited", redact(&invited.body));
    payloads.send("action-batch-join-by-patient", "403 PROVIDER_ONLY").await?;
    payloads.send("action-batch-join-with-bad-field", "422 INVALID_FIELD").await?;
    let joined = payloads.send("action-join", "200").await?;
    insta::assert_json_snapshot!("join", redact(&joined.body));
    payloads.send("action-join-of-no-meeting", "404 APPOINTMENT_NOT_FOUND").await?;
    payloads.send("action-get-status", "200").await?;
    let left = payloads.send("action-leave", "200").await?;
    insta::assert_json_snapshot!("leave", redact(&left.body));
    payloads.send("action-end", "200").await?;

    payloads.send("direct-without-user", "422 INVALID_FIELD").await?;
    payloads.send("direct-with-bad-id", "422 INVALID_FIELD").await?;
    payloads.send("direct-create-by-patient", "403 PATIENT_CANNOT_CREATE").await?;
    let direct = payloads.send("direct-create", "201").await?;
    insta::assert_json_snapshot!("direct_create_headers", direct.headers);
    payloads.send("direct-get-link", "200").await?;
    let invited = payloads.send("direct-batch-join", "200").await?;
    assert_eq!(invited.body["errors"], serde_json::json!([]));
    payloads.send("direct-join", "200").await?;
    payloads.send("direct-get-status", "200").await?;
    payloads.send("direct-leave", "200").await?;
    payloads.send("direct-end", "200").await?;

    // Operations that were completed already, and a message that is not an event.
    payloads.send("operation-pending", "0 failed").await?;
    payloads.send("operation-pending-with-unreadable", "1 failed").await?;

    payloads.end(&ACTIONS);
    Ok(())
}
