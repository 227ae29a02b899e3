//! The recorded backend calls and the permissions that they used.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, has_only, is_refused, list};

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_listed_in_order_turns_of_postgresql_among_them() -> TestResult {
    let cloud = TestCloud::new().await?;
    cloud.scenario().await?.provider.start().await?;
    let calls = get(&cloud, "calls?since=0").await?;
    has_only(&calls, &["calls"]);
    let calls = list(&calls["calls"]);
    let names = ["n", "function", "service", "operation", "allowed", "status", "request"];
    for (n, call) in (1..).zip(calls) {
        // Named beside those that are fixed: when it came.
        has_only(call, &[&names[..], &["at_ms"]].concat());
        has_only(&call["request"], &["method", "path", "body"]);
        assert_eq!((&call["n"], &call["function"]), (&json!(n), &json!("meeting-manager")));
        assert_eq!((&call["allowed"], &call["status"]), (&json!(true), &json!(call["status"].as_u64())));
    }
    let one = |service: &str, operation: &str| {
        let found = calls.iter().find(|it| it["service"] == service && it["operation"] == operation);
        found.unwrap_or_else(|| unreachable!("{service} {operation} in {calls:?}"))
    };
    let created = one("chime", "CreateMeetingWithAttendees");
    assert_eq!(created["request"]["method"], "POST");
    assert_eq!(created["request"]["path"], "/meetings?operation=create-attendees");
    let body: Value = serde_json::from_str(created["request"]["body"].as_str().ok_or("a body")?)?;
    assert!(body["ExternalMeetingId"].is_string(), "{body}");
    let turn = one("postgres", "start_call");
    assert_eq!((&turn["request"]["method"], &turn["request"]["path"]), (&json!(""), &json!("")));
    let sql = turn["request"]["body"].as_str().ok_or("a statement")?;
    assert!(sql.contains("INSERT INTO"), "{sql}");
    one("secretsmanager", "GetSecretValue");

    // Only those after a number; without one, all.
    let last = calls.len();
    assert_eq!(get(&cloud, &format!("calls?since={last}")).await?, json!({"calls": []}));
    let rest = get(&cloud, &format!("calls?since={}", last - 2)).await?;
    assert_eq!(list(&rest["calls"]), &calls[last - 2..]);
    assert_eq!(list(&get(&cloud, "calls").await?["calls"]), calls);
    is_refused(&cloud.control_api("GET", "calls?since=then", &Value::Null).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_are_listed_as_used_unused_and_denied() -> TestResult {
    let cloud = TestCloud::new().await?;
    let create = json!("chime:CreateMeetingWithAttendees");
    let has = |usage: &Value, kind: &str| list(&usage["meeting-manager"][kind]).contains(&create);
    let before = get(&cloud, "iam").await?;
    let assumed = &cloud.parts().plan.roles;
    assert!(!assumed.is_empty());
    let mut identities = vec!["attendee", "audit", "meeting-manager", "recording", "transcript"];
    identities.extend(assumed.iter().map(|role| role.name.as_str()));
    has_only(&before, &identities);
    assert!(has(&before, "unused") && !has(&before, "used"), "{before}");

    cloud.scenario().await?.provider.start().await?;
    let after = get(&cloud, "iam").await?;
    assert!(has(&after, "used") && !has(&after, "unused"), "{after}");
    for usage in after.as_object().ok_or("functions")?.values() {
        has_only(usage, &["used", "unused", "refused"]);
        assert_eq!(usage["refused"], json!([]));
    }
    let _ = cloud.parts().iam.check("audit", "chime:CreateMeetingWithAttendees", None, &[]);
    assert_eq!(get(&cloud, "iam").await?["audit"]["refused"], json!([create]));
    Ok(())
}
