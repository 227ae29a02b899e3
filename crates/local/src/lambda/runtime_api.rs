//! The Lambda Runtime API, with the environment's id as a path prefix.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::environment::{Delivery, Handle, InvocationOutcome, Message};
use super::{PAYLOAD_LIMIT, Shared, lock, payload};

/// Serves until Lambda is stopped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let router = Router::new()
        .route("/{environment}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{environment}/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/{environment}/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/{environment}/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::disable()) // the limit has an answer of its own, below
        .with_state(shared);
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        served = async { axum::serve(listener, router).await } => {
            if let Err(error) = served {
                tracing::error!(error = &error as &dyn std::error::Error, "the Runtime API ended");
            }
        }
    }
}

async fn next(State(shared): State<Arc<Shared>>, Path(environment): Path<String>) -> Response {
    let (deliver, delivered) = oneshot::channel();
    let Some(handle) = find(&shared, &environment) else { return unknown() };
    handle.send(Message::Next(deliver));
    match delivered.await {
        Ok(delivery) => event(&shared, &handle, delivery),
        Err(_) => unknown(), // the environment ended; so does the process that asks
    }
}

fn event(shared: &Shared, handle: &Handle, delivery: Delivery) -> Response {
    let arn = shared.pools.get(&handle.function).map_or("", |pool| pool.function.arn.as_str());
    let hex = || uuid::Uuid::new_v4().simple().to_string();
    let trace = format!("Root=1-{}-{};Parent={};Sampled=0", &hex()[..8], &hex()[..24], &hex()[..16]);
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", delivery.request_id)
        .header("Lambda-Runtime-Deadline-Ms", delivery.deadline_ms)
        .header("Lambda-Runtime-Invoked-Function-Arn", arn)
        .header("Lambda-Runtime-Trace-Id", trace);
    if let Some(context) = delivery.client_context {
        response = response.header("Lambda-Runtime-Client-Context", context);
    }
    response.body(delivery.payload.into()).unwrap_or_else(|error| {
        // Only a client context can be unfit for a header, and the Invoke API refuses such a one.
        tracing::error!(error = &error as &dyn std::error::Error, "an event could not be delivered");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path((environment, id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    if body.len() > PAYLOAD_LIMIT {
        end(&shared, &environment, id, InvocationOutcome::Failed(payload::too_large(PAYLOAD_LIMIT))).await;
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "The answer is too large");
    }
    end(&shared, &environment, id, InvocationOutcome::Answered(body)).await
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path((environment, id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    end(&shared, &environment, id, InvocationOutcome::Failed(body)).await
}

async fn init_error(
    State(shared): State<Arc<Shared>>,
    Path(environment): Path<String>,
    body: Bytes,
) -> Response {
    let Some(handle) = find(&shared, &environment) else { return unknown() };
    handle.send(Message::InitError(body));
    accepted()
}

async fn end(shared: &Shared, environment: &str, request_id: String, outcome: InvocationOutcome) -> Response {
    let Some(handle) = find(shared, environment) else { return unknown() };
    let (accept, answer) = oneshot::channel();
    handle.send(Message::Ended { request_id, outcome, accept });
    match answer.await {
        Ok(true) => accepted(),
        Ok(false) => refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Err(_) => unknown(),
    }
}

fn find(shared: &Shared, environment: &str) -> Option<Arc<Handle>> {
    lock(&shared.environments).get(environment).cloned()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({ "status": "OK" }))).into_response()
}

fn unknown() -> Response {
    refused(StatusCode::FORBIDDEN, "Forbidden", "There is no such environment")
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, axum::Json(json!({ "errorType": kind, "errorMessage": message }))).into_response()
}
