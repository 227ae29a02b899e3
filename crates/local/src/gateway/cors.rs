//! CORS as an HTTP API answers it, in place of the function.

use http::{HeaderMap, HeaderValue, header};

use local_template::plan::Cors;

/// Sets the headers that the configuration grants to this origin, and takes off those that a function set.
pub(super) fn apply(cors: &Cors, origin: Option<&HeaderValue>, preflight: bool, headers: &mut HeaderMap) {
    for name in [
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        header::ACCESS_CONTROL_MAX_AGE,
    ] {
        headers.remove(name);
    }
    let Some(origin) = origin.filter(|origin| origin.to_str().is_ok_and(|it| allows(cors, it))) else {
        return;
    };
    let any = cors.allow_origins.iter().any(|allowed| allowed == "*") && !cors.allow_credentials;
    let granted = if any { HeaderValue::from_static("*") } else { origin.clone() };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, granted);
    if !any {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let mut list = |name, values: &[String]| {
        // A template's text that does not fit into a header grants nothing.
        if let (false, Ok(value)) = (values.is_empty(), HeaderValue::try_from(values.join(","))) {
            headers.insert(name, value);
        }
    };
    list(header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
    if preflight {
        list(header::ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
        list(header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
        if let Some(seconds) = cors.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
    }
    if cors.allow_credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Origins are listed whole, or as `*`, `https://*` and `http://*`.
fn allows(cors: &Cors, origin: &str) -> bool {
    cors.allow_origins.iter().any(|allowed| match allowed.strip_suffix('*') {
        Some(start) => origin.starts_with(start),
        None => allowed.eq_ignore_ascii_case(origin),
    })
}

#[cfg(test)]
mod tests {
    use super::{Cors, HeaderMap, HeaderValue, apply};

    fn headers(origin: &'static str, preflight: bool) -> HeaderMap {
        let list = |one: &str| vec![one.to_owned()];
        let cors = Cors {
            allow_origins: list("https://app.example"),
            allow_methods: list("POST"),
            max_age: Some(600),
            ..Cors::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        apply(&cors, Some(&HeaderValue::from_static(origin)), preflight, &mut headers);
        headers
    }

    #[test]
    fn a_listed_origin_is_granted_what_is_configured() {
        let granted = headers("https://app.example", true);
        assert_eq!(granted["access-control-allow-origin"], "https://app.example");
        assert_eq!(granted["access-control-allow-methods"], "POST");
        assert_eq!(granted["access-control-max-age"], "600");
        assert!(!headers("https://app.example", false).contains_key("access-control-allow-methods"));
    }

    #[test]
    fn another_origin_is_granted_nothing_even_if_the_function_would() {
        assert!(headers("https://app.example.evil", false).is_empty());
    }
}
