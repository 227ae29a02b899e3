//! Sends what [`malformed_input`] holds to a function's routes, and looks at what came of it: no 5xx, nothing
//! written, no internal detail in a response.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::malformed_input::{self, Field};
use crate::{Answer, Caller, Scenario, TestCloud, TestResult};

/// A route by its key, and whether it reads a body; one that does not must answer the same whatever the body is.
pub type Route = (&'static str, bool);

/// Everything that is kept: each table's rows, by number and digest, and Chime's meetings.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    tables: BTreeMap<String, String>,
    meetings: Vec<Value>,
}

impl Census {
    /// The same without the audit and the denial counters: a denied caller leaves entries there.
    #[must_use]
    pub fn without_audit(mut self) -> Self {
        self.tables.retain(|table, _| !table.contains("audit") && table != "medzen.denial_rate_limits");
        self
    }
}

impl TestCloud {
    /// Counts everything that is kept.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn census(&self) -> TestResult<Census> {
        let tables = self
            .sql(
                "SELECT string_agg(format('%I.%I', schemaname, tablename), ',') FROM pg_tables
                 WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            )
            .await?;
        let mut rows = BTreeMap::new();
        for table in tables.split(',') {
            let query = format!(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t"
            );
            rows.insert(table.to_owned(), self.sql(&query).await?);
        }
        Ok(Census { tables: rows, meetings: self.meetings() })
    }
}

impl Caller {
    /// A request with their token, and with headers and a body as they are. `{a}` in the path stands for the appointment.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[malformed_input::Header],
        body: Bytes,
    ) -> TestResult<Answer> {
        let path = path.replace("{a}", &self.appointment);
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}{path}", self.cloud.api))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value)?);
        }
        self.cloud.send(request.body(Full::new(body))?).await
    }
}

/// Texts that a response to bad input must not contain: words of serde, SQL, the schema, the source.
const INSIDE: [&str; 16] = [
    "expected",
    "invalid type",
    "unknown variant",
    "unknown field",
    "serde",
    "SELECT",
    "INSERT",
    "syntax error",
    "medzen.",
    "video_call",
    "postgres",
    "tokio",
    "panicked",
    "crates/",
    ".rs",
    "/tmp",
];

/// Checks a refusal: status and field as in `422 appointmentId`, and nothing in it that does not belong there.
///
/// # Panics
/// When it is another.
pub fn assert_refused(answer: &Answer, expected: &str, what: &str) {
    let text = answer.body.to_string();
    let brief = match answer.body["field"].as_str() {
        Some(field) => format!("{} {field}", answer.status),
        None => answer.status.to_string(),
    };
    assert_eq!(brief, expected, "{what}: {text}");
    assert!((400..500).contains(&answer.status), "{what}: {text}");
    assert!(text.len() < 300, "{what}: the answer repeats what was sent: {text}");
    assert!(
        text.chars().all(|character| character.is_ascii() && !character.is_ascii_control()),
        "{what}: {text}"
    );
    for word in INSIDE {
        assert!(!text.contains(word), "{what}: `{word}` is of the inside: {text}");
    }
    let members: BTreeSet<&str> =
        answer.body.as_object().map(|body| body.keys().map(String::as_str).collect()).unwrap_or_default();
    let ours = BTreeSet::from(["code", "error", "field", "requestId"]);
    assert!(members == ours || members == BTreeSet::from(["message"]), "{what}: {text}");
}

/// Sends every bad id and every bad body to every route of a function, for an appointment without a call and for one with
/// a call that is on. Every one must be refused by name, a route that reads no body must not care, and nothing may change.
///
/// # Errors
/// When no answer comes.
///
/// # Panics
/// When an answer is another, something was written, or `routes` are not the function's routes.
pub async fn routes_refuse(cloud: &TestCloud, function: &str, routes: &[Route]) -> TestResult {
    let there: BTreeSet<String> = cloud.routes(function).into_iter().collect();
    let named: BTreeSet<String> = routes.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(named, there, "the table and the templates must have the same routes");

    let (idle, on) = (cloud.scenario().await?, cloud.scenario().await?);
    for answer in [on.provider.start().await?, on.patient.join().await?] {
        assert!(answer.status < 300, "{:?}", answer.body);
    }
    let before = cloud.census().await?;
    for (key, reads) in routes {
        let (method, path) = key.split_once(' ').ok_or("no route key")?;
        ids_in_path(&idle, method, path).await?;
        for scenario in [&idle, &on] {
            let path = filled(scenario, path);
            if *reads {
                bodies_read(scenario, method, &path).await?;
            }
        }
        if !reads {
            bodies_unread(&idle, method, &filled(&idle, path)).await?;
        }
        assert_eq!(cloud.census().await?, before, "{key} wrote something");
    }
    Ok(())
}

/// The id of no recording and of no transcript.
const NO_RECORD: &str = "7d9f1c5e-0000-4000-8000-00000000dead";

/// A path about a scenario's appointment, about its patient, or about a recording or a transcript that there is not.
fn filled(scenario: &Scenario, path: &str) -> String {
    path.replace("{appointmentId}", &scenario.appointment)
        .replace("{userId}", &scenario.patient.id)
        .replace("{recordingId}", NO_RECORD)
        .replace("{transcriptId}", NO_RECORD)
}

/// Bad ids in the path's places.
async fn ids_in_path(scenario: &Scenario, method: &str, path: &str) -> TestResult {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    for name in names {
        // The others are good.
        let others = ["appointmentId", "userId"].into_iter().filter(|other| *other != name);
        let path = others.fold(path.to_owned(), |path, other| {
            let id = if other == "userId" { &scenario.patient.id } else { &scenario.appointment };
            path.replace(&format!("{{{other}}}"), id)
        });
        bad_ids(scenario, method, &path, name).await?;
    }
    Ok(())
}

async fn bad_ids(scenario: &Scenario, method: &str, path: &str, name: &str) -> TestResult {
    let place = format!("{{{name}}}");
    for (what, text) in malformed_input::texts() {
        let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        // A text that grows beyond what API Gateway takes is another case.
        let path = path.replace(&place, &encoded);
        let answer = scenario.provider.ask_raw(method, &path, "").await?;
        assert_refused(&answer, &format!("422 {name}"), &format!("{method} {place}, {what}"));
    }
    for (what, encoded, expected) in [
        ("a broken percent sign", "%zz%".to_owned(), format!("422 {name}")),
        ("bytes that are no UTF-8", "%ff%fe".to_owned(), format!("422 {name}")),
        ("a slash that is none", "a%2Fb".to_owned(), format!("422 {name}")),
        ("10,000 characters", "9".repeat(10_000), "431".to_owned()),
    ] {
        let answer = scenario.provider.ask_raw(method, &path.replace(&place, &encoded), "").await?;
        assert_refused(&answer, &expected, &format!("{method} {place}, {what}"));
    }
    Ok(())
}

async fn bodies_read(scenario: &Scenario, method: &str, path: &str) -> TestResult {
    for body in malformed_input::bodies() {
        let headers = [("content-type", body.media_type.as_bytes().to_vec())];
        let answer = scenario.provider.ask_with(method, path, &headers, body.bytes).await?;
        assert_refused(&answer, body.expected, &format!("{method} {path}, {}", body.name));
    }
    Ok(())
}

async fn bodies_unread(scenario: &Scenario, method: &str, path: &str) -> TestResult {
    let usual = scenario.provider.ask_raw(method, path, "").await?.brief();
    // The health route has a limit of its own, with a burst of 20 requests.
    let most = if path == "/health" { 18 } else { usize::MAX };
    for body in malformed_input::bodies().into_iter().take(most) {
        let headers = [("content-type", body.media_type.as_bytes().to_vec())];
        let answer = scenario.provider.ask_with(method, path, &headers, body.bytes).await?;
        let expected = if body.expected == "413" { "413" } else { &usual };
        assert_eq!(answer.brief(), expected, "{method} {path}, {}: {:?}", body.name, answer.body);
    }
    Ok(())
}

/// Sends every value that a field must refuse. `body` is good but for the field, which is laid over it.
///
/// # Errors
/// When no answer comes.
///
/// # Panics
/// When an answer is another, or something was written.
pub async fn field_refuses(
    cloud: &TestCloud,
    scenario: &Scenario,
    route: &str,
    body: &Value,
    (name, field): (&str, Field),
) -> TestResult {
    let (method, path) = route.split_once(' ').ok_or("no route key")?;
    let path = filled(scenario, path);
    let before = cloud.census().await?;
    let mut rest = String::new();
    for (key, value) in body.as_object().ok_or("a body must be an object")? {
        if key != name {
            write!(rest, ", {}: {value}", json!(key))?;
        }
    }
    for (what, value) in field.refuses() {
        // As text: some of the values are too deep or too odd to be built.
        let body = format!(r#"{{"{name}": {value}{rest}}}"#);
        let answer = scenario.provider.ask_raw(method, &path, body).await?;
        assert_refused(&answer, &format!("422 {name}"), &format!("{route}{rest}, {name} {what}"));
    }
    assert_eq!(cloud.census().await?, before, "{route}{rest}: {name} wrote something");
    Ok(())
}

/// Sends odd headers to every route, by a stranger, to whom nothing is done: the answer must be as without them. Those
/// that are larger than API Gateway accepts are rejected.
///
/// # Errors
/// When no answer comes.
///
/// # Panics
/// When an answer is another, or something was written.
pub async fn odd_headers_change_nothing(cloud: &TestCloud, function: &str) -> TestResult {
    let scenario = cloud.scenario().await?;
    let before = cloud.census().await?.without_audit();
    for key in cloud.routes(function) {
        let (method, path) = key.split_once(' ').ok_or("no route key")?;
        let path = filled(&scenario, path);
        let ask = async |headers: &[malformed_input::Header]| {
            let body = json!({ "action": "get-status", "appointmentId": scenario.appointment }).to_string();
            scenario.stranger.ask_with(method, &path, headers, Bytes::from(body)).await
        };
        let usual = ask(&[]).await?.brief();
        for (what, headers) in malformed_input::headers() {
            let answer = ask(&headers).await?;
            assert_eq!(answer.brief(), usual, "{key}, {what}: {:?}", answer.body);
        }
        let answer = ask(&[("x-huge", vec![b'x'; 10_240])]).await?;
        assert_refused(&answer, "431", &format!("{key}, 10 KB of headers"));
    }
    assert_eq!(cloud.census().await?.without_audit(), before, "odd headers wrote something");
    Ok(())
}
