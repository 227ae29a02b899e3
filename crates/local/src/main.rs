//! `local run` deploys the templates on this machine; `local postgres stop` stops the PostgreSQL server unless it is in use.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use local::chime;
use local::cloud::{Cloud, Options, Ports};
use local::media::{MediaOptions, Signaling};
use local::seed::Host;
use local_postgres::{Stopped, checkout};
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["run"] => run().await,
        ["postgres", "stop"] => stop_postgres().await,
        _ => {
            eprintln!("usage: local run | local postgres stop");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn stop_postgres() -> Result<(), Failure> {
    match local_postgres::stop(&checkout::root()?).await? {
        Stopped::Yes => Ok(()),
        Stopped::InUse => Err("PostgreSQL keeps running: another process uses it".into()),
    }
}

fn port(name: &str, default: u16) -> Result<u16, Failure> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} must be a port").into()),
        Err(_) => Ok(default),
    }
}

/// Parameters of the templates beside those of `infra/params/local.json`: `LOCAL_PARAMETERS='{"WaitingRoom": "on"}'`.
fn parameters() -> Result<BTreeMap<String, String>, Failure> {
    let Ok(text) = std::env::var("LOCAL_PARAMETERS") else { return Ok(BTreeMap::new()) };
    serde_json::from_str(&text)
        .map_err(|error| format!("LOCAL_PARAMETERS must be a JSON object of texts: {error}").into())
}

fn media() -> Result<MediaOptions, Failure> {
    let address = std::env::var("LOCAL_MEDIA_ADDRESS").ok();
    let address =
        address.map(|text| text.parse().map_err(|_| format!("LOCAL_MEDIA_ADDRESS is no IP address: {text}")));
    Ok(MediaOptions {
        port: port("LOCAL_MEDIA_PORT", 8082)?,
        signaling: signaling()?,
        address: address.transpose()?,
    })
}

/// `LOCAL_SIGNALING`: `loopback` for any browser, `aws` for one whose resolver leads Chime's hosts here.
fn signaling() -> Result<Signaling, Failure> {
    match std::env::var("LOCAL_SIGNALING").as_deref() {
        Err(_) | Ok("loopback") => Ok(Signaling::Loopback),
        Ok("aws") => Ok(Signaling::AsOnAws),
        Ok(other) => Err(format!("LOCAL_SIGNALING is neither loopback nor aws: {other}").into()),
    }
}

async fn run() -> Result<(), Failure> {
    let began = Instant::now();
    let executable = std::env::current_exe()?;
    let binaries = executable.parent().ok_or("this program is in no directory")?.to_owned();
    let ports = Ports {
        aws: port("LOCAL_AWS_PORT", 4566)?,
        api: port("LOCAL_API_PORT", 8080)?,
        invoke: port("LOCAL_INVOKE_PORT", 9000)?,
        postgres: port("LOCAL_PG_PORT", 54329)?,
        page: port("LOCAL_PAGE_PORT", 8081)?,
    };
    let workspace = checkout::root()?;
    let built = workspace.join("target/page");
    // Before the start, so that Ctrl-C during it is not lost.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let event_delivery = chime::EventDelivery::LikeChime { seed: fastrand::u64(..) };
    let options = Options {
        workspace: workspace.clone(),
        binaries,
        ports,
        database: std::env::var("LOCAL_DATABASE").unwrap_or_else(|_| "medzen".to_owned()),
        host: Host::default(),
        auto_schedules: true,
        hold_queues: false,
        echo: true,
        chime: chime::Options { event_delivery, ..chime::Options::default() },
        media: Some(media()?),
        page: built.join("manifest.json").exists().then_some(built),
        parameters: parameters()?,
    };
    let cloud = tokio::select! {
        cloud = Cloud::start(options) => cloud?,
        _ = interrupt.recv() => {
            // Another process may use the server; then it keeps running.
            local_postgres::stop(&workspace).await?;
            return Ok(());
        }
    };
    println!("{}", local::guide::text(&cloud, began.elapsed())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!("stopping");
    let server = cloud.server().clone();
    cloud.stop().await?;
    // Another process may use the server; then it keeps running.
    server.stop().await?;
    Ok(())
}
