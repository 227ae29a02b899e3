//! `CloudFront` in front of the page's bucket and the API: one edge, as a distribution of the templates describes it.
//!
//! Behaviors are tried in order, the functions' code runs, the bucket's policy decides what the distribution may read,
//! and headers are set and taken off as the policies say. Nothing is kept but errors, for as long as `CloudFront` would:
//! that an error of one caller could be another's answer is a thing to be seen here first.

mod errors;
mod function;
mod headers;
mod pattern;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::clock::Clock;
use crate::s3::S3;
use errors::Errors;
use function::Verdict;
use local_template::plan::{Behavior, Distribution, OriginKind};

/// API Gateway takes no more; `CloudFront` would take 50 GB.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Headers of a single connection, which are not forwarded.
const OF_THE_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that an origin without an origin request policy still gets.
const ALWAYS: [HeaderName; 5] =
    [header::IF_MATCH, header::IF_MODIFIED_SINCE, header::IF_NONE_MATCH, header::IF_RANGE, header::RANGE];

/// One distribution. Cheap to clone.
#[derive(Clone)]
pub struct CloudFront(Arc<Edge>);

struct Edge {
    distribution: Distribution,
    s3: S3,
    /// `http://127.0.0.1:8080`, where the API is that stands for the origin's domain.
    api: String,
    http: Client<HttpConnector, Full<Bytes>>,
    errors: Errors,
}

impl CloudFront {
    /// The distribution with its origins: buckets of `s3`, and the API at `api`.
    #[must_use]
    pub fn new(distribution: Distribution, s3: S3, api: String, clock: Clock) -> Self {
        let errors = Errors::new(distribution.error_ttl.clone(), clock);
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self(Arc::new(Edge { distribution, s3, api, http, errors }))
    }

    /// All paths; [`crate::listen::bind`] gives it a port.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }
}

async fn handle(
    State(CloudFront(edge)): State<CloudFront>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut response = edge.serve(parts, body, peer).await;
    let via = format!("1.1 {} (CloudFront)", edge.distribution.domain);
    for (name, value) in [("via", via), ("x-amz-cf-id", uuid::Uuid::new_v4().simple().to_string())] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response.map(Body::from)
}

impl Edge {
    async fn serve(&self, mut parts: Parts, body: Body, peer: SocketAddr) -> Response<Bytes> {
        let behaviors = &self.distribution.behaviors;
        let found = behaviors.iter().find(|it| pattern::matches(&it.pattern, parts.uri.path()));
        let Some(behavior) = found else { return own(StatusCode::NOT_FOUND, "Error", "No behavior.") };
        if !behavior.methods.iter().any(|it| it == parts.method.as_str()) {
            let message =
                "This distribution is not configured to allow the HTTP request method that was used.";
            return own(StatusCode::FORBIDDEN, "Error", message);
        }
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return own(StatusCode::PAYLOAD_TOO_LARGE, "Error", "The request is too large.");
        };
        let body = body.to_bytes();
        let reads = parts.method == Method::GET || parts.method == Method::HEAD;
        if reads && !body.is_empty() {
            return own(StatusCode::FORBIDDEN, "Error", "A GET request has no body.");
        }
        if let Some(code) = &behavior.function {
            let event = function::event(&self.distribution, &parts, peer);
            match function::run(code.clone(), event).await {
                Ok(Verdict::Go(uri)) => match uri.parse() {
                    Ok(uri) => parts.uri = uri,
                    Err(_) => {
                        return own(StatusCode::SERVICE_UNAVAILABLE, "FunctionGeneratedResponse", "No URI.");
                    }
                },
                Ok(Verdict::Answer(answer)) => return cached(answer, "FunctionGeneratedResponse"),
                Err(error) => {
                    tracing::warn!(%error, "a function of the distribution failed");
                    return own(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "FunctionExecutionError",
                        "The function failed.",
                    );
                }
            }
        }
        let key = (behavior.pattern.clone(), parts.method.clone(), parts.uri.path().to_owned());
        if let Some(kept) = reads.then(|| self.errors.get(&key)).flatten() {
            return cached(kept, "Error");
        }
        let mut response = self.ask(behavior, &parts, body, peer).await;
        if let Some(policy) = &behavior.headers {
            headers::apply(policy, parts.headers.get(header::ORIGIN), response.headers_mut());
        }
        if reads {
            self.errors.keep(key, &response);
        }
        let failed = response.status().is_client_error() || response.status().is_server_error();
        cached(response, if failed { "Error" } else { "Miss" })
    }

    async fn ask(
        &self,
        behavior: &Behavior,
        parts: &Parts,
        body: Bytes,
        peer: SocketAddr,
    ) -> Response<Bytes> {
        let origin = self.distribution.origins.iter().find(|it| it.id == behavior.origin);
        match origin.map(|it| &it.kind) {
            Some(OriginKind::Bucket { name, signed }) => {
                let distribution = signed.then_some(self.distribution.arn.as_str());
                let mut kept = HeaderMap::new();
                for (name, value) in &parts.headers {
                    if ALWAYS.contains(name) {
                        kept.append(name, value.clone());
                    }
                }
                self.s3.for_distribution(distribution, (name, parts.uri.path()), &parts.method, &kept).await
            }
            Some(OriginKind::Api(_)) => {
                let added = origin.map(|it| it.headers.as_slice()).unwrap_or_default();
                self.proxy(behavior, added, parts, body, peer).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "the API did not answer the distribution");
                    own(StatusCode::BAD_GATEWAY, "Error", "CloudFront wasn't able to connect to the origin.")
                })
            }
            None => own(StatusCode::BAD_GATEWAY, "Error", "There is no such origin."),
        }
    }

    async fn proxy(
        &self,
        behavior: &Behavior,
        added: &[(String, String)],
        parts: &Parts,
        body: Bytes,
        peer: SocketAddr,
    ) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        let path = match parts.uri.path_and_query() {
            Some(path) if behavior.forwards_viewer => path.as_str(),
            _ => parts.uri.path(),
        };
        let mut request = http::Request::builder().method(&parts.method).uri(format!("{}{path}", self.api));
        if let Some(headers) = request.headers_mut() {
            for (name, value) in &parts.headers {
                let of_the_hop = OF_THE_CONNECTION.contains(name)
                    || name == header::HOST
                    || name == header::CONTENT_LENGTH;
                if !of_the_hop && (behavior.forwards_viewer || ALWAYS.contains(name)) {
                    headers.append(name, value.clone());
                }
            }
            let before = parts.headers.get("x-forwarded-for").and_then(|it| it.to_str().ok());
            let before =
                before.filter(|_| behavior.forwards_viewer).map(|it| format!("{it}, ")).unwrap_or_default();
            headers.insert(
                "x-forwarded-for",
                HeaderValue::try_from(format!("{before}{}", peer.ip().to_canonical()))?,
            );
            headers.insert(
                header::VIA,
                HeaderValue::try_from(format!("1.1 {} (CloudFront)", self.distribution.domain))?,
            );
            for (name, value) in added {
                headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
            }
        }
        let (mut head, body) = self.http.request(request.body(Full::new(body))?).await?.into_parts();
        for name in OF_THE_CONNECTION {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

/// A response of the distribution itself.
fn own(status: StatusCode, kind: &str, message: &str) -> Response<Bytes> {
    let page = format!(
        "<!DOCTYPE html><html><head><title>ERROR: The request could not be satisfied</title></head><body>\
         <h1>{status}</h1><h2>The request could not be satisfied.</h2><p>{message}</p></body></html>\n"
    );
    let mut response = Response::new(Bytes::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    cached(response, kind)
}

fn cached(mut response: Response<Bytes>, kind: &str) -> Response<Bytes> {
    if let Ok(value) = HeaderValue::try_from(format!("{kind} from cloudfront")) {
        response.headers_mut().insert("x-cache", value);
    }
    response
}
