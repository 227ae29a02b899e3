//! Events that no configured trigger sends.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_is_rejected_by_field() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let (appointment, user) = (&scenario.appointment, &scenario.provider.id);
    let body = json!({ "action": "create", "appointmentId": appointment, "userId": user });
    let text = |value: &Value| json!({ "body": value.to_string() });
    let with = |name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        text(&body)
    };
    let before = cloud.census().await?;
    for (event, expected) in [
        (json!([]), "400 event"),
        (json!(null), "400 event"),
        (json!("create"), "400 event"),
        (json!({}), "422 body"),
        (json!({ "body": null }), "422 body"),
        (json!({ "body": 5 }), "422 body"),
        (json!({ "body": "" }), "422 userId"),
        (json!({ "body": "create" }), "400 body"),
        (json!({ "body": "[]" }), "422 body"),
        (body.clone(), "422 body"),
        (json!({ "requestContext": null, "body": null }), "422 body"),
        // It looks like API Gateway's and is not in its format: our error, with an alarm.
        (json!({ "requestContext": {} }), "500 "),
        (json!({ "requestContext": { "routeKey": 5 } }), "500 "),
        (with("userId", Value::Null), "422 userId"),
        (with("userId", json!("nonsense\0")), "422 userId"),
        (with("userId", json!([user])), "422 userId"),
        (with("action", json!({ "create": null })), "422 action"),
        (with("action", json!("a".repeat(10_000))), "422 action"),
        (with("appointmentId", json!("x' OR 'x'='x")), "422 appointmentId"),
        (with("enableRecording", json!("yes")), "422 enableRecording"),
        (with("checked", json!("yes")), "422 checked"),
        (with("action", json!("batch-join")), "422 userIds"),
    ] {
        let payload = cloud.invoke("meeting-manager", &event).await?;
        let body: Value =
            serde_json::from_str(payload["body"].as_str().unwrap_or_default()).unwrap_or_default();
        let brief = format!("{} {}", payload["statusCode"], body["field"].as_str().unwrap_or_default());
        assert_eq!(brief, expected, "{event}: {payload}");
        assert!(payload.to_string().len() < 400, "{event}: {payload}");
    }
    assert_eq!(cloud.census().await?, before);

    let given_as_object = cloud.invoke("meeting-manager", &json!({ "body": body })).await?;
    assert_eq!(given_as_object["statusCode"], 201, "{given_as_object}");
    Ok(())
}
