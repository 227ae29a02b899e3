//! Environments: what they are given, when they are used again, and how they end.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use local::lambda::{InvokeError, Invoked, Lambda, Settings, StartError, State};
use local_template::plan::Function;
use serde_json::{Value, json};

use crate::probe::{Meeting, binaries, function, function_with, lambda, settings};

async fn invoke(lambda: &Lambda, event: Value) -> Invoked {
    lambda.invoke("probe", Bytes::from(event.to_string())).await.expect("the function is invoked")
}

fn payload(invoked: &Invoked) -> Value {
    serde_json::from_slice(&invoked.payload).expect("the payload is JSON")
}

/// An invocation that goes on while the test does something else.
fn background(lambda: &Lambda, event: Value) -> tokio::task::JoinHandle<Invoked> {
    let lambda = lambda.clone();
    tokio::spawn(async move { invoke(&lambda, event).await })
}

fn alive(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Waits for what has no signal of its own.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !condition() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| {
        assert!(condition(), "{what} did not come true");
    });
}

#[tokio::test]
async fn a_process_finds_what_lambda_promises_and_nothing_else() {
    let lambda = lambda(function_with("AUDIT_TABLE", "medzen-test")).await;
    let invoked = invoke(&lambda, json!({"hello": "world"})).await;
    let said = payload(&invoked);
    assert_eq!(said["event"], json!({"hello": "world"}));
    assert_eq!(said["context"]["requestId"], invoked.request_id);
    assert_eq!(said["context"]["arn"], function().arn);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let left = u128::from(said["context"]["deadline"].as_u64().expect("a deadline")).saturating_sub(now);
    assert!((1..=60_000).contains(&left), "{left} ms are left of a minute");

    let variables = said["variables"].as_object().expect("variables");
    // Of the script, of coverage tools, and what lambda_runtime itself sets for each event.
    let others = ["PATH", "PWD", "OLDPWD", "SHLVL", "_", "LLVM_PROFILE_FILE", "_X_AMZN_TRACE_ID"];
    let names: BTreeSet<&str> =
        variables.keys().map(String::as_str).filter(|name| !others.contains(name)).collect();
    let promised = BTreeSet::from([
        "AUDIT_TABLE",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ]);
    assert_eq!(names, promised);
    assert_eq!(variables["AWS_REGION"], "eu-central-1");
    assert_eq!(variables["AUDIT_TABLE"], "medzen-test");
    assert_eq!(variables["AWS_LAMBDA_LOG_STREAM_NAME"], lambda.environments()[0].environment);
}

#[tokio::test]
async fn an_idle_environment_serves_again() {
    let lambda = lambda(function()).await;
    let mut pids = BTreeSet::new();
    for _ in 0..20 {
        pids.insert(payload(&invoke(&lambda, json!({})).await)["pid"].as_u64());
    }
    assert_eq!(pids.len(), 1, "one after the other needs one process");
    let environments = lambda.environments();
    assert_eq!(environments.len(), 1);
    assert_eq!((environments[0].state, environments[0].invocations), (State::Idle, 20));
    assert_eq!(Some(Some(u64::from(environments[0].pid))), pids.pop_first());
}

#[tokio::test]
async fn simultaneous_invocations_have_environments_of_their_own_up_to_the_limit() {
    let lambda = lambda(Function { reserved_concurrency: Some(2), ..function() }).await;
    let meeting = Meeting::open().await;
    let event = json!({"do": "meet", "port": meeting.port()});
    let (first, second) = (background(&lambda, event.clone()), background(&lambda, event));
    let both = (meeting.arrival().await, meeting.arrival().await);

    let third = lambda.invoke("probe", Bytes::from_static(b"{}")).await;
    assert_eq!(third.err(), Some(InvokeError::Throttled("probe".to_owned())));
    assert!(lambda.environments().iter().all(|environment| environment.state == State::Busy));

    drop(both);
    let pids = [first.await, second.await].map(|ended| payload(&ended.expect("it ends"))["pid"].clone());
    assert_ne!(pids[0], pids[1]);
    invoke(&lambda, json!({})).await;
    assert_eq!(lambda.environments().len(), 2, "there is room again, in those that are idle");
}

#[tokio::test]
async fn an_invocation_that_takes_too_long_ends_with_its_process() {
    let lambda = lambda(Function { timeout: Duration::from_secs(1), ..function() }).await;
    let before = payload(&invoke(&lambda, json!({})).await)["pid"].as_u64().expect("a pid");
    let invoked = invoke(&lambda, json!({"do": "hang"})).await;
    assert_eq!(invoked.function_error.as_deref(), Some("Unhandled"));
    let message = format!("RequestId: {} Error: Task timed out after 1.00 seconds", invoked.request_id);
    assert_eq!(payload(&invoked), json!({"errorType": "Sandbox.Timedout", "errorMessage": message}));
    assert!(!alive(before), "the process that hung is dead");
    assert_eq!(lambda.environments(), []);
    let after = payload(&invoke(&lambda, json!({})).await)["pid"].as_u64();
    assert_ne!(after, Some(before));
}

#[tokio::test]
async fn a_process_that_exits_while_it_serves_fails_the_invocation() {
    let lambda = lambda(function()).await;
    let invoked = invoke(&lambda, json!({"do": "exit"})).await;
    let message =
        format!("RequestId: {} Error: Runtime exited with error: exit status 3", invoked.request_id);
    assert_eq!(payload(&invoked), json!({"errorType": "Runtime.ExitError", "errorMessage": message}));
    assert!(invoked.log_tail.contains("\ngiving up\n"), "{}", invoked.log_tail);
    assert!(lambda.logs().iter().any(|line| line.function == "probe" && line.line == "giving up"));
}

#[tokio::test]
async fn an_error_of_the_function_is_its_answer() {
    let lambda = lambda(function()).await;
    let invoked = invoke(&lambda, json!({"do": "fail"})).await;
    assert_eq!(invoked.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(payload(&invoked)["errorMessage"], "failed on request");
    assert_eq!(lambda.environments()[0].state, State::Idle, "it can serve on");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error() {
    let lambda = lambda(function()).await;
    let invoked = invoke(&lambda, json!({"do": "large"})).await;
    assert_eq!(payload(&invoked)["errorType"], "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_killed_environment_is_dead_when_the_kill_returns_and_ends_its_invocation() {
    let settings = settings();
    let identities = settings.identities.clone();
    let lambda = Lambda::start(&[function()], settings).await.expect("Lambda starts");
    let meeting = Meeting::open().await;
    let invocation = background(&lambda, json!({"do": "meet", "port": meeting.port()}));
    let _there = meeting.arrival().await;
    let environment = lambda.environments().remove(0);

    let caller = identities.by_environment(&environment.environment).expect("it is known");
    caller.kill().await;
    assert!(!alive(environment.pid.into()));
    let invoked = invocation.await.expect("the invocation ends");
    let message = payload(&invoked)["errorMessage"].as_str().unwrap_or_default().to_owned();
    assert!(message.ends_with("Error: Runtime exited with error: signal: killed"), "{message}");
    assert!(identities.by_environment(&environment.environment).is_none(), "its credentials are void");
    caller.kill().await; // dead already: returns at once
}

#[tokio::test]
async fn an_idle_environment_that_was_killed_is_replaced() {
    let settings = settings();
    let identities = settings.identities.clone();
    let lambda = Lambda::start(&[function()], settings).await.expect("Lambda starts");
    invoke(&lambda, json!({})).await;
    let idle = lambda.environments().remove(0);
    identities.by_environment(&idle.environment).expect("it is known").kill().await;
    let pid = payload(&invoke(&lambda, json!({})).await)["pid"].clone();
    assert_ne!(pid, idle.pid);
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_the_invocation() {
    let lambda = lambda(function_with("PROBE_INIT", "exit")).await;
    let invoked = invoke(&lambda, json!({})).await;
    assert_eq!(payload(&invoked)["errorType"], "Runtime.ExitError");
    assert!(invoked.log_tail.contains("cannot start"), "{}", invoked.log_tail);
}

#[tokio::test]
async fn a_process_that_never_asks_for_an_event_is_killed() {
    let settings = Settings { init_timeout: Duration::from_millis(300), ..settings() };
    let function = function_with("PROBE_INIT", "hang");
    let lambda = Lambda::start(&[function], settings).await.expect("Lambda starts");
    let invoked = invoke(&lambda, json!({})).await;
    assert_eq!(payload(&invoked)["errorType"], "Sandbox.Timedout");
    assert_eq!(lambda.environments(), []);
}

#[tokio::test]
async fn an_invocation_goes_on_without_its_caller() {
    let lambda = lambda(function()).await;
    let meeting = Meeting::open().await;
    let invocation = background(&lambda, json!({"do": "meet", "port": meeting.port()}));
    let there = meeting.arrival().await;
    invocation.abort();
    drop(there);
    let idle = || lambda.environments().first().is_some_and(|it| it.state == State::Idle);
    eventually("the environment is idle", idle).await;
}

#[tokio::test]
async fn stopping_kills_and_ends_what_runs() {
    let lambda = lambda(function()).await;
    let meeting = Meeting::open().await;
    let invocation = background(&lambda, json!({"do": "meet", "port": meeting.port()}));
    let _there = meeting.arrival().await;
    let pid = lambda.environments()[0].pid;
    lambda.stop().await;
    assert!(!alive(pid.into()));
    let invoked = invocation.await.expect("the invocation ends");
    assert_eq!(payload(&invoked)["errorType"], "Runtime.ExitError");
    let after = lambda.invoke("probe", Bytes::from_static(b"{}")).await;
    assert_eq!(after.err(), Some(InvokeError::Stopped));
}

#[tokio::test]
async fn dropping_lambda_kills() {
    let lambda = lambda(function()).await;
    invoke(&lambda, json!({})).await;
    let pid = lambda.environments()[0].pid;
    drop(lambda);
    eventually("the process is dead", || !alive(pid.into())).await;
}

#[tokio::test]
async fn a_function_without_an_executable_fails_the_start() {
    let missing = Function { name: "missing".to_owned(), ..function() };
    let started = Lambda::start(&[missing], settings()).await;
    match started.err() {
        Some(StartError::NoBinary { function, path }) => {
            assert_eq!((function.as_str(), path), ("missing", binaries().join("missing")));
        }
        other => assert!(other.is_some(), "it must not start"),
    }
}
