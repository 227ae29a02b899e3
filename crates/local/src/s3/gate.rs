//! Authorization of S3 requests: signatures, roles, policies of buckets and keys, faults and the record of calls.

mod needs;
mod policy;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::Surroundings;
use crate::calls::CallRequest;
use crate::faults::FaultKind;
use crate::identity::Caller;
use local_template::iam::{IamError, ResourcePolicy, Who};
use local_template::plan::{Bucket, Key};
use local_template::template::ACCOUNT;
use needs::{Need, query};
pub(super) use needs::{deletion, missing};

/// The caller.
#[derive(Clone)]
pub(super) enum Principal {
    /// A function's environment, a session of a role, or the operator.
    Caller(Caller),
    /// A service of AWS in its own name, with the condition keys that it sends: a distribution, Chime's media pipelines.
    Service { name: String, context: Vec<(String, String)> },
}

impl Principal {
    /// A distribution, by its ARN.
    pub(super) fn distribution(arn: &str) -> Self {
        let context = vec![("aws:SourceArn".to_owned(), arn.to_owned())];
        Self::Service { name: "cloudfront.amazonaws.com".to_owned(), context }
    }
}

/// Signature, role and policy. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate(Arc<Inner>);

struct Inner {
    around: Surroundings,
    policies: BTreeMap<String, ResourcePolicy>,
    /// As the template has them.
    documents: BTreeMap<String, String>,
    /// Of the keys that objects are encrypted with, by ARN.
    keys: BTreeMap<String, ResourcePolicy>,
}

/// Condition keys and their values.
type Context<'a> = [(&'a str, &'a str)];

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
        let with_policy = buckets.iter().filter(|it| !it.policy.is_empty());
        let documents = with_policy.map(|it| (it.name.clone(), policy::document(&it.policy))).collect();
        let key = |it: &Key| Ok((it.arn.clone(), ResourcePolicy::new(&it.arn, &it.policy)?));
        let keys = around.keys.iter().map(key).collect::<Result<_, IamError>>()?;
        Ok(Self(Arc::new(Inner { around, policies, documents, keys })))
    }

    /// A bucket's policy as JSON, if it has one.
    pub(super) fn policy(&self, bucket: &str) -> Option<String> {
        self.0.documents.get(bucket).cloned()
    }

    /// Whether the policies of bucket and key let a service do something in its own name.
    pub(super) fn allows_service(
        &self,
        service: &str,
        (action, resource): (&str, &str),
        key: Option<&str>,
        context: &Context<'_>,
    ) -> bool {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let principal = Principal::Service { name: service.to_owned(), context };
        self.allows_with_key(&principal, (action, resource), key)
    }

    /// Whether a caller may do something with an object by a service that acts in the caller's name.
    pub(super) fn allows_caller(&self, caller: &Caller, needed: (&str, &str), key: Option<&str>) -> bool {
        self.allows_with_key(&Principal::Caller(caller.clone()), needed, key)
    }

    fn allows_with_key(
        &self,
        principal: &Principal,
        (action, resource): (&str, &str),
        key: Option<&str>,
    ) -> bool {
        let use_of_key = match action {
            "s3:PutObject" => "kms:GenerateDataKey",
            "s3:GetObject" => "kms:Decrypt",
            _ => return self.allows(principal, action, resource, &[]),
        };
        self.allows(principal, action, resource, &[])
            && self.check_key(Some(principal), use_of_key, resource, key).is_ok()
    }

    /// Whether the caller may learn that an object does not exist.
    pub(super) fn may_list(&self, principal: Option<&Principal>, bucket: &str) -> bool {
        let need = ("s3:ListBucket".to_owned(), format!("arn:aws:s3:::{bucket}"));
        principal.is_some_and(|it| self.refused(it, std::slice::from_ref(&need), &[]).is_none())
    }

    /// The first need that is not met.
    pub(super) fn refused<'a>(
        &self,
        principal: &Principal,
        needs: &'a [Need],
        context: &Context<'_>,
    ) -> Option<&'a Need> {
        needs.iter().find(|(action, resource)| !self.allows(principal, action, resource, context))
    }

    /// Whether the caller may use the key of an object (its ARN is `object`), if that is one of the templates: S3 uses it in the caller's name.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>
    pub(super) fn check_key(
        &self,
        principal: Option<&Principal>,
        action: &str,
        object: &str,
        key: Option<&str>,
    ) -> S3Result<()> {
        let Some((arn, policy)) = key.and_then(|key| self.0.keys.get_key_value(key)) else { return Ok(()) };
        let region = arn.split(':').nth(3).unwrap_or_default();
        let via = format!("s3.{region}.amazonaws.com");
        // The object's ARN, because no bucket here has a bucket key.
        let encrypted = ("kms:EncryptionContext:aws:s3:arn", object);
        let context = [("kms:ViaService", &*via), ("kms:CallerAccount", ACCOUNT), encrypted];
        let allowed = match principal {
            None => false,
            Some(Principal::Service { name, context }) => {
                let context: Vec<_> = context.iter().map(|(key, value)| (&**key, &**value)).collect();
                policy.decide(&Who::Service(name), action, arn, &context).is_allowed()
            }
            Some(Principal::Caller(caller)) => {
                // A key's policy decides; it may leave it to the role by naming the account.
                let of_account = policy.decide(&Who::Account(ACCOUNT), action, arn, &context);
                let by_key = itself(policy, caller, action, arn, &context);
                by_key || (of_account.is_allowed() && self.by_role(caller, action, arn, &context))
            }
        };
        if allowed {
            Ok(())
        } else {
            Err(s3_error!(AccessDenied, "not authorized to perform: {action} on resource: {arn}"))
        }
    }

    fn allows(&self, principal: &Principal, action: &str, resource: &str, context: &Context<'_>) -> bool {
        let bucket = resource.trim_start_matches("arn:aws:s3:::").split('/').next().unwrap_or_default();
        let policy = self.0.policies.get(bucket);
        // Loopback stands for TLS.
        let mut context: Vec<(&str, &str)> = context.to_vec();
        context.push(("aws:SecureTransport", "true"));
        match principal {
            Principal::Service { name, context: own } => {
                context.extend(own.iter().map(|(key, value)| (&**key, &**value)));
                let who = Who::Service(name);
                policy.is_some_and(|it| it.decide(&who, action, resource, &context).is_allowed())
            }
            Principal::Caller(caller) => {
                let denied = |it: &ResourcePolicy| {
                    let decision = it.decide(&Who::Account(ACCOUNT), action, resource, &context);
                    matches!(decision, local_template::iam::Decision::Denied(_))
                };
                // Asked in any case, so that the permission is known as used.
                let by_role = self.by_role(caller, action, resource, &context);
                !policy.is_some_and(denied)
                    && (by_role || policy.is_some_and(|it| itself(it, caller, action, resource, &context)))
            }
        }
    }

    fn by_role(&self, caller: &Caller, action: &str, resource: &str, context: &Context<'_>) -> bool {
        let pairs = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        (self.0.around.authorize)(caller, action, Some(resource), &pairs.collect())
    }

    /// The end of a session's credentials and of a link, both by the cloud's clock. That a link has ended by the real clock, was seen
    /// with its signature.
    fn check_expiry(&self, caller: &Caller, uri: &Uri) -> S3Result<()> {
        if let (Some(signed), Some(seconds)) = (query(uri, "X-Amz-Date"), query(uri, "X-Amz-Expires")) {
            let signed = OffsetDateTime::parse(&signed, &Iso8601::PARSING).ok();
            let seconds = seconds.parse().ok().map(time::Duration::seconds);
            let (signed, seconds) =
                signed.zip(seconds).ok_or_else(|| s3_error!(AuthorizationQueryParametersError))?;
            // The signature has whole seconds; its credentials were made before it.
            let signed = caller.session.as_ref().map_or(signed, |it| signed.max(it.made_at));
            let clock = &self.0.around.clock;
            if clock.now() > clock.at(signed) + seconds {
                return Err(s3_error!(AccessDenied, "Request has expired"));
            }
        }
        if caller.session.as_ref().is_some_and(|it| it.is_expired()) {
            return Err(s3_error!(ExpiredToken, "The provided token has expired."));
        }
        Ok(())
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
        self.check_expiry(&caller, cx.uri())?;
        Ok(caller)
    }
}

/// Whether a resource's policy itself lets a caller do it, whatever the role's own policies say. A session policy limits it all the same.
fn itself(
    policy: &ResourcePolicy,
    caller: &Caller,
    action: &str,
    resource: &str,
    context: &Context<'_>,
) -> bool {
    let session = caller.session.as_deref().map(|it| &it.role);
    let who = Who::RoleItself { arn: session.map_or("", |it| it.role()) };
    policy.decide(&who, action, resource, context).is_allowed()
        && session.is_none_or(|it| it.policy_allows(action, resource, context))
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
        let needs = needs::of(&operation, cx.s3_path(), cx.headers(), cx.uri());
        let context = needs::context(cx.headers(), cx.uri());
        let context: Vec<(&str, &str)> = context.iter().map(|(key, value)| (*key, &**value)).collect();
        if let Some(service @ Principal::Service { .. }) = cx.extensions_mut().get::<Principal>().cloned() {
            return match self.refused(&service, &needs, &context) {
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
        let refused = self.refused(&principal, &needs, &context).cloned();
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
