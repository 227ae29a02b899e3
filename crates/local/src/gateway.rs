//! API Gateway's HTTP API in front of Lambda: routes, JWT authorizer, throttling, CORS and payload 2.0.
//!
//! API Gateway's own responses are `{"message": ...}` with its own statuses; a function's response is
//! passed on. `multiValueHeaders` of an answer are ignored, because payload 2.0 does not have them.

mod answer;
mod cors;
mod event;
mod routes;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::lambda::{InvokeError, Lambda};
use crate::rate_limit::RateLimit;
use crate::tokens::Verifier;
use local_template::plan::{HttpApi, JwtAuthorizer, Plan};

/// The greatest request body, in bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The greatest request line and header values together, in bytes.
const HEAD_LIMIT: usize = 10_240;

pub use routes::{Found, InvalidRouteKey, Routes};

/// One HTTP API. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Deployed>);

struct Deployed {
    api: HttpApi,
    account: String,
    region: String,
    routes: Routes,
    /// By route key: API Gateway counts each route by itself.
    limits: HashMap<String, RateLimit>,
    lambda: Lambda,
    verifier: Verifier,
    clock: Clock,
}

/// A response of API Gateway itself.
enum Refusal {
    NoRoute,
    Unauthorized { error: Option<String> },
    TooLong,
    HeadTooLong,
    TooMany,
    Internal,
    Unavailable,
}

impl Gateway {
    /// The API of a plan. Tokens are checked by `verifier`, whatever issuer the template names.
    pub fn new(
        plan: &Plan,
        api: &HttpApi,
        lambda: Lambda,
        verifier: Verifier,
        clock: Clock,
    ) -> Result<Self, InvalidRouteKey> {
        Ok(Self(Arc::new(Deployed {
            routes: Routes::new(&api.routes)?,
            limits: api
                .routes
                .iter()
                .filter_map(|it| {
                    it.throttling.map(|(rate, burst)| (it.key.clone(), RateLimit::new(rate, burst)))
                })
                .collect(),
            api: api.clone(),
            account: plan.account.clone(),
            region: plan.region.clone(),
            lambda,
            verifier,
            clock,
        })))
    }

    /// All of the API's paths; [`crate::listen::bind`] gives it a port.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }
}

async fn handle(
    State(Gateway(api)): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let request_id = event::request_id();
    let preflight =
        parts.method == Method::OPTIONS && parts.headers.contains_key("access-control-request-method");
    let mut response = match &api.api.cors {
        Some(_) if preflight => StatusCode::NO_CONTENT.into_response(),
        _ => match api.serve(&parts, body, peer, &request_id).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        },
    };
    if let Some(cors) = &api.api.cors {
        cors::apply(cors, origin.as_ref(), preflight, response.headers_mut());
    }
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}

impl Deployed {
    async fn serve(
        &self,
        parts: &Parts,
        body: Body,
        peer: SocketAddr,
        request_id: &str,
    ) -> Result<Response, Refusal> {
        if head(parts) > HEAD_LIMIT {
            return Err(Refusal::HeadTooLong);
        }
        let path = self.without_stage(parts.uri.path()).ok_or(Refusal::NoRoute)?;
        let found = self.routes.find(&parts.method, path).ok_or(Refusal::NoRoute)?;
        let route = found.route;
        if self.limits.get(&route.key).is_some_and(|limit| !limit.admits()) {
            return Err(Refusal::TooMany);
        }
        let claims = route.authorizer.as_ref().map(|wanted| self.authorize(parts, wanted)).transpose()?;
        let body = read(body).await?;
        let event = event::event(&event::Received {
            api: self,
            parts,
            body: &body,
            peer,
            request_id,
            route_key: &route.key,
            path_parameters: found.parameters,
            claims,
        });
        // The integration gets the route's key, with the parameters' names.
        let key = route.key.split_once(' ').map_or(route.key.clone(), |(method, path)| {
            format!("{}{path}", if method == "ANY" { "*" } else { method })
        });
        let (region, account, id, stage) = (&self.region, &self.account, &self.api.id, &self.api.stage);
        let source = format!("arn:aws:execute-api:{region}:{account}:{id}/{stage}/{key}");
        if !self.lambda.permits(&route.function, "apigateway.amazonaws.com", &source) {
            tracing::warn!(function = route.function, source, "no permission lets API Gateway invoke it");
            return Err(Refusal::Internal);
        }
        let invocation = self.lambda.invoke(&route.function, Bytes::from(event.to_string()));
        match tokio::time::timeout(route.timeout, invocation).await {
            Ok(Ok(invoked)) if invoked.function_error.is_none() => {
                answer::response(&invoked.payload).ok_or(Refusal::Internal)
            }
            Ok(Ok(_) | Err(InvokeError::NotFound(_))) => Err(Refusal::Internal),
            Ok(Err(InvokeError::TooLarge(_))) => Err(Refusal::TooLong),
            Ok(Err(InvokeError::Throttled(_) | InvokeError::Stopped)) | Err(_) => Err(Refusal::Unavailable),
        }
    }

    /// The path that routes are matched with: all stages but `$default` stand in front of it.
    fn without_stage<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.api.stage == "$default" {
            return Some(path);
        }
        let rest = path.strip_prefix('/')?.strip_prefix(self.api.stage.as_str())?;
        match rest {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    fn authorize(&self, parts: &Parts, wanted: &JwtAuthorizer) -> Result<Map<String, Value>, Refusal> {
        let sent = parts.headers.get(&wanted.header).and_then(|value| value.to_str().ok());
        let sent = sent.map(str::trim).filter(|sent| !sent.is_empty());
        let sent = sent.ok_or(Refusal::Unauthorized { error: None })?;
        let token = match sent.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => sent,
        };
        self.verifier.check(token, wanted, self.clock.now()).map_err(|refused| {
            tracing::debug!(error = &refused as &dyn std::error::Error, "token refused");
            Refusal::Unauthorized { error: Some(refused.to_string()) }
        })
    }
}

/// The size of the request line and the header values, which are limited together; more is answered 431.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
fn head(parts: &Parts) -> usize {
    let line = format!("{} {} {:?}", parts.method, parts.uri, parts.version).len();
    parts.headers.values().map(HeaderValue::len).sum::<usize>() + line
}

/// Reads a body up to the limit. More than that is still read, so that the sender gets to see the answer, up to
/// an amount that is not sent by mistake.
async fn read(mut body: Body) -> Result<Bytes, Refusal> {
    let mut kept = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        // The sender is gone; no one reads the response.
        let frame = frame.map_err(|_| Refusal::TooLong)?;
        let Some(data) = frame.data_ref() else { continue };
        seen += data.len();
        if seen <= BODY_LIMIT {
            kept.extend_from_slice(data);
        } else if seen > 8 * BODY_LIMIT {
            break;
        }
    }
    if seen > BODY_LIMIT { Err(Refusal::TooLong) } else { Ok(kept.freeze()) }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NoRoute => (StatusCode::NOT_FOUND, "Not Found"),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"),
            Self::HeadTooLong => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        let mut response = (status, axum::Json(json!({ "message": message }))).into_response();
        if let Self::Unauthorized { error } = self {
            let challenge = error.map_or("Bearer".to_owned(), |error| {
                format!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"{error}\"")
            });
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}
