//! The control API of live transcription: what people say, and faults.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Shared, refused};
use crate::chime::{CaptionError, NewCaption, NewTranscriptionFault};
use crate::parts::Parts;

pub(super) fn routes() -> Router<Arc<Parts>> {
    Router::new()
        .route("/chime/meetings/{meeting}/captions", post(captions))
        .route("/chime/transcriptions/faults", post(add_fault).delete(clear_faults))
}

async fn captions(
    State(parts): Shared,
    Path(meeting): Path<String>,
    Json(script): Json<Vec<NewCaption>>,
) -> Response {
    match parts.chime.add_captions(&meeting, script) {
        Ok(()) => Json(json!({})).into_response(),
        Err(error @ (CaptionError::NoMeeting(_) | CaptionError::NoAttendee(_))) => {
            refused(StatusCode::NOT_FOUND, &error)
        }
    }
}

async fn add_fault(State(parts): Shared, Json(fault): Json<NewTranscriptionFault>) -> Json<Value> {
    parts.chime.add_transcription_fault(fault);
    Json(json!({}))
}

async fn clear_faults(State(parts): Shared) -> Json<Value> {
    parts.chime.clear_transcription_faults();
    Json(json!({}))
}
