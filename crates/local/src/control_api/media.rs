//! The control API of the media plane: its participants and its faults.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_media::{Chunk, Cut, Link, MediaPlane, MixChunk, Refusal, ServerState, TapChunk, Timed};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, refused};
use crate::media::Media;
use crate::parts::Parts;

pub(super) fn routes() -> Router<Arc<Parts>> {
    Router::new()
        .route("/media", get(status))
        .route("/media/stop", post(stop))
        .route("/media/start", post(start))
        .route("/media/cut", post(cut))
        .route("/media/link", post(set_link).delete(clear_links))
        .route("/media/refusal", post(refuse).delete(admit))
        .route("/chime/meetings/{meeting}/tap", post(open_tap).get(take_chunks).delete(close_tap))
}

#[derive(Debug, thiserror::Error)]
#[error("the tap of this meeting is not open")]
struct NoTap;

/// Why the running media plane does not do it.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("this local cloud runs no media plane")]
    NoMedia,
    #[error("the media server is stopped: POST media/start starts it")]
    Stopped,
    #[error("the media server has failed, as the log says: POST media/start starts it")]
    Failed,
    #[error("there is no live meeting {0}")]
    NoMeeting(String),
    #[error("no live meeting has an attendee {0}")]
    NoAttendee(String),
    #[error("the attendee {0} is not connected")]
    NotConnected(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoMedia | Self::Stopped | Self::Failed => StatusCode::CONFLICT,
            Self::NoMeeting(_) | Self::NoAttendee(_) | Self::NotConnected(_) => StatusCode::NOT_FOUND,
        };
        refused(status, &self)
    }
}

/// The media plane, if its server runs.
fn running(parts: &Parts) -> Result<&Media, Refused> {
    let media = parts.media.as_ref().ok_or(Refused::NoMedia)?;
    match media.plane().state() {
        ServerState::Running => Ok(media),
        ServerState::Stopped => Err(Refused::Stopped),
        ServerState::Failed => Err(Refused::Failed),
    }
}

fn live(parts: &Parts, meeting: &str) -> Result<(), Refused> {
    let live = parts.chime.is_live(meeting);
    live.then_some(()).ok_or_else(|| Refused::NoMeeting(meeting.to_owned()))
}

fn done() -> Response {
    Json(json!({})).into_response()
}

async fn status(State(parts): Shared) -> Response {
    let Some(media) = &parts.media else { return Refused::NoMedia.into_response() };
    let plane = media.plane();
    Json(json!({
        "state": plane.state(),
        "signaling": format!("ws://{}", plane.signaling()),
        "publicKeyHash": plane.public_key_hash(),
        "participants": plane.participants().await,
    }))
    .into_response()
}

/// Joining a thread blocks.
async fn stop(State(parts): Shared) -> Response {
    let stopped = tokio::task::spawn_blocking(move || match &parts.media {
        Some(media) => {
            media.plane().stop();
            done()
        }
        None => Refused::NoMedia.into_response(),
    });
    stopped.await.unwrap_or_else(|error| refused(StatusCode::INTERNAL_SERVER_ERROR, &error))
}

/// Answers what the server was before: `{"before": "stopped"}`, or `running`, or `failed` if its thread had panicked.
async fn start(State(parts): Shared) -> Response {
    match parts.media.as_ref().map(Media::plane).map(MediaPlane::restart) {
        Some(Ok(before)) => Json(json!({ "before": before })).into_response(),
        Some(Err(error)) => refused(StatusCode::CONFLICT, &error),
        None => Refused::NoMedia.into_response(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCut {
    attendee_id: String,
    /// Without one the TCP connection ends without a close frame.
    code: Option<u16>,
}

async fn cut(
    State(parts): Shared,
    Json(NewCut { attendee_id, code }): Json<NewCut>,
) -> Result<Response, Refused> {
    let cut = running(&parts)?.plane().cut(&attendee_id, code.map_or(Cut::Abort, Cut::Close)).await;
    if cut == 0 {
        return Err(Refused::NotConnected(attendee_id));
    }
    Ok(Json(json!({ "cut": cut })).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewLink {
    /// Without one: everyone.
    attendee_id: Option<String>,
    #[serde(default)]
    loss_percent: u8,
    #[serde(default)]
    delay_ms: u32,
}

async fn set_link(State(parts): Shared, Json(new): Json<NewLink>) -> Result<Response, Refused> {
    let media = running(&parts)?;
    if let Some(attendee_id) = new.attendee_id.as_ref().filter(|id| !parts.chime.is_attendee(id)) {
        return Err(Refused::NoAttendee(attendee_id.clone()));
    }
    let link = Link { loss_percent: new.loss_percent, delay: Duration::from_millis(new.delay_ms.into()) };
    media.plane().set_link(new.attendee_id.as_deref(), link);
    Ok(done())
}

async fn clear_links(State(parts): Shared) -> Result<Response, Refused> {
    running(&parts)?.plane().set_link(None, Link::default());
    Ok(done())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reason {
    Full,
    WrongToken,
    Ended,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRefusal {
    reason: Reason,
}

async fn refuse(
    State(parts): Shared,
    Json(NewRefusal { reason }): Json<NewRefusal>,
) -> Result<Response, Refused> {
    let refusal = match reason {
        Reason::Full => Refusal::Full,
        Reason::WrongToken => Refusal::WrongToken,
        Reason::Ended => Refusal::Ended,
    };
    running(&parts)?.plane().refuse(Some(refusal));
    Ok(done())
}

async fn admit(State(parts): Shared) -> Result<Response, Refused> {
    running(&parts)?.plane().refuse(None);
    Ok(done())
}

async fn open_tap(State(parts): Shared, Path(meeting): Path<String>) -> Result<Response, Refused> {
    let media = running(&parts)?;
    live(&parts, &meeting)?;
    media.open_tap(&meeting);
    Ok(done())
}

async fn take_chunks(State(parts): Shared, Path(meeting): Path<String>) -> Response {
    let Some(media) = &parts.media else { return Refused::NoMedia.into_response() };
    chunks(media.take_chunks(&meeting))
}

async fn close_tap(State(parts): Shared, Path(meeting): Path<String>) -> Response {
    let Some(media) = &parts.media else { return Refused::NoMedia.into_response() };
    chunks(media.close_tap(&meeting).await)
}

/// `chunks` of pictures, and those of the `mix`.
fn chunks(chunks: Option<Vec<TapChunk>>) -> Response {
    let Some(chunks) = chunks else { return refused(StatusCode::NOT_FOUND, &NoTap) };
    let (mut pictures, mut mix) = (Vec::new(), Vec::new());
    for chunk in &chunks {
        match chunk {
            TapChunk::Pictures(chunk) => pictures.push(picture_chunk(chunk)),
            TapChunk::Mix(chunk) => mix.push(mix_chunk(chunk)),
        }
    }
    Json(json!({ "chunks": pictures, "mix": mix })).into_response()
}

fn picture_chunk(chunk: &Chunk) -> Value {
    json!({
        "attendeeId": chunk.attendee_id,
        "content": chunk.content,
        "index": chunk.index,
        "startedUs": chunk.started_us,
        "durationUs": chunk.duration_us,
        "codec": chunk.codec.name(),
        "size": chunk.size,
        "rotationDegrees": chunk.rotation_degrees,
        "video": frames(&chunk.video),
        "sound": frames(&chunk.sound),
    })
}

fn mix_chunk(chunk: &MixChunk) -> Value {
    let speakers = chunk.speakers.iter();
    let speakers =
        speakers.map(|speaker| json!({ "timeUs": speaker.time_us, "attendeeId": speaker.attendee_id }));
    json!({
        "index": chunk.index,
        "startedUs": chunk.started_us,
        "durationUs": chunk.duration_us,
        "sound": frames(&chunk.sound),
        "speakers": speakers.collect::<Vec<_>>(),
    })
}

/// Frames with their bytes in base64.
fn frames(frames: &[Timed]) -> Vec<Value> {
    let frame = |frame: &Timed| json!({ "timeUs": frame.time_us, "keyframe": frame.keyframe, "data": STANDARD.encode(&frame.data) });
    frames.iter().map(frame).collect()
}
