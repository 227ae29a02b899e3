//! An AWS service as the endpoint sees it. A new service is one file that implements [`AwsService`] and one line in
//! [`crate::cloud`], which registers it.

mod protocol;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;

pub use self::protocol::{Answer, ErrorBody, Protocol};
pub(crate) use self::protocol::{REST_JSON, RPC_V2_CBOR};
use crate::identity::Caller;

/// Condition keys of a call and their values, `aws:RequestedRegion` among them.
pub type Context = BTreeMap<String, String>;

/// Whether the caller's role allows an action on a resource. A resource of `None` means that the action has no resource
/// type, so that only `*` matches.
pub type Authorize = Arc<dyn Fn(&Caller, &str, Option<&str>, &Context) -> bool + Send + Sync>;

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub struct Unanswered;

/// A permission that a call needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Permission {
    /// `chime:CreateMeeting`.
    pub action: String,
    /// None for an action without a resource type.
    pub resource: Option<String>,
    /// Condition keys of this action alone, and their values.
    pub context: Context,
}

impl Permission {
    /// Without condition keys of its own.
    pub fn new(action: impl Into<String>, resource: Option<String>) -> Self {
        Self { action: action.into(), resource, context: Context::new() }
    }
}

/// An operation and the permissions that it needs, all of them.
#[derive(Debug)]
pub struct Operation {
    /// `CreateMeeting`.
    pub name: String,
    pub permissions: Vec<Permission>,
}

/// The region and account of ARNs.
#[derive(Clone, Copy, Debug)]
pub struct ArnScope<'a> {
    pub account: &'a str,
    pub region: &'a str,
}

/// A service of the local cloud.
///
/// The endpoint verifies the signature, asks the caller's role for the permissions of the operation, carries out the faults
/// in force and records the call. A service with a protocol of its own does that itself: it implements
/// [`recognizes`](Self::recognizes) and [`take`](Self::take).
#[async_trait]
pub trait AwsService: Send + Sync {
    /// The service's name in a signature's credential scope, in faults and in recorded calls.
    fn scope(&self) -> &'static str;

    /// How it writes answers and errors.
    fn protocol(&self) -> &'static Protocol;

    /// How it writes the answer to this request, if it speaks several protocols.
    fn protocol_of(&self, _request: &Parts) -> &'static Protocol {
        self.protocol()
    }

    /// The error of the service above its rate limit.
    fn throttled(&self, request: &Parts) -> Answer {
        self.protocol_of(request).throttled()
    }

    /// The operation of a request; `None` when the service has no such operation.
    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation>;

    /// Answers a request that the endpoint has let in.
    async fn answer(&self, region: &str, request: &Parts, body: Bytes) -> Answer;

    /// Whether a request is for this service and its whole handling is the service's own.
    fn recognizes(&self, _request: &Request<Incoming>) -> bool {
        false
    }

    /// Answers a request that it recognizes.
    async fn take(&self, _request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
        let message = "The service takes no requests of its own.";
        Ok(self.protocol().error(StatusCode::NOT_FOUND, "UnknownOperationException", message).map(Body::from))
    }
}

/// The operation that the header `X-Amz-Target` names after a service's prefix, in the JSON protocols.
pub(crate) fn target_operation(request: &Parts, prefix: &str) -> Option<String> {
    let target = request.headers.get("x-amz-target")?.to_str().ok()?;
    Some(target.strip_prefix(prefix)?.to_owned())
}

/// The body as far as the role's check looks into it; the service judges whether it is well-formed.
pub(crate) fn body_json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
