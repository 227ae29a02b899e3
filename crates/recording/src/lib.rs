#![doc = include_str!("../README.md")]

mod config;
mod control;
mod deletion;
mod events;
mod hold;
mod list;
mod orphans;
mod overdue;
mod pipelines;
mod prefixes;
mod schedule;
mod segments;
mod steps;

use api::recordings::{PlaybackOptions, RecordingSelector};
use calls::{Calls, RequestInfo};
use domain::Error;
use domain::error::Reason;
use domain::id::RecordingId;
use domain::recording::Layout;
use domain::recording::control::Request as Control;
use domain::recording::rights::Rights;
use objects::{Holds, Objects, PlaybackLinks};
use runtime::{Answer, Function, Request, handlers, secret_reader};
use store::Store;

pub use config::Config;

use control::Started;
use list::LinksFor;

/// The function's routes, and what its other triggers do.
pub const FUNCTION: Function<App> = Function {
    routes: handlers! {
        "POST /appointments/{appointmentId}/call/recordings" => start,
        "DELETE /appointments/{appointmentId}/call/recordings" => withdraw,
        "GET /appointments/{appointmentId}/recordings" => list,
        "GET /recordings/{recordingId}" => get,
        "POST /recordings/{recordingId}/stop" => stop,
        "POST /recordings/{recordingId}/pause" => pause,
        "POST /recordings/{recordingId}/resume" => resume,
        "GET /recordings/{recordingId}/playback" => playback,
        "DELETE /recordings/{recordingId}" => delete,
    },
    actions: handlers! {
        "start" => start,
        "withdraw" => withdraw,
        "list" => list,
        "get" => get,
        "stop" => stop,
        "pause" => pause,
        "resume" => resume,
        "playback" => playback,
        "delete" => delete,
    },
    on_schedule: Some(|app, origin| Box::pin(app.run(origin))),
    on_messages: Some(|app, messages| Box::pin(app.handle(messages))),
    on_denial: Some(|app, request, reason| Box::pin(audit_denial(app, request, reason))),
    ..Function::EMPTY
};

/// The function's backends.
#[derive(Debug)]
pub struct App {
    calls: Calls,
    objects: Objects,
    links: PlaybackLinks,
    holds: Holds,
    bucket_arn: String,
    /// Where meetings and their pipelines are created.
    region: String,
    layout: Layout,
    rights: Rights,
    retention: time::Duration,
}

impl App {
    /// Builds the clients and tries the connections. A backend that is down is no reason to fail.
    ///
    /// # Errors
    /// When the configuration is incomplete.
    pub async fn connect(config: &Config) -> Result<Self, runtime::Error> {
        let sdk = runtime::sdk_config()?;
        let base = &config.base;
        let store = Store::connect(secret_reader(&sdk, &base.database_secret_arn), &base.environment).await;
        let settings = config.calls.settings.clone();
        let region = settings.control_region.clone();
        Ok(Self {
            calls: Calls::new(store, &sdk, &config.calls.bus, settings),
            objects: Objects::new(&sdk, &config.bucket),
            links: PlaybackLinks::new(&sdk, &config.playback_role_arn, &config.bucket),
            holds: Holds::new(&sdk, &config.hold_role_arn, &config.bucket),
            bucket_arn: config.bucket_arn.clone(),
            region,
            layout: config.layout,
            rights: config.rights.clone(),
            retention: time::Duration::days(config.retention_days.into()),
        })
    }
}

async fn start(app: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    let Started { recording, new } = app.start(request.actor()?, appointment, &request.origin).await?;
    Answer::json(if new { 201 } else { 200 }, &recording)
}

async fn withdraw(app: &App, request: &Request) -> Result<Answer, Error> {
    Answer::json(200, &app.withdraw(request.actor()?, request.appointment()?, &request.origin).await?)
}

async fn list(app: &App, request: &Request) -> Result<Answer, Error> {
    Answer::json(200, &app.list(request.actor()?, request.appointment()?).await?)
}

async fn get(app: &App, request: &Request) -> Result<Answer, Error> {
    Answer::json(200, &app.recording(request.actor()?, recording(request)?).await?)
}

async fn stop(app: &App, request: &Request) -> Result<Answer, Error> {
    control(app, request, Control::Stop).await
}

async fn pause(app: &App, request: &Request) -> Result<Answer, Error> {
    control(app, request, Control::Pause).await
}

async fn resume(app: &App, request: &Request) -> Result<Answer, Error> {
    control(app, request, Control::Resume).await
}

async fn control(app: &App, request: &Request, of: fn(RecordingId) -> Control) -> Result<Answer, Error> {
    let id = recording(request)?;
    Answer::json(200, &app.control(request.actor()?, id, of(id), &request.origin).await?)
}

async fn playback(app: &App, request: &Request) -> Result<Answer, Error> {
    let id = recording(request)?;
    let download = if request.has_parameter("recordingId") {
        request.flag("download")?
    } else {
        request.json::<PlaybackOptions>()?.download
    };
    let links = if download { LinksFor::Saving } else { LinksFor::Playing };
    Answer::json(200, &app.playback(request.actor()?, id, links, &request.origin).await?)
}

async fn delete(app: &App, request: &Request) -> Result<Answer, Error> {
    let id = recording(request)?;
    Answer::json(202, &app.delete(request.actor()?, id, &request.origin).await?)
}

/// The recording that the request is about: from the route's path, else from the body.
fn recording(request: &Request) -> Result<RecordingId, Error> {
    if request.has_parameter("recordingId") {
        return request.path("recordingId");
    }
    let RecordingSelector { recording_id } = request.json()?;
    Ok(recording_id)
}

async fn audit_denial(app: &App, request: &Request, reason: Reason<403>) {
    let info = RequestInfo {
        actor: request.actor().ok(),
        target: request.target().ok(),
        ids: request.named_ids(),
        route: request.route.name(),
        origin: &request.origin,
    };
    app.calls.audit_denial(info, reason).await;
}
