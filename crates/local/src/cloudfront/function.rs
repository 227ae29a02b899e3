//! `CloudFront` functions: the template's own code, run by `QuickJS`.
//!
//! `QuickJS` knows more of the language than the runtime `cloudfront-js-2.0`; that a function runs here does not prove
//! that it runs there. Tests here try its decisions.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use rquickjs::{CatchResultExt as _, Context, Function, Promise, Runtime};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use local_template::plan::Distribution;

/// `CloudFront` gives a function less than a millisecond of a processor; a debug build on a busy machine gets more.
const MAX_TIME: Duration = Duration::from_secs(1);
const MAX_MEMORY: usize = 8 * 1024 * 1024;

/// The decision of a function.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The request goes on, with this path and query.
    Go(String),
    /// It is answered at once.
    Answer(Response<Bytes>),
}

/// Why a function decided nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the function's code failed: {0}")]
    Code(String),
    #[error("the function answers neither a request nor a response")]
    Answer(#[from] serde_json::Error),
    #[error("the function's response cannot be sent")]
    Response,
}

/// The event that a viewer's request is.
pub(super) fn event(distribution: &Distribution, parts: &Parts, peer: SocketAddr) -> Value {
    let mut headers = Map::new();
    for name in parts.headers.keys().filter(|it| *it != http::header::COOKIE) {
        let values = parts.headers.get_all(name).iter();
        let values: Vec<Value> =
            values.map(|it| json!({ "value": String::from_utf8_lossy(it.as_bytes()) })).collect();
        headers.insert(name.to_string(), with_all(values));
    }
    let mut querystring: Map<String, Value> = Map::new();
    let pairs: Vec<(&str, &str)> = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|it| !it.is_empty())
        .map(|it| it.split_once('=').unwrap_or((it, "")))
        .collect();
    for (name, _) in &pairs {
        let values = pairs.iter().filter(|(it, _)| it == name).map(|(_, value)| json!({ "value": value }));
        querystring.insert((*name).to_owned(), with_all(values.collect()));
    }
    json!({
        "version": "1.0",
        "context": {
            "distributionDomainName": distribution.domain,
            "distributionId": distribution.id,
            "eventType": "viewer-request",
            "requestId": uuid::Uuid::new_v4().simple().to_string(),
        },
        "viewer": { "ip": peer.ip().to_canonical().to_string() },
        "request": {
            "method": parts.method.as_str(),
            "uri": parts.uri.path(),
            "querystring": querystring,
            "headers": headers,
            "cookies": {},
        },
    })
}

fn with_all(values: Vec<Value>) -> Value {
    let mut first = values.first().cloned().unwrap_or_default();
    if values.len() > 1 {
        first["multiValue"] = Value::Array(values);
    }
    first
}

/// Runs the code's `handler` with an event, in a world of its own.
pub(super) async fn run(code: String, event: Value) -> Result<Verdict, Error> {
    let done = tokio::task::spawn_blocking(move || execute(&code, &event.to_string())).await;
    let answer = done.map_err(|error| Error::Code(error.to_string()))??;
    read(&answer)
}

fn execute(code: &str, event: &str) -> Result<String, Error> {
    let broken = |error: rquickjs::Error| Error::Code(error.to_string());
    let runtime = Runtime::new().map_err(broken)?;
    runtime.set_memory_limit(MAX_MEMORY);
    let began = Instant::now();
    runtime.set_interrupt_handler(Some(Box::new(move || began.elapsed() > MAX_TIME)));
    let context = Context::full(&runtime).map_err(broken)?;
    context.with(|ctx| {
        let thrown = |error: rquickjs::CaughtError<'_>| Error::Code(error.to_string());
        ctx.eval::<(), _>(code).catch(&ctx).map_err(thrown)?;
        let call =
            "async function run(event) { return JSON.stringify(await handler(JSON.parse(event))); } run";
        let call: Function<'_> = ctx.eval(call).catch(&ctx).map_err(thrown)?;
        let promise: Promise<'_> = call.call((event,)).catch(&ctx).map_err(thrown)?;
        promise.finish::<String>().catch(&ctx).map_err(thrown)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answered {
    status_code: u16,
    #[serde(rename = "statusDescription")]
    _status_description: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Encoded { encoding: String, data: String },
}

fn read(answer: &str) -> Result<Verdict, Error> {
    let answer: Value = serde_json::from_str(answer)?;
    if let Some(uri) = answer["uri"].as_str() {
        return Ok(Verdict::Go(uri.to_owned()));
    }
    let answered: Answered = serde_json::from_value(answer)?;
    let body = match answered.body {
        None => Bytes::new(),
        Some(Content::Text(data)) => Bytes::from(data),
        Some(Content::Encoded { encoding, data }) if encoding == "text" => Bytes::from(data),
        Some(Content::Encoded { data, .. }) => {
            Bytes::from(BASE64_STANDARD.decode(data).map_err(|_| Error::Response)?)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answered.status_code).map_err(|_| Error::Response)?;
    for (name, value) in answered.headers {
        // CloudFront takes lower case only.
        let name = HeaderName::from_lowercase(name.as_bytes()).map_err(|_| Error::Response)?;
        let value =
            value["value"].as_str().and_then(|it| HeaderValue::try_from(it).ok()).ok_or(Error::Response)?;
        response.headers_mut().insert(name, value);
    }
    Ok(Verdict::Answer(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ran(code: &str) -> Result<Verdict, Error> {
        run(code.to_owned(), json!({ "request": { "uri": "/a" } })).await
    }

    #[tokio::test]
    async fn a_request_goes_on_with_the_path_that_the_code_gives_it_also_when_it_waits() {
        for code in [
            "function handler(event) { event.request.uri += '/b'; return event.request; }",
            "async function handler(event) { const r = await event.request; r.uri = '/a/b'; return r; }",
        ] {
            let verdict = ran(code).await.expect("the code is right");
            assert!(matches!(&verdict, Verdict::Go(uri) if uri == "/a/b"), "{verdict:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_has_status_headers_and_body() {
        let code = "function handler() { return { statusCode: 404, statusDescription: 'no', \
                    headers: { 'x-a': { value: 'b' } }, body: { encoding: 'base64', data: 'aGk=' } }; }";
        let Ok(Verdict::Answer(answer)) = ran(code).await else { unreachable!("an answer") };
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-a"]),
            (404, &HeaderValue::from_static("b"))
        );
        assert_eq!(answer.body(), "hi");
    }

    #[tokio::test]
    async fn code_that_throws_loops_or_answers_nothing_decides_nothing() {
        for code in [
            "function handler() { throw new Error('no'); }",
            "function handler() { for (;;) {} }",
            "function handler() { return 1; }",
            "function handler() { return { statusCode: 200, headers: { 'X-Upper': { value: 'b' } } }; }",
            "no code",
        ] {
            assert!(ran(code).await.is_err(), "{code}");
        }
    }
}
