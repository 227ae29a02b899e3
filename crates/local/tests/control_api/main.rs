//! The control API under `/_local/`: its names and shapes are fixed, for other tools rely on them.

mod app;
mod calls;
mod faults;
mod media;
mod meetings;
mod pipelines;
mod queues;
mod seed;
mod time;
mod transcription;

use std::collections::BTreeSet;

use local_testing::{Answer, TestCloud, TestResult};
use serde_json::Value;

/// The body of a route's response, whose status must be 200.
async fn ok_body(cloud: &TestCloud, method: &str, route: &str, body: Value) -> TestResult<Value> {
    let answer = cloud.control_api(method, route, &body).await?;
    assert_eq!(answer.status, 200, "{method} {route} {body}: {}", answer.body);
    Ok(answer.body)
}

async fn get(cloud: &TestCloud, route: &str) -> TestResult<Value> {
    ok_body(cloud, "GET", route, Value::Null).await
}

/// An object has these names and no others.
fn has_only(value: &Value, names: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| unreachable!("an object, not {value}"));
    let found: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(found, names.iter().copied().collect(), "{value}");
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| unreachable!("a list, not {value}"))
}

/// The fault is the caller's.
fn is_refused(answer: &Answer) {
    assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.body);
}
