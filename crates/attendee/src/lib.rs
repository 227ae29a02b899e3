#![doc = include_str!("../README.md")]

mod config;

use api::attendees::{ChangeRequest, JoinRequest};
use api::consent::ConsentRequest;
use api::quality::QualityRequest;
use calls::{Calls, RequestInfo};
use chime::event;
use domain::Error;
use domain::error::Reason;
use runtime::{Answer, Function, Messages, Request, handlers, secret_reader};
use store::Store;

pub use config::Config;

/// The function's routes, and what its other triggers do.
pub const FUNCTION: Function<App> = Function {
    routes: handlers! {
        "POST /appointments/{appointmentId}/call/attendees" => join,
        "GET /appointments/{appointmentId}/call/attendees" => roster,
        "DELETE /appointments/{appointmentId}/call/attendees/me" => leave,
        "PATCH /appointments/{appointmentId}/call/attendees/{userId}" => change,
        "DELETE /appointments/{appointmentId}/call/attendees/{userId}" => remove,
        "PUT /appointments/{appointmentId}/call/consent" => consent,
        "POST /appointments/{appointmentId}/call/quality" => quality,
    },
    actions: handlers! {
        "join" => join,
        "leave" => leave,
        "roster" => roster,
        "change" => change,
        "remove" => remove,
        "consent" => consent,
        "quality" => quality,
    },
    on_messages: Some(|app, messages| Box::pin(handle_chime_events(app, messages))),
    on_denial: Some(|app, request, reason| Box::pin(audit_denial(app, request, reason))),
    ..Function::EMPTY
};

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
        let base = &config.base;
        let store = Store::connect(secret_reader(&sdk, &base.database_secret_arn), &base.environment).await;
        Ok(Self { calls: Calls::new(store, &sdk, &config.calls.bus, config.calls.settings.clone()) })
    }
}

async fn join(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let (target, join) = (request.target()?, request.json::<JoinRequest>()?);
    Answer::join(&calls.join(request.actor()?, target, join, &request.origin).await?)
}

async fn roster(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    Answer::json(200, &calls.roster(request.actor()?, appointment, &request.origin).await?)
}

async fn leave(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let target = request.target()?;
    Answer::json(200, &calls.leave(request.actor()?, target, &request.origin).await?)
}

async fn change(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let (appointment, user) = (request.appointment()?, request.participant()?);
    let change = request.json::<ChangeRequest>()?.into();
    Answer::json(200, &calls.change(request.actor()?, appointment, user, change, &request.origin).await?)
}

async fn remove(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let (appointment, user) = (request.appointment()?, request.participant()?);
    Answer::json(200, &calls.remove(request.actor()?, appointment, user, &request.origin).await?)
}

async fn consent(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    let decisions = request.json::<ConsentRequest>()?.into();
    Answer::json(200, &calls.consent(request.actor()?, appointment, decisions, &request.origin).await?)
}

async fn quality(App { calls }: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    let samples: Vec<_> = request.json::<QualityRequest>()?.into();
    Answer::json(202, &calls.quality(request.actor()?, appointment, &samples, &request.origin).await?)
}

/// Chime's events of meetings and of the attendees in them.
async fn handle_chime_events(App { calls }: &App, messages: &Messages) -> Result<Answer, Error> {
    let parsed = messages.list.iter().map(|message| {
        let runtime::Envelope { id, detail_type, region, detail, .. } = &message.event;
        event::read(event::Envelope { id, detail_type, region, detail: detail.get() })
    });
    Ok(messages.answer(calls.handle_chime_events(parsed.collect(), &messages.origin).await))
}

async fn audit_denial(App { calls }: &App, request: &Request, reason: Reason<403>) {
    let info = RequestInfo {
        actor: request.actor().ok(),
        target: request.target().ok(),
        ids: request.named_ids(),
        route: request.route.name(),
        origin: &request.origin,
    };
    calls.audit_denial(info, reason).await;
}
