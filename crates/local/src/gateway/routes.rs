//! Which route takes a request.

use std::cmp::Reverse;

use http::Method;
use percent_encoding::percent_decode_str;

use local_template::plan::Route;

/// A route key that API Gateway would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no route key")]
pub struct InvalidRouteKey(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Parameter(String),
    Greedy(String),
}

struct Pattern {
    /// Absent: any.
    method: Option<Method>,
    /// Absent: `$default`.
    path: Option<Vec<Segment>>,
    route: Route,
}

/// An API's routes, the more specific ones first.
pub struct Routes(Vec<Pattern>);

/// The route that takes a request, with what stood in its parameters' places.
pub struct Found<'a> {
    pub route: &'a Route,
    pub parameters: Vec<(String, String)>,
}

impl Routes {
    /// Reads the routes' keys.
    ///
    /// # Errors
    /// When API Gateway would not take one.
    pub fn new(routes: &[Route]) -> Result<Self, InvalidRouteKey> {
        let mut patterns = routes.iter().map(Pattern::new).collect::<Result<Vec<_>, _>>()?;
        patterns.sort_by_cached_key(Pattern::rank);
        Ok(Self(patterns))
    }

    /// The route that takes a request, if any does.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        let decoded = |segment| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let path: Vec<String> = path.strip_prefix('/').unwrap_or(path).split('/').map(decoded).collect();
        let fits = |pattern: &&Pattern| pattern.method.as_ref().is_none_or(|it| it == method);
        self.0.iter().filter(fits).find_map(|pattern| {
            let parameters = match &pattern.path {
                Some(segments) => match_path(segments, &path)?,
                None => Vec::new(),
            };
            Some(Found { route: &pattern.route, parameters })
        })
    }
}

impl Pattern {
    fn new(route: &Route) -> Result<Self, InvalidRouteKey> {
        let invalid = || InvalidRouteKey(route.key.clone());
        let route = route.clone();
        if route.key == "$default" {
            return Ok(Self { method: None, path: None, route });
        }
        let (method, path) = route.key.split_once(' ').ok_or_else(invalid)?;
        let method = match method {
            "ANY" => None,
            // `Method` takes any token; API Gateway only the usual ones.
            "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" => {
                Some(Method::from_bytes(method.as_bytes()).map_err(|_| invalid())?)
            }
            _ => return Err(invalid()),
        };
        let segments: Vec<_> = path.strip_prefix('/').ok_or_else(invalid)?.split('/').map(segment).collect();
        let before_last = segments.len() - 1;
        if segments[..before_last].iter().any(|segment| matches!(segment, Segment::Greedy(_))) {
            return Err(invalid());
        }
        Ok(Self { method, path: Some(segments), route })
    }

    /// Orders as API Gateway chooses: a full match before a greedy one before `$default`; then exact segments
    /// before parameters, longer paths before shorter ones, a method before `ANY`.
    fn rank(&self) -> (u8, Vec<u8>, Reverse<usize>, bool) {
        let path = self.path.as_deref();
        let greedy = path.is_some_and(|path| matches!(path.last(), Some(Segment::Greedy(_))));
        let class = match (path.is_none(), greedy) {
            (false, false) => 0,
            (false, true) => 1,
            (true, _) => 2,
        };
        let kinds = path.unwrap_or_default().iter().map(|segment| match segment {
            Segment::Exact(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Greedy(_) => 2,
        });
        (class, kinds.collect(), Reverse(path.map_or(0, <[_]>::len)), self.method.is_none())
    }
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        None => Segment::Exact(text.to_owned()),
        Some(name) => match name.strip_suffix('+') {
            Some(name) => Segment::Greedy(name.to_owned()),
            None => Segment::Parameter(name.to_owned()),
        },
    }
}

fn match_path(segments: &[Segment], path: &[String]) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut rest = path;
    for segment in segments {
        let (first, after) = rest.split_first()?;
        match segment {
            Segment::Exact(text) if text == first => {}
            Segment::Parameter(name) if !first.is_empty() => parameters.push((name.clone(), first.clone())),
            Segment::Greedy(name) => {
                parameters.push((name.clone(), rest.join("/")));
                return Some(parameters);
            }
            Segment::Exact(_) | Segment::Parameter(_) => return None,
        }
        rest = after;
    }
    rest.is_empty().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::{Method, Route, Routes};
    use std::time::Duration;

    fn routes(keys: &[&str]) -> Result<Routes, super::InvalidRouteKey> {
        let route = |key: &&str| Route {
            key: (*key).to_owned(),
            authorizer: None,
            function: String::new(),
            timeout: Duration::ZERO,
            throttling: None,
        };
        Routes::new(&keys.iter().map(route).collect::<Vec<_>>())
    }

    #[test]
    fn the_most_specific_route_takes_the_request() {
        let routes = routes(&[
            "$default",
            "ANY /{proxy+}",
            "GET /calls/{id}",
            "ANY /calls/{id}",
            "GET /calls/mine",
            "GET /calls/{proxy+}",
            "DELETE /calls/{id}/attendees/me",
            "DELETE /calls/{id}/attendees/{user}",
        ])
        .expect("good keys");
        for (method, path, key) in [
            (Method::GET, "/calls/mine", "GET /calls/mine"),
            (Method::GET, "/calls/7", "GET /calls/{id}"),
            (Method::POST, "/calls/7", "ANY /calls/{id}"),
            (Method::POST, "/calls/mine", "ANY /calls/{id}"),
            (Method::GET, "/calls/7/x", "GET /calls/{proxy+}"),
            (Method::POST, "/calls/7/x", "ANY /{proxy+}"),
            (Method::DELETE, "/calls/7/attendees/me", "DELETE /calls/{id}/attendees/me"),
            (Method::DELETE, "/calls/7/attendees/you", "DELETE /calls/{id}/attendees/{user}"),
            (Method::GET, "/calls/", "GET /calls/{proxy+}"),
        ] {
            let found = routes.find(&method, path).expect("the default takes all");
            assert_eq!(found.route.key, key, "{method} {path}");
        }
    }

    #[test]
    fn parameters_are_decoded_and_a_slash_in_them_splits_nothing() {
        let routes = routes(&["GET /calls/{id}", "GET /files/{path+}"]).expect("good keys");
        let parameters = |path| routes.find(&Method::GET, path).map(|found| found.parameters);
        assert_eq!(parameters("/calls/a%2Fb%20%C3%A9"), Some(vec![("id".to_owned(), "a/b é".to_owned())]));
        assert_eq!(parameters("/files/a/b"), Some(vec![("path".to_owned(), "a/b".to_owned())]));
        assert_eq!(parameters("/calls/"), None);
        assert_eq!(parameters("/calls/1/"), None);
    }

    #[test]
    fn keys_that_api_gateway_refuses_are_refused() {
        for key in ["GET", "/health", "FETCH /health", "GET health", "GET /{proxy+}/more"] {
            assert!(routes(&[key]).is_err(), "{key}");
        }
    }
}
