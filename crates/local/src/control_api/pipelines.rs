//! The control API of media pipelines: their events, their limit, and their faults.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, refused};
use crate::chime::{NewPipelineEvent, NewPipelineFault, PipelineEventError};
use crate::parts::Parts;

pub(super) fn routes() -> Router<Arc<Parts>> {
    Router::new()
        .route("/chime/pipelines", get(pipelines))
        .route("/chime/pipelines/quota", post(set_quota))
        .route("/chime/pipelines/faults", post(add_fault).delete(clear_faults))
        .route("/chime/pipelines/{pipeline}/events", post(event))
}

async fn pipelines(State(parts): Shared) -> Json<Value> {
    Json(parts.chime.pipelines())
}

async fn event(
    State(parts): Shared,
    Path(pipeline): Path<String>,
    Json(event): Json<NewPipelineEvent>,
) -> Response {
    match parts.chime.pipeline_event(&pipeline, event) {
        Ok(event) => Json(event).into_response(),
        Err(error @ PipelineEventError::UnknownPipeline(_)) => refused(StatusCode::NOT_FOUND, &error),
        Err(error @ PipelineEventError::UnknownType(_)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    /// Without it: AWS's own.
    active: Option<usize>,
}

async fn set_quota(State(parts): Shared, Json(Quota { active }): Json<Quota>) -> Json<Value> {
    parts.chime.set_pipeline_quota(active);
    Json(json!({}))
}

async fn add_fault(State(parts): Shared, Json(fault): Json<NewPipelineFault>) -> Json<Value> {
    parts.chime.add_pipeline_fault(fault);
    Json(json!({}))
}

async fn clear_faults(State(parts): Shared) -> Json<Value> {
    parts.chime.clear_pipeline_faults();
    Json(json!({}))
}
