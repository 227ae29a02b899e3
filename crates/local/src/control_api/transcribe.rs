//! The control API of transcription jobs: what is said in files, ends and faults.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, refused};
use crate::parts::Parts;
use crate::transcribe::{NewJobEnd, NewJobFault, NewSpeech};

pub(super) fn routes() -> Router<Arc<Parts>> {
    Router::new()
        .route("/transcribe/jobs", get(jobs))
        .route("/transcribe/jobs/{name}/events", post(end))
        .route("/transcribe/speech", post(speech))
        .route("/transcribe/quota", post(set_quota))
        .route("/transcribe/faults", post(add_fault).delete(clear_faults))
}

async fn jobs(State(parts): Shared) -> Json<Value> {
    Json(parts.transcribe.listed())
}

async fn end(State(parts): Shared, Path(name): Path<String>, Json(end): Json<NewJobEnd>) -> Response {
    match parts.transcribe.end_job(&name, end) {
        Ok(event) => Json(event).into_response(),
        Err(error) => refused(StatusCode::NOT_FOUND, &error),
    }
}

async fn speech(State(parts): Shared, Json(speech): Json<NewSpeech>) -> Json<Value> {
    parts.transcribe.set_speech(speech);
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    /// Without it: AWS's own.
    active: Option<usize>,
}

async fn set_quota(State(parts): Shared, Json(Quota { active }): Json<Quota>) -> Json<Value> {
    parts.transcribe.set_quota(active);
    Json(json!({}))
}

async fn add_fault(State(parts): Shared, Json(fault): Json<NewJobFault>) -> Json<Value> {
    parts.transcribe.add_fault(fault);
    Json(json!({}))
}

async fn clear_faults(State(parts): Shared) -> Json<Value> {
    parts.transcribe.clear_faults();
    Json(json!({}))
}
