//! A distribution of the templates in front of a bucket and an API that repeats what it is asked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::calls::CallLog;
use local::clock::Clock;
use local::cloudfront::CloudFront;
use local::faults::Faults;
use local::identity::Identities;
use local::listen::{self, Listening};
use local::s3::{ObjectHeaders, S3, Surroundings};
use local_template::plan::Plan;
use local_template::template;
use local_testing::{TestResult, workspace};

/// The bundle as `make page` names it.
pub(crate) const SDK: &str = "assets/chime-sdk-3.33.0-0123456789abcdef.js";
const SDK_IN_BROTLI: &str = "assets/chime-sdk-3.33.0-0123456789abcdef.js.br";

pub(crate) const EMBEDDER: &str = "https://app.example.com";
pub(crate) const RECORDINGS: &str = "https://recordings.s3.us-east-1.amazonaws.com";

/// A request that reached the API.
#[derive(Clone, Debug)]
pub(crate) struct RequestInfo {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) struct Edge {
    pub(crate) url: String,
    pub(crate) clock: Clock,
    pub(crate) asked: Arc<Mutex<Vec<RequestInfo>>>,
    _listening: [Listening; 2],
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

/// The plan of the templates, with the origins of these tests.
pub(crate) fn plan() -> TestResult<Plan> {
    let infra = workspace().join("infra");
    let text = std::fs::read_to_string(infra.join("params/local.json"))?;
    let mut params: BTreeMap<String, String> = serde_json::from_str(&text)?;
    params.insert("EmbeddingOrigins".to_owned(), EMBEDDER.to_owned());
    params.insert("RecordingsOrigin".to_owned(), RECORDINGS.to_owned());
    Ok(template::deploy(&infra, &params, "us-east-1")?)
}

impl Edge {
    pub(crate) async fn start() -> TestResult<Self> {
        Self::with(|_| ()).await
    }

    /// With a change of what the templates say.
    pub(crate) async fn with(change: impl FnOnce(&mut Plan)) -> TestResult<Self> {
        let mut plan = plan()?;
        change(&mut plan);
        let clock = Clock::default();
        let around = Surroundings {
            identities: Identities::default(),
            calls: CallLog::default(),
            faults: Faults::default(),
            authorize: Arc::new(|_, _, _, _| false),
            clock: clock.clone(),
            keys: Vec::new(),
        };
        let s3 = S3::new(&plan.buckets, around)?;
        let bucket = plan.outputs.get("PageBucketName").ok_or("a bucket")?;
        for (key, encoding, text, kept) in [
            ("index.html", None, "the page", "no-cache"),
            ("index.html.br", Some("br"), "the page in brotli", "no-cache"),
            ("index.html.gz", Some("gzip"), "the page in gzip", "no-cache"),
            ("assets/a-1.js", None, "the script", "public, max-age=31536000, immutable"),
            ("assets/a-1.js.br", Some("br"), "the script in brotli", "public, max-age=31536000, immutable"),
            ("assets/a-1.js.gz", Some("gzip"), "the script in gzip", "public, max-age=31536000, immutable"),
            (SDK, None, "the SDK", "public, max-age=31536000, immutable"),
            (SDK_IN_BROTLI, Some("br"), "the SDK in brotli", "public, max-age=31536000, immutable"),
            ("assets/a-1.woff2", None, "a font", "public, max-age=31536000, immutable"),
            ("config.json", None, "{}", "no-cache"),
            ("manifest.json", None, "{\"secret\": false}", "no-cache"),
        ] {
            let of_type = if key.contains(".js") { "text/javascript" } else { "text/html; charset=utf-8" };
            let headers = ObjectHeaders {
                content_type: Some(of_type.to_owned()),
                content_encoding: encoding.map(str::to_owned),
                cache_control: Some(kept.to_owned()),
                ..ObjectHeaders::default()
            };
            s3.put(bucket, key, Bytes::from(text), headers)?;
        }
        let asked: Arc<Mutex<Vec<RequestInfo>>> = Arc::default();
        let api = listen::bind(0).await?.serve(Router::new().fallback(api).with_state(Arc::clone(&asked)));
        let distribution = plan.distributions.first().ok_or("a distribution")?.clone();
        let edge = CloudFront::new(distribution, s3, format!("http://{}", api.address()), clock.clone());
        let listening = listen::bind(0).await?.serve(edge.router());
        let url = format!("http://{}", listening.address());
        Ok(Self { url, clock, asked, _listening: [api, listening] })
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> TestResult<Answer> {
        self.ask("GET", path, headers, "").await
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TestResult<Answer> {
        ask(&self.url, method, path, headers, body).await
    }

    /// The requests that reached the API, in order.
    pub(crate) fn asked(&self) -> Vec<RequestInfo> {
        self.asked.lock().expect("no test panics with it").clone()
    }
}

pub(crate) async fn ask(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TestResult<Answer> {
    ask_from(None, url, method, path, headers, body).await
}

/// The same by a viewer with an address of its own.
pub(crate) async fn ask_from(
    viewer: Option<IpAddr>,
    url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TestResult<Answer> {
    let mut request = Request::builder().method(method).uri(format!("{url}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut connector = HttpConnector::new();
    connector.set_local_address(viewer);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let answer = client.request(request.body(Full::new(Bytes::from(body.to_owned())))?).await?;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: answer.into_body().collect().await?.to_bytes(),
    })
}

/// Answers with the status that the token names, and the token, so that it shows whose answer it is.
async fn api(State(asked): State<Arc<Mutex<Vec<RequestInfo>>>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let token =
        parts.headers.get("authorization").and_then(|it| it.to_str().ok()).unwrap_or("200").to_owned();
    let status = token.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(200);
    let mut asked = asked.lock().expect("no test panics with it");
    asked.push(RequestInfo { method: parts.method, path, headers: parts.headers, body });
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let headers = [("content-type", "application/json"), ("cache-control", "no-store"), ("retry-after", "3")];
    (status, headers, format!("{{\"for\":\"{token}\"}}")).into_response()
}

/// The repository's Python, where `make` puts it.
pub(crate) fn python() -> TestResult<PathBuf> {
    let python = workspace().join("target/venv/bin/python");
    let importable = std::process::Command::new(&python).args(["-c", "import boto3"]).status();
    match importable {
        Ok(status) if status.success() => Ok(python),
        _ => Err("target/venv has no boto3: run the tests by `make test`, or `make tools` before".into()),
    }
}

pub(crate) fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cdn").join(name)
}
