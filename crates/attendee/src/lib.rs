#![doc = include_str!("../README.md")]

mod config;
mod wire;

use std::sync::Arc;

use bus::Bus;
use calls::request::{ChangeOptions, ConsentOptions, JoinOptions, Samples, WhichCall};
use calls::{Calls, Entry, POLL_SECONDS, RequestInfo};
use chime::{Meetings, event};
use domain::Error;
use domain::call::Target;
use domain::error::reason;
use domain::id::{AppointmentId, UserId};
use runtime::{Answer, Messages, Request, Route, Trigger, secret_reader};
use store::Store;

pub use config::Config;

use crate::wire::{Action, ActionBody, AppointmentBody, ParticipantBody};

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
        Ok(Self {
            calls: Calls::new(
                store,
                Meetings::new(sdk.clone()),
                Bus::new(&sdk, &config.bus),
                config.calls.clone(),
            ),
        })
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
        Trigger::Messages(messages) => return Ok(handle_events(&app.calls, &messages).await),
    };
    let outcome = answer(&app.calls, &request).await;
    let asked = RequestInfo {
        actor: request.actor().ok(),
        target: request.path("appointmentId").map(Target::Appointment).or_else(|_| which(&request)).ok(),
        route: request.route.name(),
        origin: &request.origin,
    };
    app.calls.audit_denial(asked, outcome).await
}

/// Chime's events of meetings and those in them.
async fn handle_events(calls: &Calls, messages: &Messages) -> Answer {
    let events = messages.list.iter().map(|message| {
        let runtime::Envelope { id, detail_type, region, detail, .. } = &message.event;
        event::read(event::Envelope { id, detail_type, region, detail: detail.get() })
    });
    messages.answer(calls.handle_chime_events(events.collect(), &messages.origin).await)
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
            "PATCH /appointments/{appointmentId}/call/attendees/{userId}" => {
                let (appointment, user) = (request.path("appointmentId")?, request.path("userId")?);
                change(calls, request, appointment, user).await
            }
            "DELETE /appointments/{appointmentId}/call/attendees/{userId}" => {
                let (appointment, user) = (request.path("appointmentId")?, request.path("userId")?);
                remove(calls, request, appointment, user).await
            }
            "PUT /appointments/{appointmentId}/call/consent" => {
                consent(calls, request, request.path("appointmentId")?).await
            }
            "POST /appointments/{appointmentId}/call/quality" => {
                quality(calls, request, request.path("appointmentId")?).await
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
            let AppointmentBody { appointment_id } = request.json()?;
            roster(calls, request, appointment_id).await
        }
        Action::Change => {
            let ParticipantBody { appointment_id, participant_id } = request.json()?;
            change(calls, request, appointment_id, participant_id).await
        }
        Action::Remove => {
            let ParticipantBody { appointment_id, participant_id } = request.json()?;
            remove(calls, request, appointment_id, participant_id).await
        }
        Action::Consent => {
            let AppointmentBody { appointment_id } = request.json()?;
            consent(calls, request, appointment_id).await
        }
        Action::Quality => {
            let AppointmentBody { appointment_id } = request.json()?;
            quality(calls, request, appointment_id).await
        }
    }
}

async fn join(calls: &Calls, request: &Request, target: Target) -> Result<Answer, Error> {
    let JoinOptions { checked } = request.json()?;
    let entry = calls.join(request.actor()?, target, checked, &request.origin).await?;
    match &entry {
        Entry::Place(_) => Answer::json(200, &entry),
        Entry::Waiting(waiting) => Ok(Answer::json(202, &entry)?
            .with_header("location", &waiting.poll)
            .with_header("retry-after", POLL_SECONDS.to_string())),
    }
}

async fn leave(calls: &Calls, request: &Request, target: Target) -> Result<Answer, Error> {
    Answer::json(200, &calls.leave(request.actor()?, target, &request.origin).await?)
}

async fn roster(calls: &Calls, request: &Request, appointment: AppointmentId) -> Result<Answer, Error> {
    Answer::json(200, &calls.roster(request.actor()?, appointment, &request.origin).await?)
}

async fn change(
    calls: &Calls,
    request: &Request,
    appointment: AppointmentId,
    user: UserId,
) -> Result<Answer, Error> {
    let change = request.json::<ChangeOptions>()?.into();
    Answer::json(200, &calls.change(request.actor()?, appointment, user, change, &request.origin).await?)
}

async fn remove(
    calls: &Calls,
    request: &Request,
    appointment: AppointmentId,
    user: UserId,
) -> Result<Answer, Error> {
    Answer::json(200, &calls.remove(request.actor()?, appointment, user, &request.origin).await?)
}

async fn consent(calls: &Calls, request: &Request, appointment: AppointmentId) -> Result<Answer, Error> {
    let words = request.json::<ConsentOptions>()?.into();
    Answer::json(200, &calls.consent(request.actor()?, appointment, words, &request.origin).await?)
}

async fn quality(calls: &Calls, request: &Request, appointment: AppointmentId) -> Result<Answer, Error> {
    let samples: Vec<_> = request.json::<Samples>()?.into();
    Answer::json(202, &calls.quality(request.actor()?, appointment, &samples, &request.origin).await?)
}

fn which(request: &Request) -> Result<Target, Error> {
    request.json::<WhichCall>()?.target()
}
