//! Requests that came through CloudFront: it adds a secret header to each, which callers of API Gateway's own domain do not
//! know.
//!
//! HTTP APIs have no firewall of their own, so a caller of API Gateway's domain bypasses CloudFront's:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html>. The functions have SHA-256 hashes
//! of the secret and not the secret itself: the hash of a long random text does not reveal it.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::Env;

/// The header that CloudFront adds, in lower case as API Gateway passes it on.
pub(crate) const HEADER: &str = "x-origin-secret";

/// The secret's hash and, while the secret is replaced, its successor's.
const MAX_HASHES: usize = 2;

/// How requests that came through CloudFront are recognised, and whether others are rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    hashes: Vec<[u8; 32]>,
    required: bool,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The viewer's address for a request that came through CloudFront, else the address that API Gateway saw.
    pub(crate) ip: Option<String>,
    /// Whether the request must be rejected, because it did not come through CloudFront.
    pub(crate) bypasses_edge: bool,
}

impl Edge {
    /// Reads `EDGE_SECRET_HASHES` and `REQUIRE_EDGE`; without them no request is recognised and none is rejected.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let (hashes, required) = (env.optional("EDGE_SECRET_HASHES"), env.optional("REQUIRE_EDGE"));
        let hashes = parse(&hashes).unwrap_or_else(|| {
            env.malformed("EDGE_SECRET_HASHES");
            Vec::new()
        });
        if !["", "off", "on"].contains(&required.as_str()) {
            env.malformed("REQUIRE_EDGE");
        }
        let required = required == "on";
        if required && hashes.is_empty() {
            env.missing("EDGE_SECRET_HASHES");
        }
        Self { hashes, required }
    }

    /// `secret` is the header's value, `forwarded_for` that of `X-Forwarded-For`, and `source` the address that API Gateway
    /// saw.
    pub(crate) fn caller(
        &self,
        secret: Option<&[u8]>,
        forwarded_for: Option<&str>,
        source: Option<String>,
    ) -> Caller {
        if secret.is_some_and(|it| self.recognises(it)) {
            let viewer = viewer(forwarded_for.unwrap_or_default(), source.as_deref());
            return Caller { ip: viewer.or(source), bypasses_edge: false };
        }
        Caller { ip: source, bypasses_edge: self.required }
    }

    /// Compares with every hash, and in a time that does not depend on what is equal.
    fn recognises(&self, secret: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let none = Choice::from(0);
        self.hashes.iter().fold(none, |found, it| found | it.ct_eq(&hash)).into()
    }
}

/// The address that CloudFront appended to `X-Forwarded-For`: the last one before API Gateway's, which appends CloudFront's.
/// The text before it is the viewer's own.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html>
fn viewer(forwarded_for: &str, source: Option<&str>) -> Option<String> {
    let mut addresses = forwarded_for.rsplit(',').map(str::trim);
    let edge = addresses.next();
    let viewer = if edge == source { addresses.next() } else { edge };
    viewer?.parse::<IpAddr>().ok().map(|ip| ip.to_string())
}

fn parse(text: &str) -> Option<Vec<[u8; 32]>> {
    let items = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let hashes = items.map(hash).collect::<Option<Vec<_>>>()?;
    (hashes.len() <= MAX_HASHES).then_some(hashes)
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "64.252.80.1";

    fn edge(secrets: &[&str], required: bool) -> Edge {
        let hashes: Vec<_> = secrets.iter().map(|it| hex::encode(Sha256::digest(it))).collect();
        Edge { hashes: parse(&hashes.join(",")).expect("hashes"), required }
    }

    fn caller(edge: &Edge, secret: Option<&str>, forwarded_for: &str) -> (Option<String>, bool) {
        let it = edge.caller(secret.map(str::as_bytes), Some(forwarded_for), Some(SOURCE.to_owned()));
        (it.ip, it.bypasses_edge)
    }

    #[test]
    fn either_secret_is_recognised_while_one_replaces_the_other() {
        let both = edge(&["one", "two"], true);
        for (secret, known) in [
            (Some("one"), true),
            (Some("two"), true),
            (Some("three"), false),
            (Some(""), false),
            (None, false),
        ] {
            let (ip, rejected) = caller(&both, secret, &format!("203.0.113.9, {SOURCE}"));
            assert_eq!(rejected, !known, "{secret:?}");
            assert_eq!(ip.as_deref(), Some(if known { "203.0.113.9" } else { SOURCE }), "{secret:?}");
        }
    }

    #[test]
    fn without_a_secret_no_request_is_recognised_and_none_is_rejected_unless_it_is_required() {
        let (ip, rejected) = caller(&Edge::default(), Some(""), &format!("203.0.113.9, {SOURCE}"));
        assert_eq!((ip.as_deref(), rejected), (Some(SOURCE), false));
        assert!(!caller(&edge(&["one"], false), None, SOURCE).1);
        assert!(caller(&edge(&["one"], true), None, SOURCE).1);
    }

    #[test]
    fn the_viewers_address_is_the_one_that_cloudfront_appended() {
        let edge = edge(&["one"], false);
        for (forwarded_for, expected) in [
            (format!("203.0.113.9, {SOURCE}"), "203.0.113.9"),
            (format!("198.51.100.1, 203.0.113.9, {SOURCE}"), "203.0.113.9"),
            (format!("<script>, 2001:db8::1,{SOURCE}"), "2001:db8::1"),
            // API Gateway has not appended its own.
            ("198.51.100.1, 203.0.113.9".to_owned(), "203.0.113.9"),
            (format!("not an address, {SOURCE}"), SOURCE),
            (SOURCE.to_owned(), SOURCE),
            (String::new(), SOURCE),
        ] {
            let (ip, _) = caller(&edge, Some("one"), &forwarded_for);
            assert_eq!(ip.as_deref(), Some(expected), "{forwarded_for}");
        }
    }

    #[test]
    fn malformed_hashes_are_rejected_and_none_is_none() {
        let good = hex::encode(Sha256::digest("one"));
        assert_eq!(parse("").map(|it| it.len()), Some(0));
        assert_eq!(parse(&format!("{good}, {good}")).map(|it| it.len()), Some(2));
        for bad in ["abc", &good[1..], &format!("{good}0"), &format!("{good},{good},{good}"), &"g".repeat(64)]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
