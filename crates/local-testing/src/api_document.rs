//! Compares each answer that a test receives with the API's document, `infra/openapi.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use jsonschema::Validator;
use local::gateway::Routes;
use local_template::plan::Route;
use serde_json::{Value, json};

use crate::{Answer, workspace};

/// Read once per test binary.
static DOCUMENT: LazyLock<ApiDocument> = LazyLock::new(ApiDocument::read);

/// Statuses that API Gateway answers before it has found a route.
const WITHOUT_ROUTE: [u16; 2] = [404, 431];

struct ApiDocument {
    document: Value,
    /// The documented operations by their route keys.
    operations: BTreeMap<String, Value>,
    routes: Routes,
    /// Made at first use, by the address of the schema in the document.
    validators: Mutex<BTreeMap<String, Validator>>,
}

/// Checks an answer to an HTTP request: method, path, status, content type and body.
///
/// # Panics
/// When the document does not have it.
pub(crate) fn assert_documented(method: &Method, path: &str, answer: &Answer) {
    // The answer to a preflight request is CORS's, not the API's.
    if *method == Method::OPTIONS && answer.status == 204 {
        return;
    }
    let route = DOCUMENT.routes.find(method, path).map(|found| found.route.key.clone());
    let faults = match &route {
        Some(route) => DOCUMENT.faults_of_route(route, answer),
        None if WITHOUT_ROUTE.contains(&answer.status) => {
            DOCUMENT.faults(&format!("/components/responses/Gateway{}", answer.status), answer)
        }
        None => vec!["no such route is documented".to_owned()],
    };
    assert_none(&faults, &route.unwrap_or_else(|| format!("{method} {path}")), answer);
}

/// Checks the answer of a function that was invoked with an event: one of API Gateway, or a direct invocation.
///
/// # Panics
/// When the document does not have it.
pub(crate) fn assert_invocation_documented(function: &str, event: &Value, answer: &Answer) {
    let direct = || {
        let body = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
        let body: Value = body.unwrap_or_else(|| event["body"].clone());
        let action = body["action"].as_str()?;
        let id = &DOCUMENT.document["x-direct-invocations"][function][action]["operationId"];
        let mut operations = DOCUMENT.operations.iter();
        operations.find(|(_, operation)| operation["operationId"] == *id).map(|(route, _)| route.clone())
    };
    let route = match event["routeKey"].as_str() {
        Some(key) => Some(key.to_owned()).filter(|key| documented_routes(function).contains(key)),
        None => direct(),
    };
    let faults = match &route {
        Some(route) => DOCUMENT.faults_of_route(route, answer),
        // An unknown route or action.
        None => DOCUMENT.faults_of_schema("/components/schemas/ErrorResponse", &answer.body),
    };
    assert_none(&faults, &route.unwrap_or_else(|| format!("an invocation of {function}")), answer);
}

/// The keys of a function's documented routes.
#[must_use]
pub fn documented_routes(function: &str) -> BTreeSet<String> {
    let of_function = |operation: &Value| operation["x-function"] == function;
    let operations = DOCUMENT.operations.iter().filter(|(_, operation)| of_function(operation));
    operations.map(|(route, _)| route.clone()).collect()
}

/// The actions of a function's documented direct invocations.
#[must_use]
pub fn documented_actions(function: &str) -> BTreeSet<String> {
    let actions = DOCUMENT.document["x-direct-invocations"][function].as_object();
    actions.map(|actions| actions.keys().cloned().collect()).unwrap_or_default()
}

fn assert_none(faults: &[String], route: &str, answer: &Answer) {
    assert!(
        faults.is_empty(),
        "infra/openapi.json does not have this answer of {route}: {faults:?}\n{} {}",
        answer.status,
        answer.body
    );
}

impl ApiDocument {
    fn read() -> Self {
        let file = workspace().join("infra/openapi.json");
        let text = std::fs::read_to_string(&file).expect("the checkout has infra/openapi.json");
        let mut document: Value = serde_json::from_str(&text).expect("infra/openapi.json is JSON");
        let mut operations = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().expect("paths are an object") {
            for (method, operation) in methods.as_object().expect("methods of a path are an object") {
                operations.insert(format!("{} {path}", method.to_uppercase()), operation.clone());
            }
        }
        let routes: Vec<_> = operations
            .keys()
            .map(|key| Route {
                key: key.clone(),
                authorizer: None,
                function: String::new(),
                timeout: Duration::ZERO,
                throttling: None,
            })
            .collect();
        close(&mut document["components"]["schemas"]);
        let routes = Routes::new(&routes).expect("documented routes are route keys");
        Self { document, operations, routes, validators: Mutex::default() }
    }

    fn faults_of_route(&self, route: &str, answer: &Answer) -> Vec<String> {
        let (method, path) = route.split_once(' ').expect("a route key has a method and a path");
        let path = path.replace('/', "~1");
        self.faults(&format!("/paths/{path}/{}/responses/{}", method.to_lowercase(), answer.status), answer)
    }

    fn faults(&self, response: &str, answer: &Answer) -> Vec<String> {
        if self.document.pointer(response).is_none() {
            return vec![format!("no status {}", answer.status)];
        }
        let media_type = answer.headers.get("content-type").map_or("", String::as_str);
        let name = match media_type {
            // It has no charset (https://www.rfc-editor.org/rfc/rfc8259.html#section-11); any other text has one.
            "application/json" => Some(media_type),
            other => other.strip_suffix("; charset=utf-8").filter(|name| *name != "application/json"),
        };
        let schema = name.map(|name| format!("{response}/content/{}/schema", name.replace('/', "~1")));
        let Some(schema) = schema.filter(|schema| self.document.pointer(schema).is_some()) else {
            return vec![format!("content type {media_type:?}")];
        };
        self.faults_of_schema(&schema, &answer.body)
    }

    fn faults_of_schema(&self, pointer: &str, body: &Value) -> Vec<String> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = validators.entry(pointer.to_owned()).or_insert_with(|| self.validator(pointer));
        validator
            .iter_errors(body)
            .map(|fault| format!("{}: {}", fault.instance_path(), fault.masked()))
            .collect()
    }

    fn validator(&self, pointer: &str) -> Validator {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [self.document.pointer(pointer).expect("each response has a schema")],
            "components": { "schemas": self.document["components"]["schemas"] },
        });
        let options = jsonschema::options().should_validate_formats(true);
        options.build(&schema).expect("schemas of the document are valid")
    }
}

/// Makes schemas of objects reject fields that they do not name. The document itself lets clients expect additions; an
/// answer of ours has none that is not documented.
fn close(schemas: &mut Value) {
    match schemas {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(method: &Method, path: &str, status: u16, body: &Value) -> Vec<String> {
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let answer = Answer { status, headers, body: body.clone() };
        let route = DOCUMENT.routes.find(method, path).map(|found| found.route.key.clone());
        DOCUMENT.faults_of_route(&route.expect("it is documented"), &answer)
    }

    #[test]
    fn only_documented_answers_pass() {
        let health = |status, body| faults(&Method::GET, "/health", status, &body);
        assert_eq!(health(200, json!({ "status": "ok" })), Vec::<String>::new());
        assert_eq!(health(503, json!({ "message": "Service Unavailable" })), Vec::<String>::new());
        for (status, body) in [
            (200, json!({ "status": 1 })),
            (200, json!({})),
            (200, json!({ "status": "ok", "more": 1 })),
            (204, json!("")),
            (503, json!({ "error": "No.", "code": "INTERNAL", "requestId": "r-1" })),
        ] {
            assert_ne!(health(status, body.clone()), Vec::<String>::new(), "{status} {body}");
        }
    }

    #[test]
    fn times_and_ids_have_their_formats() {
        let path = "/appointments/a/call";
        let ended = |at: &str, session: &str| {
            let body = json!({
                "sessionId": session, "callStatus": "ended", "endedAt": at, "durationSeconds": 1, "message": "m",
            });
            faults(&Method::DELETE, path, 200, &body)
        };
        let session = "7d9f1c5e-0000-4000-8000-0000000000a1";
        assert_eq!(ended("2026-11-20T15:11:41.070Z", session), Vec::<String>::new());
        assert_ne!(ended("2026-11-20 15:11:41", session), Vec::<String>::new());
        assert_ne!(ended("2026-11-20T15:11:41.070Z", "session"), Vec::<String>::new());
    }
}
