#![doc = include_str!("../README.md")]

mod config;

use api::attendees::JoinRequest;
use api::call::{EndRequest, HealthResponse, StartRequest};
use api::invitations::InviteRequest;
use bus::OPERATION_PENDING;
use calls::{Calls, LinkBases, NewCall, ReconcilerRun, RequestInfo};
use domain::Error;
use domain::audit::Origin;
use domain::error::Reason;
use runtime::metrics::{self, Metric};
use runtime::{Answer, Function, Message, Messages, Request, handlers, secret_reader};
use store::Store;

pub use config::Config;

/// The function's routes, and what its other triggers do.
pub const FUNCTION: Function<App> = Function {
    routes: handlers! {
        "POST /appointments/{appointmentId}/call" => start,
        "GET /appointments/{appointmentId}/call" => status,
        "DELETE /appointments/{appointmentId}/call" => end,
        "GET /appointments/{appointmentId}/call/link" => link,
        "GET /health" => health,
    },
    // The existing app's contract.
    action_route: Some("POST /meetings"),
    actions: handlers! {
        "create" => start,
        "join" => join,
        "leave" => leave,
        "end" => end,
        "get-status" => status,
        "get-link" => link,
        "batch-join" => invite,
    },
    on_schedule: Some(|app, origin| Box::pin(reconcile(app, origin))),
    on_messages: Some(|app, messages| Box::pin(run_pending(app, messages))),
    on_denial: Some(|app, request, reason| Box::pin(audit_denial(app, request, reason))),
};

/// The function's backends.
#[derive(Debug)]
pub struct App {
    calls: Calls,
    links: LinkBases,
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
        let calls = Calls::new(store, &sdk, &config.calls.bus, config.calls.settings.clone());
        Ok(Self { calls, links: config.links.clone() })
    }
}

async fn start(app: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    let body: StartRequest = request.json()?;
    let new = NewCall {
        appointment,
        recording: body.enable_recording,
        transcription: body.enable_transcription,
        transcription_language: body.language()?,
        media_region: body.media_region,
        checked: body.checked,
    };
    let started = app.calls.start(request.actor()?, &new, &request.origin).await?;
    if started.new { Answer::json(201, &started.response) } else { Answer::join(&started.response) }
}

async fn status(app: &App, request: &Request) -> Result<Answer, Error> {
    let target = request.target()?;
    Answer::json(200, &app.calls.status(request.actor()?, target, &request.origin).await?)
}

async fn join(app: &App, request: &Request) -> Result<Answer, Error> {
    let (target, join) = (request.target()?, request.json::<JoinRequest>()?);
    Answer::join(&app.calls.join(request.actor()?, target, join, &request.origin).await?)
}

async fn leave(app: &App, request: &Request) -> Result<Answer, Error> {
    let target = request.target()?;
    Answer::json(200, &app.calls.leave(request.actor()?, target, &request.origin).await?)
}

async fn end(app: &App, request: &Request) -> Result<Answer, Error> {
    let (target, EndRequest { session_id }) = (request.target()?, request.json()?);
    Answer::json(200, &app.calls.end(request.actor()?, target, session_id, &request.origin).await?)
}

async fn link(app: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    Answer::json(200, &app.calls.link(request.actor()?, appointment, &app.links, &request.origin).await?)
}

async fn invite(app: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    let body: InviteRequest = request.json()?;
    let (actor, terms, origin) = (request.actor()?, body.terms()?, &request.origin);
    Answer::json(200, &app.calls.invite(actor, appointment, &body.user_ids, terms, origin).await?)
}

async fn health(app: &App, _: &Request) -> Result<Answer, Error> {
    app.calls.health().await?;
    Answer::json(200, &HealthResponse { status: "ok" })
}

async fn reconcile(app: &App, origin: &Origin) -> Result<(), Error> {
    let Some(ReconcilerRun { report, failure }) = app.calls.reconcile(origin).await? else { return Ok(()) };
    let mut values = vec![
        (Metric::SessionsRepaired, report.sessions_repaired),
        (Metric::MissedMeetingEvents, report.missed_meeting_events),
    ];
    values
        .extend(report.operations_exhausted.map(|exhausted| (Metric::PendingOperationsExhausted, exhausted)));
    metrics::emit(&values);
    failure.map_or(Ok(()), Err)
}

/// Events `Operation Pending` of our own bus execute due operations before the next minute. The events of one batch share one
/// run; a run that fails returns all of them to the queue.
async fn run_pending(app: &App, messages: &Messages) -> Result<Answer, Error> {
    let is_pending = |message: &Message| message.event.detail_type == OPERATION_PENDING;
    if messages.list.iter().any(is_pending) {
        app.calls.run_pending(&messages.origin).await?;
    }
    let outcome = |message| {
        if is_pending(message) {
            Ok(())
        } else {
            Err(Error::invalid("detail-type", "must be Operation Pending"))
        }
    };
    Ok(messages.answer(messages.list.iter().map(outcome)))
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
