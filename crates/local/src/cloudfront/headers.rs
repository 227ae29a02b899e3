//! Response headers policies, applied.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use local_template::plan::{CorsHeaders, ResponseHeaders};

/// Takes off and sets what the policy says.
pub(super) fn apply(policy: &ResponseHeaders, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for name in &policy.remove {
        headers.remove(name.as_str());
    }
    if let Some(cors) = &policy.cors {
        // As seen at the edge: `Vary: Origin` for a request without an origin, and none for a request with one.
        // https://github.com/ttoss/ttoss/pull/1205
        headers.remove(header::VARY);
        if origin.is_none() {
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        apply_cors(cors, origin, headers);
    }
    for it in &policy.set {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(&it.name), HeaderValue::try_from(&it.value)) else {
            tracing::warn!(name = it.name, "a header of the template cannot be sent");
            continue;
        };
        if it.overrides || !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}

fn apply_cors(cors: &CorsHeaders, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    let listed =
        |origin: &&HeaderValue| cors.origins.iter().any(|it| it == "*" || it.as_bytes() == origin.as_bytes());
    let Some(origin) = origin.filter(listed) else { return };
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) && !cors.overrides {
        return;
    }
    let any = cors.origins.iter().any(|it| it == "*");
    let granted = if any { HeaderValue::from_static("*") } else { origin.clone() };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, granted);
    if cors.credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
