#![doc = include_str!("../README.md")]

mod config;
mod wire;

use std::sync::Arc;

use calls::request::{JoinOptions, WhichCall};
use calls::{Asked, Calls};
use chime::Meetings;
use domain::Error;
use domain::call::Target;
use domain::error::reason;
use domain::id::AppointmentId;
use runtime::{Answer, Messages, Request, Route, Trigger, secret_reader};
use store::Store;

pub use config::Config;

use crate::wire::{Action, ActionBody, RosterBody};

/// The function's backends.
#[derive(Debug)]
pub struct App {
    calls: Calls,
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
        Ok(Self { calls: Calls::new(store, Meetings::new(sdk), config.calls.clone()) })
    }
}

/// Routes a trigger to its use case.
///
/// # Errors
/// As the use case says; 404 for a route that is not this function's.
pub async fn handle(app: Arc<App>, trigger: Trigger) -> Result<Answer, Error> {
    let request = match trigger {
        Trigger::Request(request) => request,
        Trigger::Schedule(_) => return Err(Error::NotFound(reason::ROUTE_NOT_FOUND)),
        Trigger::Messages(messages) => return Ok(hear(&messages)),
    };
    let outcome = answer(&app.calls, &request).await;
    let asked = Asked {
        actor: request.actor().ok(),
        target: request.path("appointmentId").map(Target::Appointment).or_else(|_| which(&request)).ok(),
        route: request.route.name(),
        origin: &request.origin,
    };
    app.calls.witness(asked, outcome).await
}

/// Chime's events: taken, and nothing done with them yet.
fn hear(messages: &Messages) -> Answer {
    messages.answer(messages.list.iter().map(|_| Ok(())))
}

async fn answer(calls: &Calls, request: &Request) -> Result<Answer, Error> {
    match &request.route {
        Route::Direct => act(calls, request).await,
        Route::Http(key) => match key.as_str() {
            "POST /appointments/{appointmentId}/call/attendees" => {
                let target = Target::Appointment(request.path("appointmentId")?);
                join(calls, request, target).await
            }
            "GET /appointments/{appointmentId}/call/attendees" => {
                roster(calls, request, request.path("appointmentId")?).await
            }
            "DELETE /appointments/{appointmentId}/call/attendees/me" => {
                let target = Target::Appointment(request.path("appointmentId")?);
                leave(calls, request, target).await
            }
            _ => Err(Error::NotFound(reason::ROUTE_NOT_FOUND)),
        },
    }
}

/// A direct invocation: the action in the body.
async fn act(calls: &Calls, request: &Request) -> Result<Answer, Error> {
    let ActionBody { action } = request.json()?;
    match action {
        Action::Join => join(calls, request, which(request)?).await,
        Action::Leave => leave(calls, request, which(request)?).await,
        Action::Roster => {
            let RosterBody { appointment_id } = request.json()?;
            roster(calls, request, appointment_id).await
        }
    }
}

async fn join(calls: &Calls, request: &Request, target: Target) -> Result<Answer, Error> {
    let JoinOptions { checked } = request.json()?;
    Answer::json(200, &calls.join(request.actor()?, target, checked, &request.origin).await?)
}

async fn leave(calls: &Calls, request: &Request, target: Target) -> Result<Answer, Error> {
    Answer::json(200, &calls.leave(request.actor()?, target, &request.origin).await?)
}

async fn roster(calls: &Calls, request: &Request, appointment: AppointmentId) -> Result<Answer, Error> {
    Answer::json(200, &calls.roster(request.actor()?, appointment, &request.origin).await?)
}

fn which(request: &Request) -> Result<Target, Error> {
    request.json::<WhichCall>()?.target()
}
