#![doc = include_str!("../README.md")]

mod config;
mod deliver;
mod expiry;
mod hold;
mod table;

use api::holds::HoldRequest;
use domain::Error;
use domain::audit::Origin;
use domain::error::{Reason, causes};
use runtime::metrics::{self, Metric};
use runtime::{Answer, AuditorRole, Function, Request, handlers, secret_reader};
use store::Store;
use store::denials::Denial;

pub use config::Config;

use crate::expiry::HeldExpiry;
use crate::hold::Placed;
use crate::table::Table;

/// The function's routes, and what its schedule does.
pub const FUNCTION: Function<App> = Function {
    routes: handlers! {
        "PUT /appointments/{appointmentId}/hold" => place_hold,
        "DELETE /appointments/{appointmentId}/hold" => lift_hold,
        "GET /appointments/{appointmentId}/hold" => get_hold,
    },
    actions: handlers! {
        "hold" => place_hold,
        "lift-hold" => lift_hold,
        "get-hold" => get_hold,
    },
    on_schedule: Some(|app, origin| Box::pin(run(app, origin))),
    on_denial: Some(|app, request, reason| Box::pin(audit_denial(app, request, reason))),
    ..Function::EMPTY
};

/// The function's backends.
#[derive(Debug)]
pub struct App {
    store: Store,
    table: Table,
    held_expiry: HeldExpiry,
    auditor: AuditorRole,
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
        Ok(Self {
            store,
            table: Table::new(&sdk, config),
            held_expiry: HeldExpiry::new(&sdk, config),
            auditor: config.auditor.clone(),
        })
    }
}

async fn place_hold(app: &App, request: &Request) -> Result<Answer, Error> {
    app.auditor.check(request)?;
    let appointment = request.appointment()?;
    let HoldRequest { reason } = request.json()?;
    let Placed { hold, new } =
        app.place_hold(request.actor()?, appointment, &reason, &request.origin).await?;
    Answer::json(if new { 201 } else { 200 }, &hold)
}

async fn lift_hold(app: &App, request: &Request) -> Result<Answer, Error> {
    app.auditor.check(request)?;
    let appointment = request.appointment()?;
    Answer::json(200, &app.lift_hold(request.actor()?, appointment, &request.origin).await?)
}

async fn get_hold(app: &App, request: &Request) -> Result<Answer, Error> {
    app.auditor.check(request)?;
    Answer::json(200, &app.hold(request.actor()?, request.appointment()?).await?)
}

/// Delivers what waits, and moves the expiry of what a hold was placed on or lifted from. Neither waits for the other to succeed.
async fn run(app: &App, origin: &Origin) -> Result<(), Error> {
    let delivered = deliver::deliver(&app.store, &app.table, origin.now).await?;
    metrics::emit(&[
        (Metric::AuditConflicts, delivered.status.conflicts),
        (Metric::AuditBacklog, delivered.status.backlog),
    ]);
    expiry::apply_holds(&app.store, &app.held_expiry, origin.now).await?;
    delivered.failure.map_or(Ok(()), Err)
}

async fn audit_denial(app: &App, request: &Request, reason: Reason<403>) {
    let Ok(actor) = request.actor() else { return };
    let route = request.route.name();
    let (target, ids) = (request.target().ok(), request.named_ids());
    let denial = Denial { actor, target, ids, route, code: reason.code };
    if let Err(error) = app.store.count_denial(&denial, &request.origin).await {
        tracing::warn!(error = causes(&error), code = reason.code, route, "denial not audited");
    }
}
