//! A local `OpenID` issuer with real keys, and the check of its tokens that the API's authorizer makes.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::clock::Clock;
use local_template::plan::JwtAuthorizer;

const KEY_ID: &str = "local-1";

/// Made once per process, in some 150 ms each: so the second is created only on use.
static GOOD: LazyLock<Result<rsa::RsaPrivateKey, rsa::Error>> = LazyLock::new(make);
static UNKNOWN: LazyLock<Result<rsa::RsaPrivateKey, rsa::Error>> = LazyLock::new(make);

fn make() -> Result<rsa::RsaPrivateKey, rsa::Error> {
    rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)
}

/// The key that signs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// The issuer's.
    #[default]
    Good,
    /// Another one that claims to be the issuer's, by the same key id.
    Unknown,
}

/// Why no token could be created.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no key.
    #[error("no RSA key could be generated: {0}")]
    Key(String),
    /// The token cannot be signed.
    #[error("the token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// Claims are a JSON object.
    #[error("claims are a JSON object")]
    NoObject,
}

/// The issuer. Cheap to clone.
#[derive(Clone)]
pub struct Issuer {
    url: String,
    clock: Clock,
    modulus: String,
    exponent: String,
    signs: EncodingKey,
}

impl Issuer {
    /// An issuer of that URL. Takes a moment: it may have to make an RSA key.
    pub fn new(url: impl Into<String>, clock: Clock) -> Result<Self, TokenError> {
        let key = key(&GOOD)?;
        let text = |number: &rsa::BigUint| BASE64_URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let (modulus, exponent) = (text(key.n()), text(key.e()));
        Ok(Self { url: url.into(), clock, modulus, exponent, signs: signer(key)? })
    }

    /// Makes a token that expires in so many seconds of the cloud's clock; a negative number makes an expired
    /// one. `iss`, `iat` and `exp` are set unless the claims have them; `aud` is the caller's.
    pub fn issue(&self, claims: Value, expires_in: i64, key_choice: Key) -> Result<String, TokenError> {
        let Value::Object(claims) = claims else { return Err(TokenError::NoObject) };
        let now = self.clock.now().unix_timestamp();
        let expires = now.saturating_add(expires_in);
        // An expired token was issued before it expired.
        let issued = if expires_in < 0 { expires.saturating_sub(3600) } else { now };
        let mut all = Map::from_iter([
            ("iss".to_owned(), json!(self.url)),
            ("iat".to_owned(), json!(issued)),
            ("exp".to_owned(), json!(expires)),
        ]);
        all.extend(claims);
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::RS256) };
        Ok(match key_choice {
            Key::Good => encode(&header, &all, &self.signs)?,
            Key::Unknown => encode(&header, &all, &signer(key(&UNKNOWN)?)?)?,
        })
    }

    /// The issuer's public keys, as `/.well-known/jwks.json` has them.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": self.modulus, "e": self.exponent,
        }] })
    }

    /// Checks tokens by the public key.
    pub fn verifier(&self) -> Result<Verifier, TokenError> {
        Ok(Verifier(DecodingKey::from_rsa_components(&self.modulus, &self.exponent)?))
    }
}

fn key(
    made: &'static Result<rsa::RsaPrivateKey, rsa::Error>,
) -> Result<&'static rsa::RsaPrivateKey, TokenError> {
    made.as_ref().map_err(|error| TokenError::Key(error.to_string()))
}

fn signer(key: &rsa::RsaPrivateKey) -> Result<EncodingKey, TokenError> {
    let der = key.to_pkcs1_der().map_err(|error| TokenError::Key(error.to_string()))?;
    Ok(EncodingKey::from_rsa_der(der.as_bytes()))
}

/// Why a token is refused: the `error_description` of `WWW-Authenticate`.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Not a token, or not one that this issuer signed.
    #[error("signature invalid")]
    Signature(#[source] jsonwebtoken::errors::Error),
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// Another issuer's.
    #[error("invalid issuer")]
    Issuer,
    /// Issued for another audience.
    #[error("invalid audience")]
    Audience,
}

/// Checks tokens as API Gateway's JWT authorizer does, by the issuer's public key and without leeway.
#[derive(Clone)]
pub struct Verifier(DecodingKey);

impl Verifier {
    /// The claims of a token that is good at `now`, the time of the cloud's clock.
    pub fn check(
        &self,
        token: &str,
        wanted: &JwtAuthorizer,
        now: OffsetDateTime,
    ) -> Result<Map<String, Value>, Refused> {
        // The library knows only the real time, so it checks the signature and nothing else.
        let mut signature = Validation::new(Algorithm::RS256);
        signature.validate_exp = false;
        signature.validate_nbf = false;
        signature.validate_aud = false;
        signature.leeway = 0;
        signature.required_spec_claims.clear();
        let claims: Map<String, Value> =
            decode(token, &self.0, &signature).map_err(Refused::Signature)?.claims;

        // Parts of a second exist in `exp`, and some issuers write them.
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have room in 52 bits")]
        let now = now.unix_timestamp_nanos().div_euclid(1_000_000) as f64 / 1000.0;
        let time = |name: &str| claims.get(name).map(|value| value.as_f64().unwrap_or(f64::NAN));
        if !time("exp").is_some_and(|exp| now < exp) {
            return Err(Refused::Expired);
        }
        // `iat` may have been rounded up to the second in which we are.
        if !time("nbf").is_none_or(|nbf| nbf <= now) || !time("iat").is_none_or(|iat| iat < now + 1.0) {
            return Err(Refused::NotYet);
        }
        if claims.get("iss").and_then(Value::as_str) != Some(&wanted.issuer) {
            return Err(Refused::Issuer);
        }
        // API Gateway looks at client_id only where there is no aud.
        let meant =
            |value: &Value| value.as_str().is_some_and(|it| wanted.audience.iter().any(|aud| aud == it));
        let for_us = match claims.get("aud").or_else(|| claims.get("client_id")) {
            Some(Value::Array(many)) => many.iter().any(meant),
            Some(one) => meant(one),
            None => false,
        };
        if for_us { Ok(claims) } else { Err(Refused::Audience) }
    }
}
