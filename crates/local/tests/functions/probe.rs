//! The function of these tests: this very test program, started once more by a script of the function's name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use local::identity::Identities;
use local::lambda::{Lambda, Settings};
use local_template::plan::{Asynchronous, Function, Permission};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Written once, before any process starts: a script that is still open for writing cannot be run. Moved into its
/// place, since another run of the tests may be using it.
static BINARIES: LazyLock<PathBuf> = LazyLock::new(|| {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("functions");
    std::fs::create_dir_all(&directory).expect("a directory under target");
    let this = std::env::current_exe().expect("this program");
    let script =
        format!("#!/bin/sh\nexec '{}' --exact probe::process --ignored --nocapture\n", this.display());
    let draft = directory.join(format!("probe.{}", std::process::id()));
    std::fs::write(&draft, script).expect("the script is written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&draft, executable).expect("the script is executable");
    std::fs::rename(draft, directory.join("probe")).expect("the script is in its place");
    directory
});

/// Where the function `probe` lies.
pub(crate) fn binaries() -> PathBuf {
    BINARIES.clone()
}

/// The function `probe`, open to API Gateway and `EventBridge`.
pub(crate) fn function() -> Function {
    let permission = |principal: &str| Permission { principal: principal.to_owned(), source_arn: None };
    Function {
        name: "probe".to_owned(),
        arn: "arn:aws:lambda:eu-central-1:000000000000:function:probe".to_owned(),
        memory_mb: 256,
        timeout: Duration::from_mins(1),
        reserved_concurrency: None,
        asynchronous: Asynchronous::OF_LAMBDA,
        environment: BTreeMap::new(),
        role_arn: String::new(),
        role: Vec::new(),
        permissions: vec![permission("apigateway.amazonaws.com"), permission("events.amazonaws.com")],
    }
}

/// The same with one variable.
pub(crate) fn function_with(name: &str, value: &str) -> Function {
    Function { environment: BTreeMap::from([(name.to_owned(), value.to_owned())]), ..function() }
}

pub(crate) fn settings() -> Settings {
    Settings::new(binaries(), Identities::default(), "http://127.0.0.1:4566")
}

pub(crate) async fn lambda(function: Function) -> Lambda {
    Lambda::start(&[function], settings()).await.expect("Lambda starts")
}

/// A barrier where functions invoked with `{"do": "meet", "port": ...}` wait until they are released.
pub(crate) struct Meeting(TcpListener);

impl Meeting {
    pub(crate) async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("it listens").port()
    }

    /// Waits until one more function is there. Dropping it lets the function go.
    pub(crate) async fn arrival(&self) -> TcpStream {
        let arrived = tokio::time::timeout(Duration::from_secs(30), self.0.accept()).await;
        arrived.expect("a function arrives in time").expect("it connects").0
    }

    /// The event of a function with `PROBE_REPORT`.
    pub(crate) async fn report(&self) -> Value {
        let mut text = Vec::new();
        self.arrival().await.read_to_end(&mut text).await.expect("the report is read");
        serde_json::from_slice(&text).expect("the report is JSON")
    }
}

#[tokio::test]
#[ignore = "no test: the function's process, which the tests start"]
async fn process() -> Result<(), Error> {
    match std::env::var("PROBE_INIT").as_deref() {
        Ok("exit") => {
            eprintln!("cannot start");
            std::process::exit(7);
        }
        Ok("hang") => std::future::pending().await,
        _ => {}
    }
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Ok(()); // somebody runs all ignored tests
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    if let Ok(port) = std::env::var("PROBE_REPORT") {
        let mut to = TcpStream::connect(("127.0.0.1", port.parse::<u16>()?)).await?;
        to.write_all(event.to_string().as_bytes()).await?;
    }
    if let Some(records) = event["Records"].as_array() {
        return run_batch(records).await;
    }
    // The command is in the event or, for one of API Gateway, in its body.
    let body = event["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let order = body.unwrap_or_else(|| event.clone());
    match order["do"].as_str().unwrap_or("echo") {
        "say" => println!("{}", order["line"].as_str().unwrap_or_default()),
        "exit" => {
            eprintln!("giving up");
            std::process::exit(3);
        }
        "hang" => std::future::pending().await,
        "fail" => return Err("failed on request".into()),
        "answer" => return Ok(order["answer"].clone()),
        "large" => return Ok("x".repeat(7 * 1024 * 1024).into()),
        "meet" => {
            let port = u16::try_from(order["port"].as_u64().unwrap_or_default())?;
            let mut meeting = TcpStream::connect(("127.0.0.1", port)).await?;
            meeting.read_to_end(&mut Vec::new()).await?;
        }
        _ => {}
    }
    Ok(json!({
        "event": event,
        "pid": std::process::id(),
        "variables": std::env::vars().collect::<BTreeMap<_, _>>(),
        "context": {
            "requestId": context.request_id,
            "deadline": context.deadline,
            "arn": context.invoked_function_arn,
            "client": context.client_context,
        },
    }))
}

/// Processes a batch from a queue: logs the events' ids and carries out the command in each event's detail.
async fn run_batch(records: &[Value]) -> Result<Value, Error> {
    let (mut ids, mut failures) = (Vec::new(), Vec::new());
    let mut breaks = None;
    for record in records {
        let event: Value = serde_json::from_str(record["body"].as_str().unwrap_or_default())?;
        ids.push(event["id"].as_str().unwrap_or_default().to_owned());
        let (order, first) = (&event["detail"], record["attributes"]["ApproximateReceiveCount"] == "1");
        match order["do"].as_str().unwrap_or_default() {
            "fail" => failures.push(json!({ "itemIdentifier": record["messageId"] })),
            "fail-first" if first => failures.push(json!({ "itemIdentifier": record["messageId"] })),
            "meet" => {
                let port = u16::try_from(order["port"].as_u64().unwrap_or_default())?;
                breaks = Some(("meet", port));
            }
            "break" => breaks = Some(("break", 0)),
            "exit" => breaks = Some(("exit", 0)),
            "garble" => breaks = Some(("garble", 0)),
            _ => {}
        }
    }
    println!("received {}", ids.join(" "));
    match breaks {
        Some(("meet", port)) => {
            let mut meeting = TcpStream::connect(("127.0.0.1", port)).await?;
            meeting.read_to_end(&mut Vec::new()).await?;
        }
        Some(("break", _)) => return Err("failed on request".into()),
        Some(("exit", _)) => std::process::exit(3),
        Some(_) => return Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "" }] })),
        None => {}
    }
    Ok(json!({ "batchItemFailures": failures }))
}
