//! The Invoke API over the wire.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use local::listen::{Listening, bind};
use local_template::plan::Function;
use serde_json::json;

use crate::http::send;
use crate::probe::{Meeting, function, function_with, lambda};

const PATH: &str = "/2015-03-31/functions/probe/invocations";

async fn api(function: Function) -> Listening {
    let router = local::invoke::router(lambda(function).await);
    bind(0).await.map(|bound| bound.serve(router)).expect("the Invoke API listens")
}

#[tokio::test]
async fn an_invocation_answers_with_the_functions_payload() {
    let api = api(function()).await;
    let arn = "/2015-03-31/functions/arn:aws:lambda:eu-central-1:000000000000:function:probe/invocations";
    for path in [PATH, arn] {
        let answer = send(api.address(), "POST", path, &[], r#"{"a": 1}"#).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["event"], json!({"a": 1}));
        assert_eq!(answer.header("x-amz-executed-version"), "$LATEST");
        assert_eq!(answer.header("x-amz-function-error"), "");
    }
}

#[tokio::test]
async fn ipv6_has_the_same_port() {
    let api = api(function()).await;
    let v6 = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, api.address().port()));
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(send(v6, "POST", PATH, &[("x-amz-invocation-type", "DryRun")], "{}").await.status, 204);
    }
}

#[tokio::test]
async fn a_failure_and_its_log_stand_in_the_headers() {
    let api = api(function()).await;
    let answer = send(api.address(), "POST", PATH, &[("x-amz-log-type", "Tail")], r#"{"do": "exit"}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-amz-function-error"), "Unhandled");
    assert_eq!(answer.json()["errorType"], "Runtime.ExitError");
    let log = BASE64_STANDARD.decode(answer.header("x-amz-log-result")).expect("the log is base64");
    let log = String::from_utf8(log).expect("the log is text");
    assert!(log.contains("giving up") && log.contains("REPORT RequestId: "), "{log}");
}

#[tokio::test]
async fn an_event_is_accepted_and_runs_later() {
    let report = Meeting::open().await;
    let api = api(function_with("PROBE_REPORT", &report.port().to_string())).await;
    let headers = [("x-amz-invocation-type", "Event")];
    let answer = send(api.address(), "POST", PATH, &headers, r#"{"later": true}"#).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
    assert_eq!(report.report().await, json!({"later": true}));
}

#[tokio::test]
async fn a_client_context_reaches_the_function() {
    let api = api(function()).await;
    let context = BASE64_STANDARD.encode(r#"{"custom": {"who": "Zoë"}}"#);
    let answer = send(api.address(), "POST", PATH, &[("x-amz-client-context", &context)], "").await;
    assert_eq!(answer.json()["context"]["client"]["custom"], json!({"who": "Zoë"}));
    assert_eq!(answer.json()["event"], json!({}), "no payload is an empty object");
}

#[tokio::test]
async fn refusals_are_those_of_aws() {
    let api = api(Function { reserved_concurrency: Some(0), ..function() }).await;
    let unknown = "/2015-03-31/functions/nobody/invocations";
    for (path, body, status, kind) in [
        (unknown, "{}", 404, "ResourceNotFoundException"),
        (PATH, "{}", 429, "TooManyRequestsException"),
        (PATH, "{", 400, "InvalidRequestContentException"),
    ] {
        let answer = send(api.address(), "POST", path, &[], body).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-amzn-errortype")), (status, kind));
        assert_eq!(answer.json()["Type"], "User", "{kind}");
    }
}
