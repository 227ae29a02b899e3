//! STS: `AssumeRole` alone. Credentials of a role end by the cloud's clock; they sign requests and links as a function's own do.
//!
//! The function's role and the role's trust policy must both let it, where AWS asks the function's role only if the trust policy names the
//! account: so a template has both, which is right in either case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use local_template::iam::{AssumeError, Iam};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::Clock;
use crate::identity::{Caller, Credentials, Identities};
use crate::service::{Answer, ArnScope, AwsService, ErrorBody, Operation, Permission, Protocol, REST_JSON};

/// Without `DurationSeconds`; the least; the most, if the role allows it
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SECONDS: (u32, u32, u32) = (3600, 900, 43_200);

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The query protocol of AWS: a form in, XML out.
const PROTOCOL: Protocol = Protocol {
    content_type: "text/xml",
    throttled_status: StatusCode::BAD_REQUEST,
    failure_code: "InternalFailure",
    error_body,
    names_error_in_header: false,
    ..REST_JSON
};

/// STS. Cheap to clone.
#[derive(Clone)]
pub struct Sts {
    iam: Arc<Iam>,
    identities: Identities,
    clock: Clock,
}

impl Sts {
    #[must_use]
    pub fn new(iam: Arc<Iam>, identities: Identities, clock: Clock) -> Self {
        Self { iam, identities, clock }
    }

    fn assume(&self, caller: &Caller, form: &Form) -> Result<ErrorBody, (StatusCode, &'static str, String)> {
        let invalid = |what: &str| (StatusCode::BAD_REQUEST, "ValidationError", what.to_owned());
        let role = form.get("RoleArn").ok_or_else(|| invalid("RoleArn is missing"))?;
        let name = form.get("RoleSessionName").ok_or_else(|| invalid("RoleSessionName is missing"))?;
        let known = |it: u8| it.is_ascii_alphanumeric() || b"_+=,.@-".contains(&it);
        if !(2..=64).contains(&name.len()) || !name.bytes().all(known) {
            return Err(invalid("RoleSessionName must have 2 to 64 characters of [\\w+=,.@-]"));
        }
        let (usual, least, most) = SECONDS;
        let seconds = form.get("DurationSeconds").map_or(Ok(usual), |it| it.parse());
        let seconds = seconds.ok().filter(|it| (least..=most).contains(it));
        let seconds = seconds.ok_or_else(|| invalid("DurationSeconds must be from 900 to 43200"))?;
        let known = ["Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy"];
        if let Some(other) = form.keys().find(|it| !known.contains(&it.as_str())) {
            return Err(invalid(&format!("{other} is not known here")));
        }
        let context = [("sts:RoleSessionName", name.as_str())];
        let policy = form.get("Policy").map(String::as_str);
        let session =
            match (&caller.session, self.iam.assume(&caller.function, role, seconds, policy, &context)) {
                (Some(_), _) => return Err(invalid("a session of a role assumes no other one here")),
                (None, Ok(session)) => session,
                (None, Err(error)) => {
                    let (status, code) = match &error {
                        AssumeError::NotTrusted(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
                        AssumeError::TooLong => (StatusCode::BAD_REQUEST, "ValidationError"),
                        AssumeError::PolicyTooLarge(_) => (StatusCode::BAD_REQUEST, "PackedPolicyTooLarge"),
                        AssumeError::Malformed(_) | AssumeError::Policy(_) => {
                            (StatusCode::BAD_REQUEST, "MalformedPolicyDocument")
                        }
                    };
                    return Err((status, code, error.to_string()));
                }
            };
        let life = Duration::from_secs(seconds.into());
        let (credentials, expires_at) = self.identities.issue_session(caller, session, life, &self.clock);
        Ok(answer(role, name, &credentials, expires_at))
    }
}

type Form = BTreeMap<String, String>;

fn form(body: &[u8]) -> Form {
    form_urlencoded::parse(body).into_owned().collect()
}

#[async_trait]
impl AwsService for Sts {
    fn scope(&self) -> &'static str {
        "sts"
    }

    fn protocol(&self) -> &'static Protocol {
        &PROTOCOL
    }

    fn operation(&self, _: ArnScope<'_>, _: &Parts, body: &[u8]) -> Option<Operation> {
        let form = form(body);
        let name = form.get("Action").filter(|it| *it == "AssumeRole")?.clone();
        let mut permission = Permission::new("sts:AssumeRole", form.get("RoleArn").cloned());
        if let Some(session) = form.get("RoleSessionName") {
            permission.context.insert("sts:RoleSessionName".to_owned(), session.clone());
        }
        Some(Operation { name, permissions: vec![permission] })
    }

    async fn answer(&self, _: &str, request: &Parts, body: Bytes) -> Answer {
        let Some(caller) = request.extensions.get::<Caller>() else { return PROTOCOL.failed() };
        match self.assume(caller, &form(&body)) {
            Ok(body) => PROTOCOL.answer(StatusCode::OK, body),
            Err((status, code, message)) => PROTOCOL.error(status, code, &message),
        }
    }
}

fn answer(role: &str, session: &str, credentials: &Credentials, expires_at: OffsetDateTime) -> ErrorBody {
    // Whole seconds, as AWS writes them.
    let expires_at = expires_at.replace_nanosecond(0).unwrap_or(expires_at);
    let expires_at = expires_at.format(&Rfc3339).unwrap_or_default();
    let assumed = role.replacen(":iam:", ":sts:", 1).replacen(":role/", ":assumed-role/", 1);
    let (key, secret, token) =
        (&credentials.access_key_id, &credentials.secret_access_key, &credentials.session_token);
    ErrorBody::Xml(format!(
        "<AssumeRoleResponse xmlns=\"{NAMESPACE}\"><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{expires_at}\
         </Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROALOCAL:{session}</AssumedRoleId><Arn>{}\
         </Arn></AssumedRoleUser></AssumeRoleResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </AssumeRoleResponse>",
        escaped(&format!("{assumed}/{session}")),
        uuid::Uuid::new_v4(),
    ))
}

/// With the codes of the query protocol.
fn error_body(code: &str, message: &str, request_id: &str) -> ErrorBody {
    let code = match code {
        "ExpiredTokenException" => "ExpiredToken",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        other => other.strip_suffix("Exception").unwrap_or(other),
    };
    ErrorBody::Xml(format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message>\
         </Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        escaped(message),
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
