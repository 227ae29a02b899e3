//! Signature version 4, as AWS checks it: a call is accepted only if all that its caller signed is what arrived.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! The signature is made once more, by the SDK's own crate and with the caller's key, and compared.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::HeaderMap;
use http::request::Parts;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::identity::{self, Caller, Identities};

/// How far a signature's time may be from the real one.
const MAX_SKEW_SECONDS: i64 = 15 * 60;

/// Why a call is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Missing Authentication Token")]
    Unsigned,
    #[error("{0}")]
    Incomplete(&'static str),
    #[error("The security token included in the request is invalid.")]
    Unknown,
    #[error("The security token included in the request is expired")]
    Expired,
    #[error("{0}")]
    Signature(String),
}

impl Refusal {
    /// AWS's name for it.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::Unknown => "UnrecognizedClientException",
            Self::Expired => "ExpiredTokenException",
            Self::Signature(_) => "InvalidSignatureException",
        }
    }
}

/// The content of the `Authorization` header, not yet verified.
pub(super) struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    /// The region in the credential scope.
    pub(super) region: &'a str,
    /// The service in the credential scope.
    pub(super) service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads the header.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let text = header(headers, "authorization").ok_or(Refusal::Unsigned)?;
        let fields = text
            .strip_prefix("AWS4-HMAC-SHA256")
            .ok_or(Refusal::Incomplete("Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is known."))?;
        let field = |name: &str| {
            let mut all = fields.split(',').filter_map(|it| it.trim().split_once('='));
            all.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let credential = field("Credential")
            .ok_or(Refusal::Incomplete("Authorization header requires 'Credential' parameter."))?;
        let signed_headers = field("SignedHeaders")
            .ok_or(Refusal::Incomplete("Authorization header requires 'SignedHeaders' parameter."))?;
        let signature = field("Signature")
            .ok_or(Refusal::Incomplete("Authorization header requires 'Signature' parameter."))?;
        let scope: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope[..] else {
            return Err(Refusal::Incomplete(
                "Credential must have the form access-key/date/region/service/aws4_request.",
            ));
        };
        Ok(Self {
            access_key_id,
            date,
            region,
            service,
            signed_headers: signed_headers.split(';').collect(),
            signature,
        })
    }

    /// Checks that the holder of the key signed exactly this request, and did so just now.
    pub(super) fn verify(
        &self,
        identities: &Identities,
        request: &Parts,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Caller, Refusal> {
        let (credentials, caller) = identities.by_access_key(self.access_key_id).ok_or(Refusal::Unknown)?;
        if header(&request.headers, "x-amz-security-token") != Some(&credentials.session_token) {
            return Err(Refusal::Unknown);
        }
        let time = header(&request.headers, "x-amz-date").ok_or(Refusal::Incomplete(
            "Authorization header requires existence of an 'X-Amz-Date' header.",
        ))?;
        let time = self.check_time(time, now)?;
        if let Some(missing) = self.missing_header(&request.headers) {
            return Err(Refusal::Signature(format!(
                "'{missing}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
        if self.sign_again(&credentials, request, body, time).as_deref() != Some(self.signature) {
            return Err(mismatch());
        }
        if caller.session.as_ref().is_some_and(|it| it.is_expired()) {
            return Err(Refusal::Expired);
        }
        Ok(caller)
    }

    /// The signature that the holder of these credentials would give the headers that are said to be signed; `None` when a
    /// header is not text or the address is none.
    fn sign_again(
        &self,
        credentials: &identity::Credentials,
        request: &Parts,
        body: &[u8],
        time: OffsetDateTime,
    ) -> Option<String> {
        let identity = Credentials::new(
            &credentials.access_key_id,
            &credentials.secret_access_key,
            Some(credentials.session_token.clone()),
            None,
            "local",
        )
        .into();
        let mut settings = SigningSettings::default();
        // Those that are left out by default count as well when the caller has signed them.
        settings.excluded_headers = None;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(time.into())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let host = header(&request.headers, "host")?;
        let uri = format!("http://{host}{}", request.uri.path_and_query()?);
        let mut headers = Vec::new();
        for name in &self.signed_headers {
            for value in request.headers.get_all(*name) {
                headers.push((*name, value.to_str().ok()?));
            }
        }
        let body = SignableBody::Bytes(body);
        let again = SignableRequest::new(request.method.as_str(), uri, headers.into_iter(), body).ok()?;
        Some(sign(again, &parameters).ok()?.signature().to_owned())
    }

    fn check_time(&self, text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, Refusal> {
        let not_a_date = || {
            Refusal::Incomplete(
                "Date must be in ISO-8601 'basic format', as in 'X-Amz-Date: 20261120T120000Z'.",
            )
        };
        if text.len() != 16 {
            return Err(not_a_date());
        }
        let time = OffsetDateTime::parse(text, &Iso8601::PARSING).map_err(|_| not_a_date())?;
        if !text.starts_with(self.date) {
            return Err(Refusal::Signature(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{text}'.",
                self.date
            )));
        }
        let off_by = (now - time).whole_seconds();
        if off_by > MAX_SKEW_SECONDS {
            return Err(Refusal::Signature(format!("Signature expired: {text} is now {off_by} s old.")));
        }
        if off_by < -MAX_SKEW_SECONDS {
            return Err(Refusal::Signature(format!(
                "Signature not yet current: {text} is {} s ahead.",
                -off_by
            )));
        }
        Ok(time)
    }

    /// The host and all that bears AWS's prefix have to be under the signature.
    fn missing_header<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let needed = headers.keys().map(http::HeaderName::as_str);
        needed
            .filter(|name| *name == "host" || name.starts_with("x-amz-"))
            .find(|name| !self.signed_headers.contains(name))
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn mismatch() -> Refusal {
    Refusal::Signature(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
            .to_owned(),
    )
}
