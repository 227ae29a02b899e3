//! Signature version 4, as AWS checks it: a call is believed only if all that it signed is what arrived.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use hmac::{Hmac, Mac};
use http::HeaderMap;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::identity::{Caller, Identities};

/// How far a signature's time may be from the real one, in seconds.
const GREATEST_SKEW_S: i64 = 15 * 60;

/// What RFC 3986 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a whole path: its slashes stay.
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// Why a call is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Missing Authentication Token")]
    Unsigned,
    #[error("{0}")]
    Incomplete(&'static str),
    #[error("The security token included in the request is invalid.")]
    Unknown,
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
            Self::Signature(_) => "InvalidSignatureException",
        }
    }
}

/// What the `Authorization` header says, not yet believed.
pub(super) struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    /// The region in the credential scope.
    pub(super) region: &'a str,
    /// The service in the credential scope.
    pub(super) service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: Vec<u8>,
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
            signature: hex::decode(signature).map_err(|_| mismatch())?,
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
        self.check_time(time, now)?;
        if let Some(missing) = self.missing_header(&request.headers) {
            return Err(Refusal::Signature(format!(
                "'{missing}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
        let canonical = self.canonical_request(request, body);
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let secret = format!("AWS4{}", credentials.secret_access_key);
        let key = [self.date, self.region, self.service, "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| keyed(&key, part).finalize().into_bytes().to_vec());
        keyed(&key, &to_sign).verify_slice(&self.signature).map_err(|_| mismatch())?;
        Ok(caller)
    }

    fn check_time(&self, text: &str, now: OffsetDateTime) -> Result<(), Refusal> {
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
        if off_by > GREATEST_SKEW_S {
            return Err(Refusal::Signature(format!("Signature expired: {text} is now {off_by} s old.")));
        }
        if off_by < -GREATEST_SKEW_S {
            return Err(Refusal::Signature(format!(
                "Signature not yet current: {text} is {} s ahead.",
                -off_by
            )));
        }
        Ok(())
    }

    /// The host and all that bears AWS's prefix have to be under the signature.
    fn missing_header<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let needed = headers.keys().map(http::HeaderName::as_str);
        needed
            .filter(|name| *name == "host" || name.starts_with("x-amz-"))
            .find(|name| !self.signed_headers.contains(name))
    }

    fn canonical_request(&self, request: &Parts, body: &[u8]) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            request.method,
            utf8_percent_encode(request.uri.path(), ENCODED_IN_PATH),
            canonical_query(request.uri.query().unwrap_or_default())
        );
        for name in &self.signed_headers {
            let values: Vec<String> = request.headers.get_all(*name).iter().map(canonical_value).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}:{}", values.join(","));
        }
        let _ = write!(text, "\n{}\n{}", self.signed_headers.join(";"), hex::encode(Sha256::digest(body)));
        text
    }
}

fn canonical_value(value: &http::HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn canonical_query(query: &str) -> String {
    let recoded = |text: &str| {
        let plain: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&plain, ENCODED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recoded(name), recoded(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn keyed(key: &[u8], message: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac
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
