#![doc = include_str!("../README.md")]

mod config;
mod wire;

use std::sync::Arc;

use bus::Bus;
use calls::request::{EndOptions, JoinOptions, WhichCall};
use calls::{Asked, Calls, Entry, LinkBases, POLL_SECONDS};
use chime::Meetings;
use domain::Error;
use domain::call::Target;
use domain::error::reason;
use domain::id::AppointmentId;
use runtime::{Answer, Message, Messages, Request, Route, Trigger, secret_reader};
use serde_json::json;
use store::Store;

pub use config::Config;

use crate::wire::{Action, ActionBody, BatchJoinBody, CreateBody, LinkBody, StartBody};

/// The detail type of an event that announces a pending operation of this function.
const OPERATION_PENDING: &str = "Operation Pending";

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
        let store =
            Store::connect(secret_reader(&sdk, &config.database_secret_arn), &config.environment).await;
        Ok(Self {
            calls: Calls::new(
                store,
                Meetings::new(sdk.clone()),
                Bus::new(&sdk, &config.bus),
                config.calls.clone(),
            ),
            links: config.links.clone(),
        })
    }
}

/// Routes a trigger to its use case.
///
/// # Errors
/// As the use case says; 404 for a route that is not this function's.
pub async fn handle(app: Arc<App>, trigger: Trigger) -> Result<Answer, Error> {
    match trigger {
        Trigger::Schedule(origin) => {
            app.calls.reconcile(&origin).await?;
            Ok(Answer::done())
        }
        Trigger::Messages(messages) => run_pending(&app.calls, &messages).await,
        Trigger::Request(request) => {
            let outcome = answer(&app, &request).await;
            let asked = Asked {
                actor: request.actor().ok(),
                target: request
                    .path("appointmentId")
                    .map(Target::Appointment)
                    .or_else(|_| which(&request))
                    .ok(),
                route: request.route.name(),
                origin: &request.origin,
            };
            app.calls.witness(asked, outcome).await
        }
    }
}

/// Events `Operation Pending` of our own bus start a run of the reconciler before its next minute. The events of one batch
/// share one run; a run that fails returns all of them to the queue.
async fn run_pending(calls: &Calls, messages: &Messages) -> Result<Answer, Error> {
    let is_pending = |message: &Message| message.event.detail_type == OPERATION_PENDING;
    if messages.list.iter().any(is_pending) {
        calls.reconcile(&messages.origin).await?;
    }
    let outcome = |message| match is_pending(message) {
        true => Ok(()),
        false => Err(Error::invalid("detail-type", "must be Operation Pending")),
    };
    Ok(messages.answer(messages.list.iter().map(outcome)))
}

async fn answer(app: &App, request: &Request) -> Result<Answer, Error> {
    let calls = &app.calls;
    match &request.route {
        Route::Direct => act(app, request).await,
        Route::Http(key) => match key.as_str() {
            "POST /appointments/{appointmentId}/call" => {
                let body: StartBody = request.json()?;
                start(calls, request, &body.for_appointment(request.path("appointmentId")?)?).await
            }
            "GET /appointments/{appointmentId}/call" => {
                let target = Target::Appointment(request.path("appointmentId")?);
                Answer::json(200, &calls.status(request.actor()?, target).await?)
            }
            "DELETE /appointments/{appointmentId}/call" => {
                let target = Target::Appointment(request.path("appointmentId")?);
                end(calls, request, target).await
            }
            "GET /appointments/{appointmentId}/call/link" => {
                link(app, request, request.path("appointmentId")?).await
            }
            "POST /meetings" => act(app, request).await,
            "GET /health" => {
                calls.health().await?;
                Answer::json(200, &json!({ "status": "ok" }))
            }
            _ => Err(Error::NotFound(reason::ROUTE_NOT_FOUND)),
        },
    }
}

/// The existing app's contract: one route, the action in the body.
async fn act(app: &App, request: &Request) -> Result<Answer, Error> {
    let calls = &app.calls;
    let ActionBody { action } = request.json()?;
    match action {
        Action::Create => {
            let (CreateBody { appointment_id }, body) = (request.json()?, request.json::<StartBody>()?);
            start(calls, request, &body.for_appointment(appointment_id)?).await
        }
        Action::Join => {
            let (target, options) = (which(request)?, request.json::<JoinOptions>()?);
            let entry = calls.join(request.actor()?, target, options.checked, &request.origin).await?;
            match &entry {
                Entry::Place(_) => Answer::json(200, &entry),
                Entry::Waiting(waiting) => Ok(Answer::json(202, &entry)?
                    .with_header("location", &waiting.poll)
                    .with_header("retry-after", POLL_SECONDS.to_string())),
            }
        }
        Action::Leave => {
            let target = which(request)?;
            Answer::json(200, &calls.leave(request.actor()?, target, &request.origin).await?)
        }
        Action::End => end(calls, request, which(request)?).await,
        Action::GetStatus => Answer::json(200, &calls.status(request.actor()?, which(request)?).await?),
        Action::GetLink => {
            let LinkBody { appointment_id } = request.json()?;
            link(app, request, appointment_id).await
        }
        Action::BatchJoin => {
            let body: BatchJoinBody = request.json()?;
            let (actor, terms, origin) = (request.actor()?, body.terms()?, &request.origin);
            let invited = calls.invite(actor, body.appointment_id, &body.user_ids, terms, origin).await?;
            Answer::json(200, &invited)
        }
    }
}

async fn start(calls: &Calls, request: &Request, new: &calls::NewCall) -> Result<Answer, Error> {
    let started = calls.start(request.actor()?, new, &request.origin).await?;
    Answer::json(if started.new { 201 } else { 200 }, &started.place)
}

async fn end(calls: &Calls, request: &Request, target: Target) -> Result<Answer, Error> {
    let EndOptions { session_id } = request.json()?;
    Answer::json(200, &calls.end(request.actor()?, target, session_id, &request.origin).await?)
}

async fn link(app: &App, request: &Request, appointment: AppointmentId) -> Result<Answer, Error> {
    Answer::json(200, &app.calls.link(request.actor()?, appointment, &app.links).await?)
}

fn which(request: &Request) -> Result<Target, Error> {
    request.json::<WhichCall>()?.target()
}
