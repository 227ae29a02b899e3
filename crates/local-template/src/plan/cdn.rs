//! Buckets, and the distributions in front of them.

use std::collections::BTreeMap;

use super::ResourceStatement;

/// An S3 bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    pub name: String,
    pub arn: String,
    /// The domain that an origin names it by.
    pub domain: String,
    /// Whether replaced and deleted objects are kept.
    pub versioned: bool,
    /// `AES256` or `aws:kms`, which S3 returns as a response header.
    pub encryption: String,
    /// The ARN of the customer's key, if its objects are encrypted with one.
    pub key: Option<String>,
    /// Whether objects can be locked: by a legal hold, for there is no default retention.
    pub lock: bool,
    pub lifecycle: Vec<LifecycleRule>,
    pub policy: Vec<ResourceStatement>,
}

/// A lifecycle rule that is enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleRule {
    /// The prefix of the keys that it is for.
    pub prefix: String,
    /// Days after which the current version expires.
    pub expiration_days: Option<u32>,
    /// Days after which a version is deleted that is no longer the current one.
    pub noncurrent_days: Option<u32>,
    /// Days after which an upload that was not completed is aborted.
    pub abort_days: Option<u32>,
    /// Whether a delete marker is removed that no version is left behind.
    pub removes_markers: bool,
}

/// A `CloudFront` distribution.
#[derive(Clone, Debug)]
pub struct Distribution {
    pub id: String,
    pub arn: String,
    /// The domain that `CloudFront` gives it.
    pub domain: String,
    /// Where it gets what it serves.
    pub origins: Vec<Origin>,
    /// By path, in order; the default is the last, with the pattern `*`.
    pub behaviors: Vec<Behavior>,
    /// Seconds that errors are kept at least, by status; what is not listed is kept for ten.
    pub error_ttl: BTreeMap<u16, u32>,
}

/// An origin.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its id in the distribution.
    pub id: String,
    /// The kind of the origin.
    pub kind: OriginKind,
    /// Headers that the distribution adds to each request to it; they replace the viewer's.
    pub headers: Vec<(String, String)>,
}

/// The kind of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// A bucket of the templates.
    Bucket {
        name: String,
        /// Whether the distribution signs what it asks.
        signed: bool,
    },
    /// An HTTP API of the templates, by its id.
    Api(String),
}

/// The cache behavior for requests whose path matches.
#[derive(Clone, Debug)]
pub struct Behavior {
    /// `/assets/*`.
    pub pattern: String,
    /// The origin's id.
    pub origin: String,
    /// Methods that are let through.
    pub methods: Vec<String>,
    /// Whether the origin gets query, cookies and all headers but Host; else it gets none of them.
    pub forwards_viewer: bool,
    /// The code of the function that sees the request first.
    pub function: Option<String>,
    /// The changes to the response's headers.
    pub headers: Option<ResponseHeaders>,
}

/// A response headers policy.
#[derive(Clone, Debug, Default)]
pub struct ResponseHeaders {
    /// Headers that are set.
    pub set: Vec<SetHeader>,
    /// Headers of the origin that are taken off, lower case.
    pub remove: Vec<String>,
    /// CORS, if it answers that.
    pub cors: Option<CorsHeaders>,
}

/// A header that is set.
#[derive(Clone, Debug)]
pub struct SetHeader {
    /// Lower case.
    pub name: String,
    pub value: String,
    /// Whether it replaces the origin's.
    pub overrides: bool,
}

/// CORS of a response headers policy.
#[derive(Clone, Debug)]
pub struct CorsHeaders {
    /// Origins, exactly.
    pub origins: Vec<String>,
    /// Methods, for preflights.
    pub methods: Vec<String>,
    /// Headers, for preflights.
    pub headers: Vec<String>,
    /// Seconds that a preflight is good for.
    pub max_age: u32,
    /// Whether cookies are let in.
    pub credentials: bool,
    /// Whether it replaces what the origin says.
    pub overrides: bool,
}
