#![doc = include_str!("../README.md")]

mod config;
mod wire;

use std::sync::Arc;

use calls::Calls;
use calls::request::{EndOptions, JoinOptions, WhichCall};
use chime::Meetings;
use domain::Error;
use domain::call::Target;
use domain::error::reason;
use runtime::{Answer, Request, Route, Trigger, secret_reader};
use serde_json::json;
use store::Store;

pub use config::Config;

use crate::wire::{Action, ActionBody, CreateBody, StartBody};

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
    };
    let calls = &app.calls;
    match &request.route {
        Route::Direct => act(calls, &request).await,
        Route::Http(key) => match key.as_str() {
            "POST /appointments/{appointmentId}/call" => {
                let body: StartBody = request.json()?;
                start(calls, &request, &body.for_appointment(request.path("appointmentId")?)?).await
            }
            "GET /appointments/{appointmentId}/call" => {
                let target = Target::Appointment(request.path("appointmentId")?);
                Answer::json(200, &calls.status(request.actor()?, target).await?)
            }
            "DELETE /appointments/{appointmentId}/call" => {
                let target = Target::Appointment(request.path("appointmentId")?);
                end(calls, &request, target).await
            }
            "POST /meetings" => act(calls, &request).await,
            "GET /health" => {
                calls.health().await?;
                Answer::json(200, &json!({ "status": "ok" }))
            }
            _ => Err(Error::NotFound(reason::ROUTE_NOT_FOUND)),
        },
    }
}

/// The existing app's contract: one route, the action in the body.
async fn act(calls: &Calls, request: &Request) -> Result<Answer, Error> {
    let ActionBody { action } = request.json()?;
    match action {
        Action::Create => {
            let (CreateBody { appointment_id }, body) = (request.json()?, request.json::<StartBody>()?);
            start(calls, request, &body.for_appointment(appointment_id)?).await
        }
        Action::Join => {
            let (target, options) = (which(request)?, request.json::<JoinOptions>()?);
            let place = calls.join(request.actor()?, target, options.checked, &request.origin).await?;
            Answer::json(200, &place)
        }
        Action::Leave => {
            let target = which(request)?;
            Answer::json(200, &calls.leave(request.actor()?, target, &request.origin).await?)
        }
        Action::End => end(calls, request, which(request)?).await,
        Action::GetStatus => Answer::json(200, &calls.status(request.actor()?, which(request)?).await?),
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

fn which(request: &Request) -> Result<Target, Error> {
    request.json::<WhichCall>()?.target()
}
