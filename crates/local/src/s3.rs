//! S3: `s3s` speaks the protocol and checks signatures, presigned links too; the objects are ours, in memory or, larger ones, in
//! files.
//!
//! Buckets are those of the templates. Each call is checked against the caller's role and the bucket's policy, counted,
//! and may meet faults, as calls to the other services are. A caller without `s3:ListBucket` gets 403 for a missing object, as on AWS.

mod content;
mod gate;
mod lifecycle;
mod operations;
mod store;
mod uploads;

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::calls::CallLog;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::identity::{Caller, Identities};
use crate::service::{Answer, ArnScope, Authorize, AwsService, Operation, Protocol, REST_JSON, Unanswered};
use content::Content;
use gate::{Gate, Principal, Trace};
use local_template::iam::IamError;
use local_template::plan::{Bucket, Key};
use md5::{Digest as _, Md5};
use operations::Operations;
use store::{NewObject, Store};
pub use store::{Object, ObjectHeaders};

/// The state that requests are checked against and recorded in.
pub struct Surroundings {
    /// The known credentials.
    pub identities: Identities,
    /// Where calls are recorded.
    pub calls: CallLog,
    /// The faults in force.
    pub faults: Faults,
    /// The roles.
    pub authorize: Authorize,
    /// The clock of the objects' times.
    pub clock: Clock,
    /// The keys that buckets may be encrypted with.
    pub keys: Vec<Key>,
}

/// All buckets. Cheap to clone.
#[derive(Clone)]
pub struct S3 {
    service: S3Service,
    store: Arc<Store>,
    gate: Gate,
}

impl S3 {
    /// The buckets of a plan, empty.
    ///
    /// # Errors
    /// When a bucket's policy says what is not evaluated here.
    pub fn new(buckets: &[Bucket], around: Surroundings) -> Result<Self, IamError> {
        let store = Arc::new(Store::new(buckets, around.clock.clone()));
        let gate = Gate::new(buckets, around)?;
        let mut builder = S3ServiceBuilder::new(Operations::new(Arc::clone(&store), gate.clone()));
        builder.set_auth(gate.clone());
        builder.set_access(gate.clone());
        Ok(Self { service: builder.build(), store, gate })
    }

    /// The response to a distribution's request for an object, signed or not.
    pub(crate) async fn for_distribution(
        &self,
        distribution: Option<&str>,
        (bucket, key): (&str, &str),
        method: &Method,
        headers: &HeaderMap,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("/{bucket}{key}"));
        if let Some(all) = request.headers_mut() {
            all.clone_from(headers);
            all.insert(http::header::HOST, http::HeaderValue::from_static("s3.local"));
        }
        if let Some(arn) = distribution {
            request = request.extension(Principal::distribution(arn));
        }
        let answer = match request.body(s3s::Body::empty()) {
            Ok(request) => self.service.call(request).await.ok(),
            Err(_) => None,
        };
        let Some(answer) = answer else { return failed(StatusCode::BAD_REQUEST) };
        let (parts, body) = answer.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(parts, body.to_bytes()),
            Err(_) => failed(StatusCode::BAD_GATEWAY),
        }
    }

    /// Puts an object, whoever may.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn put(&self, bucket: &str, key: &str, bytes: Bytes, headers: ObjectHeaders) -> Result<(), NoBucket> {
        self.put_content(bucket, key, Content::from(bytes), headers)
    }

    /// Puts the whole of a file as an object, whoever may; the file is not changed any more. It may have holes: nothing of it is read
    /// before it is asked for.
    ///
    /// # Errors
    /// When there is no such bucket, or the file is none.
    pub fn put_file(
        &self,
        bucket: &str,
        key: &str,
        file: std::fs::File,
        headers: ObjectHeaders,
    ) -> Result<(), PutError> {
        Ok(self.put_content(bucket, key, Content::of_file(file)?, headers)?)
    }

    fn put_content(
        &self,
        bucket: &str,
        key: &str,
        content: Content,
        headers: ObjectHeaders,
    ) -> Result<(), NoBucket> {
        let etag = etag_of(&content);
        let new = NewObject { content, headers, etag, ..NewObject::default() };
        self.store.put(bucket, key, new).map(drop).ok_or_else(|| NoBucket(bucket.to_owned()))
    }

    /// Whether there is a bucket of this name.
    #[must_use]
    pub fn has(&self, bucket: &str) -> bool {
        self.store.has(bucket)
    }

    /// Whether the bucket's policy lets a service act in its own name, and that of the bucket's key what this needs.
    #[must_use]
    pub fn allows_service(
        &self,
        service: &str,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> bool {
        let bucket = resource.rsplit(":::").next().and_then(|it| it.split('/').next()).unwrap_or_default();
        let key = self.store.key(bucket, &ObjectHeaders::default());
        self.gate.allows_service(service, (action, resource), key.as_deref(), context)
    }

    /// Whether a caller may read or put an object by a service that acts in the caller's name.
    pub(crate) fn allows_caller(&self, caller: &Caller, action: &str, bucket: &str, key: &str) -> bool {
        let encryption = self.store.key(bucket, &ObjectHeaders::default());
        let resource = format!("arn:aws:s3:::{bucket}/{key}");
        self.gate.allows_caller(caller, (action, &resource), encryption.as_deref())
    }

    /// The object that a key names now.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        self.store.get(bucket, key, None)
    }

    /// All versions of objects by their keys, in order, and whether each is under legal hold.
    #[must_use]
    pub fn holds(&self, bucket: &str) -> Vec<(String, bool)> {
        self.store.holds(bucket)
    }

    /// The keys that name an object now, in order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.store.list(bucket, "").unwrap_or_default().into_iter().map(|(key, _)| key).collect()
    }
}

/// S3 has a protocol of its own, presigned links among it, and bodies of any size.
#[async_trait]
impl AwsService for S3 {
    fn scope(&self) -> &'static str {
        "s3"
    }

    fn protocol(&self) -> &'static Protocol {
        &REST_JSON
    }

    fn operation(&self, _: ArnScope<'_>, _: &Parts, _: &[u8]) -> Option<Operation> {
        None
    }

    async fn answer(&self, _: &str, _: &Parts, _: Bytes) -> Answer {
        REST_JSON.failed()
    }

    /// By its signature, or by that of a presigned link.
    fn recognizes(&self, request: &Request<Incoming>) -> bool {
        let header = request.headers().get(http::header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let query = request.uri().query().unwrap_or_default();
        header.is_some_and(|it| it.contains("/s3/aws4_request"))
            || (query.contains("X-Amz-Credential=") && query.contains("%2Fs3%2Faws4_request"))
    }

    async fn take(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
        let trace = Trace::default();
        request.extensions_mut().insert(trace.clone());
        let answer = self.service.call(request.map(s3s::Body::from)).await.map_err(|_| Unanswered)?;
        if trace.end(answer.status().as_u16()).await { Ok(answer.map(Body::new)) } else { Err(Unanswered) }
    }
}

/// There is no such bucket.
#[derive(Debug, thiserror::Error)]
#[error("there is no bucket {0}")]
pub struct NoBucket(String);

/// Why a file is no object.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    NoBucket(#[from] NoBucket),
    #[error("the object's file cannot be read")]
    File(#[from] std::io::Error),
}

/// The MD5 of what is small; else any text, as S3 has one for what was uploaded in parts.
fn etag_of(content: &Content) -> String {
    const MAX_BYTES: u64 = 1024 * 1024;
    let small = if content.len() <= MAX_BYTES { content.bytes().ok() } else { None };
    match small {
        Some(bytes) => hex::encode(Md5::digest(&bytes)),
        None => format!("{}-1", uuid::Uuid::new_v4().simple()),
    }
}

fn failed(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
