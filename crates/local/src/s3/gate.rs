//! Authorization of S3 requests: signatures, roles, bucket policies, faults and the record of calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::Surroundings;
use crate::calls::CallRequest;
use crate::faults::FaultKind;
use crate::identity::Caller;
use crate::service::Context;
use local_template::iam::{IamError, ResourcePolicy, Who};
use local_template::plan::Bucket;

/// The caller.
#[derive(Clone)]
pub(super) enum Principal {
    /// A function's environment, or the operator.
    Caller(Caller),
    /// A distribution, by its ARN.
    Distribution(String),
}

/// An action and the ARN that it is on.
type Need = (String, String);

/// Signature, role and policy. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate(Arc<Inner>);

struct Inner {
    around: Surroundings,
    policies: BTreeMap<String, ResourcePolicy>,
}

/// The outcome of a call; shared between the handler and the recorder.
#[derive(Clone, Default)]
pub(super) struct Trace(Arc<Mutex<Option<Ending>>>);

struct Ending {
    around: crate::calls::CallLog,
    n: u64,
    allowed: bool,
    fault: Option<FaultKind>,
    caller: Caller,
}

impl Trace {
    /// Records the end of the call; whether it is answered.
    pub(super) async fn end(&self, status: u16) -> bool {
        let ending = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ending) = ending else { return true };
        match ending.fault {
            Some(FaultKind::Drop) => {}
            Some(FaultKind::KillBefore | FaultKind::KillAfter) => ending.caller.kill().await,
            _ => {
                ending.around.end(ending.n, ending.allowed, status);
                return true;
            }
        }
        ending.around.end(ending.n, ending.allowed, 0);
        false
    }
}

impl Gate {
    pub(super) fn new(buckets: &[Bucket], around: Surroundings) -> Result<Self, IamError> {
        let policy = |it: &Bucket| Ok((it.name.clone(), ResourcePolicy::new(&it.name, &it.policy)?));
        let policies = buckets.iter().map(policy).collect::<Result<_, IamError>>()?;
        Ok(Self(Arc::new(Inner { around, policies })))
    }

    /// Whether the caller may learn that an object does not exist.
    pub(super) fn may_list(&self, principal: Option<&Principal>, bucket: &str) -> bool {
        let need = ("s3:ListBucket".to_owned(), format!("arn:aws:s3:::{bucket}"));
        principal.is_some_and(|it| self.refused(it, std::slice::from_ref(&need)).is_none())
    }

    /// The first need that is not met.
    pub(super) fn refused<'a>(&self, principal: &Principal, needs: &'a [Need]) -> Option<&'a Need> {
        needs.iter().find(|(action, resource)| !self.allows(principal, action, resource))
    }

    fn allows(&self, principal: &Principal, action: &str, resource: &str) -> bool {
        let bucket = resource.trim_start_matches("arn:aws:s3:::").split('/').next().unwrap_or_default();
        let policy = self.0.policies.get(bucket);
        // Loopback stands for TLS.
        let secure = ("aws:SecureTransport", "true");
        match principal {
            Principal::Distribution(arn) => {
                let context = [secure, ("aws:SourceArn", arn)];
                let who = Who::Service("cloudfront.amazonaws.com");
                policy.is_some_and(|it| it.decide(&who, action, resource, &context).is_allowed())
            }
            Principal::Caller(caller) => {
                let who = Who::Account(local_template::template::ACCOUNT);
                let of_bucket = policy.map(|it| it.decide(&who, action, resource, &[secure]));
                let mut context = Context::new();
                context.insert(secure.0.to_owned(), secure.1.to_owned());
                let by_role = (self.0.around.authorize)(caller, action, Some(resource), &context);
                match of_bucket {
                    Some(local_template::iam::Decision::Denied(_)) => false,
                    Some(local_template::iam::Decision::Allowed) => true,
                    _ => by_role,
                }
            }
        }
    }

    /// Whether the bucket's policy lets a service act in its own name.
    pub(super) fn allows_service(
        &self,
        service: &str,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> bool {
        let bucket = resource.trim_start_matches("arn:aws:s3:::").split('/').next().unwrap_or_default();
        let policy = self.0.policies.get(bucket);
        let context: Vec<(&str, &str)> =
            context.iter().copied().chain([("aws:SecureTransport", "true")]).collect();
        policy.is_some_and(|it| it.decide(&Who::Service(service), action, resource, &context).is_allowed())
    }

    fn caller(&self, cx: &S3AccessContext<'_>) -> S3Result<Caller> {
        let key = cx.credentials().map(|it| it.access_key.clone());
        let key = key.ok_or_else(|| s3_error!(AccessDenied, "Access Denied"))?;
        let known = self.0.around.identities.by_access_key(&key);
        let (credentials, caller) = known.ok_or_else(|| s3_error!(InvalidAccessKeyId))?;
        let token =
            cx.headers().get("x-amz-security-token").and_then(|it| it.to_str().ok().map(str::to_owned));
        let token = token.or_else(|| query(cx.uri(), "X-Amz-Security-Token"));
        if token.as_deref() != Some(&credentials.session_token) {
            return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
        }
        Ok(caller)
    }
}

#[async_trait::async_trait]
impl S3Auth for Gate {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let known = self.0.around.identities.by_access_key(access_key);
        known
            .map(|(credentials, _)| SecretKey::from(credentials.secret_access_key))
            .ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name().to_owned();
        let needs = needs(&operation, cx.s3_path(), cx.headers(), cx.uri());
        if let Some(distribution @ Principal::Distribution(_)) =
            cx.extensions_mut().get::<Principal>().cloned()
        {
            return match self.refused(&distribution, &needs) {
                None => Ok(()),
                Some(_) => Err(s3_error!(AccessDenied, "Access Denied")),
            };
        }
        let caller = self.caller(cx)?;
        let principal = Principal::Caller(caller.clone());
        cx.extensions_mut().insert(principal.clone());
        let around = &self.0.around;
        let sent = CallRequest {
            method: cx.method().to_string(),
            path: cx.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            // Recordings and pages are no reading.
            body: String::new(),
        };
        let n = around.calls.begin(&caller.function, "s3", &operation, sent);
        let refused = self.refused(&principal, &needs).cloned();
        let effect = around.faults.effect("s3", &operation, &caller.function);
        if let Some(trace) = cx.extensions_mut().get::<Trace>().cloned() {
            let calls = around.calls.clone();
            let ending = Ending { around: calls, n, allowed: refused.is_none(), fault: effect.fault, caller };
            *trace.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
        }
        tokio::time::sleep(effect.latency).await;
        match (refused, effect.fault) {
            (Some((action, resource)), _) => {
                Err(s3_error!(AccessDenied, "not authorized to perform: {action} on resource: {resource}"))
            }
            (None, Some(FaultKind::Throttle)) => Err(s3_error!(SlowDown, "Please reduce your request rate.")),
            (None, Some(FaultKind::Error)) => Err(s3_error!(InternalError)),
            // The caller is killed; this error only keeps the call from being carried out.
            (None, Some(FaultKind::KillBefore)) => Err(s3_error!(ServiceUnavailable)),
            (None, _) => Ok(()),
        }
    }
}

/// The permissions that an operation needs.
fn needs(operation: &str, path: &S3Path, headers: &HeaderMap, uri: &Uri) -> Vec<Need> {
    let arn = match path {
        S3Path::Root => "arn:aws:s3:::*".to_owned(),
        S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
        S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    let of_version = if query(uri, "versionId").is_some() { "Version" } else { "" };
    let one = |action: &str| vec![(format!("s3:{action}"), arn.clone())];
    match operation {
        "GetObject" | "HeadObject" => one(&format!("GetObject{of_version}")),
        "DeleteObject" => one(&format!("DeleteObject{of_version}")),
        // Its keys are in the body and are asked for one by one.
        "DeleteObjects" => Vec::new(),
        "CopyObject" => {
            let source = headers.get("x-amz-copy-source").and_then(|it| it.to_str().ok()).unwrap_or_default();
            let source = source.trim_start_matches('/').split('?').next().unwrap_or_default();
            let source = percent_encoding::percent_decode_str(source).decode_utf8_lossy();
            let mut needs = one("PutObject");
            needs.push(("s3:GetObject".to_owned(), format!("arn:aws:s3:::{source}")));
            needs
        }
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => one("ListBucket"),
        "ListObjectVersions" => one("ListBucketVersions"),
        "CompleteMultipartUpload" | "CreateMultipartUpload" | "UploadPart" => one("PutObject"),
        other => one(other),
    }
}

/// The permissions that deleting an object needs.
pub(super) fn deletion(bucket: &str, key: &str, version: Option<&str>) -> Need {
    let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    (action.to_owned(), format!("arn:aws:s3:::{bucket}/{key}"))
}

/// The refusal of an object that is not there.
pub(super) fn missing(may_list: bool) -> S3Error {
    if may_list {
        S3Error::with_message(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
    } else {
        S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
    }
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(it, _)| it == name).map(|(_, value)| value.into_owned())
}
