//! The control API: `/_local/` beside the AWS endpoint. Its names and shapes are fixed, for other tools rely on
//! them.

mod app;
mod media;
mod pipelines;
mod transcribe;
mod transcription;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chime::{EventError, NewEvent};
use crate::events;
use crate::faults::Fault;
use crate::parts::Parts;
use crate::schedules::RunError;
use crate::seed::{Fixture, User};
use crate::tokens::Key;

/// Tokens of the world are valid for an hour, as Firebase's are.
const HOUR: i64 = 3600;

/// The routes under `/_local/`.
pub(crate) fn router(parts: Arc<Parts>) -> Router {
    let routes = Router::new()
        .route("/health", get(|| async { Json(json!({ "status": "ready" })) }))
        .route("/world", get(world))
        .route("/app/{role}", get(app::page))
        .route("/app.js", get(app::script))
        .route("/appointments", post(appointments))
        .route("/tokens", post(tokens))
        .route("/issuer/.well-known/openid-configuration", get(openid))
        .route("/issuer/.well-known/jwks.json", get(jwks))
        .route("/chime/meetings", get(meetings))
        .route("/chime/meetings/{meeting}/events", post(event))
        .merge(media::routes())
        .merge(pipelines::routes())
        .merge(transcribe::routes())
        .merge(transcription::routes())
        .route("/clock", post(clock))
        .route("/schedules/{function}/run", post(schedule))
        .route("/calls", get(calls))
        .route("/iam", get(iam))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/environments", get(environments))
        .route("/logs", get(logs))
        .route("/bus", get(bus))
        .route("/events", get(deliveries).post(put_event))
        .route("/queues", get(queues))
        .route("/queues/hold", post(hold_queues).delete(release_queues))
        .route("/audit", get(audit))
        .with_state(parts);
    Router::new().nest("/_local", routes)
}

type Shared = State<Arc<Parts>>;

/// An error with a message.
fn refused(status: StatusCode, error: &impl ToString) -> Response {
    (status, Json(json!({ "error": error.to_string() }))).into_response()
}

async fn world(State(parts): Shared) -> Response {
    appointment_response(&parts, parts.seed.first())
}

async fn appointments(State(parts): Shared) -> Response {
    match parts.seed.appointment().await {
        Ok(cast) => appointment_response(&parts, &cast),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

/// An appointment and its people, each with a fresh token.
pub(crate) fn fixture_json(parts: &Parts, cast: &Fixture) -> Result<Value, crate::tokens::TokenError> {
    let user = |user: &User, more: Value| {
        let mut claims = json!({ "sub": user.firebase_uid });
        if let (Some(claims), Some(more)) = (claims.as_object_mut(), more.as_object()) {
            claims.extend(more.clone());
        }
        let token = parts.token(&claims, HOUR, Key::Good)?;
        Ok::<_, crate::tokens::TokenError>(
            json!({ "id": user.id, "firebaseUid": user.firebase_uid, "token": token }),
        )
    };
    Ok(json!({
        "api": parts.seed.api(),
        "databaseUrl": parts.seed.database_url(),
        "page": parts.page_url,
        "appointmentId": cast.appointment,
        "users": {
            "provider": user(&cast.provider, json!({}))?,
            "patient": user(&cast.patient, json!({}))?,
            "stranger": user(&cast.stranger, json!({}))?,
            "auditor": user(&cast.auditor, json!({ "role": "auditor" }))?,
        },
    }))
}

fn appointment_response(parts: &Parts, cast: &Fixture) -> Response {
    match fixture_json(parts, cast) {
        Ok(json) => Json(json).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    #[serde(default)]
    claims: Value,
    #[serde(default = "hour")]
    expires_in: i64,
    #[serde(default = "good")]
    key: Key,
}

const fn hour() -> i64 {
    HOUR
}

const fn good() -> Key {
    Key::Good
}

async fn tokens(State(parts): Shared, Json(new): Json<NewToken>) -> Response {
    match parts.token(&new.claims, new.expires_in, new.key) {
        Ok(token) => Json(json!({ "token": token })).into_response(),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn openid(State(parts): Shared) -> Json<Value> {
    let issuer =
        parts.plan.http_apis.iter().flat_map(|api| &api.routes).find_map(|route| route.authorizer.as_ref());
    let issuer = issuer.map_or("", |authorizer| authorizer.issuer.as_str());
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn jwks(State(parts): Shared) -> Json<Value> {
    Json(parts.issuer.jwks())
}

async fn meetings(State(parts): Shared) -> Json<Value> {
    Json(parts.chime.meetings())
}

async fn event(State(parts): Shared, Path(meeting): Path<String>, Json(event): Json<NewEvent>) -> Response {
    match parts.chime.event(&meeting, event) {
        Ok(event) => Json(event).into_response(),
        Err(error @ EventError::UnknownMeeting { .. }) => refused(StatusCode::NOT_FOUND, &error),
        Err(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, &error),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_seconds: u32,
}

async fn clock(State(parts): Shared, Json(advance): Json<Advance>) -> Response {
    parts.clock.advance(advance.advance_seconds);
    parts.chime.deliver_due_events();
    parts.transcribe.deliver_and_wake();
    match parts.dynamodb.expire() {
        Ok(expired) => {
            let now = domain::stamp::text(parts.clock.now());
            Json(json!({ "now": now, "expiredItems": expired })).into_response()
        }
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

async fn schedule(State(parts): Shared, Path(function): Path<String>) -> Response {
    match parts.schedules.run(&function).await {
        Ok(invoked) => {
            let payload: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
            Json(json!({ "functionError": invoked.function_error, "payload": payload })).into_response()
        }
        Err(error @ RunError::NoSchedule(_)) => refused(StatusCode::NOT_FOUND, &error),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn calls(State(parts): Shared, Query(Since { since }): Query<Since>) -> Json<Value> {
    Json(json!({ "calls": parts.calls.since(since) }))
}

async fn iam(State(parts): Shared) -> Json<Value> {
    Json(parts.iam_usage())
}

async fn add_fault(State(parts): Shared, Json(fault): Json<Fault>) -> Json<Value> {
    parts.faults.add(fault);
    Json(json!({}))
}

async fn clear_faults(State(parts): Shared) -> Json<Value> {
    parts.faults.clear();
    Json(json!({}))
}

async fn environments(State(parts): Shared) -> Json<Value> {
    Json(json!(parts.lambda.environments()))
}

async fn logs(State(parts): Shared) -> Json<Value> {
    let lines = parts.lambda.logs();
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| json!({ "function": line.function, "environment": line.environment, "line": line.line }))
        .collect();
    Json(json!({ "logs": lines }))
}

async fn bus(State(parts): Shared) -> Json<Value> {
    let events = parts.bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    Json(json!({ "events": events }))
}

async fn deliveries(State(parts): Shared) -> Json<Value> {
    Json(json!({ "deliveries": parts.events.deliveries() }))
}

async fn put_event(State(parts): Shared, Json(event): Json<events::NewEvent>) -> Json<Value> {
    let event = parts.events.put(event);
    let rules = parts.events.picked(event["id"].as_str().unwrap_or_default());
    Json(json!({ "event": event, "rules": rules }))
}

async fn queues(State(parts): Shared) -> Json<Value> {
    let queues = parts.queues.listed(|queue| parts.pollers.reads(queue));
    Json(json!({ "queues": queues, "mappings": parts.pollers.listed() }))
}

async fn hold_queues(State(parts): Shared) -> Json<Value> {
    parts.pollers.hold();
    Json(json!({}))
}

async fn release_queues(State(parts): Shared) -> Json<Value> {
    parts.pollers.release();
    Json(json!({}))
}

/// The audit table's items, newest state; for people, not for programs.
async fn audit(State(parts): Shared) -> Response {
    let table = parts.plan.outputs.get("AuditTableName").cloned().unwrap_or_default();
    match parts.dynamodb.all_items(&table) {
        Ok(items) => Json(json!({ "items": items })).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}
