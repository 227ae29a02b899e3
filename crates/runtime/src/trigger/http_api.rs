//! API Gateway's HTTP API, payload format 2.0, read by `lambda_http`.

mod guard;

use std::collections::HashMap;

use domain::Error;
use domain::audit::{Origin, Via};
use domain::call::Actor;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::ACCEPT;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, RequestExt as _};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::edge::{self, Edge};
use crate::json::Fields;
use crate::request::{Request, Route};

/// Of `requestContext.authorizer.jwt.claims` only `sub` identifies a caller; the others are read by [`Request::has_claim`] alone.
pub(super) fn read(event: &RawValue, request_id: &str, edge: &Edge) -> Result<Request, Error> {
    let mut event = guard::normalise(event)?;
    // Taken out, so that nothing behind this can log it.
    let secret = event.headers.remove(edge::HEADER);
    let forwarded_for =
        event.headers.get("x-forwarded-for").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let request: lambda_http::Request = LambdaRequest::ApiGatewayV2(event).into();
    let path: HashMap<_, _> = request
        .path_parameters_ref()
        .map(|parameters| {
            parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        })
        .unwrap_or_default();
    let query: HashMap<_, _> = request
        .query_string_parameters_ref()
        .map(|parameters| {
            parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        })
        .unwrap_or_default();
    let (parts, body) = request.into_parts();
    let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Some(RequestContext::ApiGatewayV2(context)) = parts.extensions.get::<RequestContext>() else {
        return Err(Error::internal("lambda_http gave no request context"));
    };
    let route = context.route_key.clone().ok_or_else(|| Error::internal("the event has no route key"))?;
    let body = match body {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        // Empty; the enum is non-exhaustive.
        _ => Vec::new(),
    };
    let source = context.http.source_ip.as_deref().map(|ip| bounded(ip, 64));
    let caller = edge.caller(secret.as_ref().map(HeaderValue::as_bytes), forwarded_for.as_deref(), source);
    let origin = Origin {
        request_id: request_id.to_owned(),
        via: Via::Api,
        ip: caller.ip,
        user_agent: context.http.user_agent.as_deref().map(|agent| bounded(agent, 256)),
        now: now(context)?,
    };
    let claims = claims(context);
    let subject = claims.get("sub").filter(|subject| well_formed(subject));
    let actor = subject.cloned().map(Actor::Subject);
    let request =
        Request::new(Route::Http(route), actor, path, Fields::parse(&body), origin).with_claims(claims);
    let request = request.with_query(query, accept);
    Ok(if caller.bypasses_edge { request.bypassing_edge() } else { request })
}

fn claims(context: &ApiGatewayV2httpRequestContext) -> HashMap<String, String> {
    let jwt = context.authorizer.as_ref().and_then(|it| it.jwt.as_ref());
    jwt.map(|it| it.claims.clone()).unwrap_or_default()
}

fn now(context: &ApiGatewayV2httpRequestContext) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(context.time_epoch) * 1_000_000)
        .map_err(|_| Error::internal("the event's time is out of range"))
}

/// Firebase's user ids have at most 128 characters; PostgreSQL rejects NUL in a text.
fn well_formed(subject: &str) -> bool {
    !subject.is_empty() && subject.len() <= 256 && !subject.chars().any(char::is_control)
}

/// A caller's text for the audit: bounded, and without control characters.
fn bounded(text: &str, max_chars: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(max_chars).collect()
}

#[cfg(test)]
mod tests;
