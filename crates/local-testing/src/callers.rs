//! Callers of the API and the responses they get.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;

use crate::{TestCloud, TestResult, api_document};

/// The response to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; a text that is not JSON as a JSON string.
    pub body: Value,
}

impl Answer {
    /// Status and code in one, for assertions that read well: `403 NOT_A_MEMBER`, `200`.
    #[must_use]
    pub fn brief(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }

    /// The answer inside the payload of a function that was invoked with a request; none in that of another trigger, or
    /// of a failed invocation.
    ///
    /// # Errors
    /// When the payload has a status and no headers or body.
    pub(super) fn of_payload(payload: &Value) -> TestResult<Option<Self>> {
        let Some(status) = payload["statusCode"].as_u64() else { return Ok(None) };
        Ok(Some(Self {
            status: status.try_into()?,
            headers: serde_json::from_value(payload["headers"].clone())?,
            body: read(payload["body"].as_str().ok_or("no body")?.as_bytes()),
        }))
    }

    /// A text of the body.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }
}

/// A body; a text that is not JSON as a JSON string.
fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// A user with a token, and their appointment.
#[derive(Clone)]
pub struct Caller {
    pub(super) cloud: Handle,
    /// Their `users.id`.
    pub id: String,
    pub token: String,
    pub appointment: String,
}

/// An appointment and the callers around it.
#[derive(Clone)]
pub struct Scenario {
    pub appointment: String,
    /// The appointment's provider.
    pub provider: Caller,
    /// The appointment's patient.
    pub patient: Caller,
    /// A user who is not part of the appointment.
    pub stranger: Caller,
}

impl TestCloud {
    /// Gets an address as a browser does, without a token: status and body.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn fetch(&self, url: &str, range: Option<&str>) -> TestResult<(u16, Vec<u8>)> {
        let mut request = Request::get(url);
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        let answer = self.http.request(request.body(Full::default())?).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes().to_vec()))
    }
}

#[derive(Clone)]
pub(super) struct Handle {
    pub(super) http: Client<HttpConnector, Full<Bytes>>,
    pub(super) api: String,
}

impl Handle {
    /// Sends a request to the API. The answer is one that the API's document has.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> TestResult<Answer> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.exchange(request).await?;
        api_document::assert_documented(&method, &path, &answer);
        Ok(answer)
    }

    /// Sends a request to anything.
    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>) -> TestResult<Answer> {
        let answer = self.http.request(request).await?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, headers, body: read(&body) })
    }

    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: impl Into<Bytes>,
    ) -> TestResult<Answer> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}{path}", self.api))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "medzen-tests");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Full::new(body.into()))?).await
    }
}

impl Caller {
    /// A request with their token. `{a}` in the path stands for the appointment.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> TestResult<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask_raw(method, path, body).await
    }

    /// The same with a body as it is.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask_raw(&self, method: &str, path: &str, body: impl Into<Bytes>) -> TestResult<Answer> {
        let path = path.replace("{a}", &self.appointment);
        self.cloud.request(method, &path, Some(&self.token), body).await
    }

    /// Starts the call.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn start(&self) -> TestResult<Answer> {
        self.ask("POST", "/appointments/{a}/call", &Value::Null).await
    }

    /// Joins the call.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn join(&self) -> TestResult<Answer> {
        self.ask("POST", "/appointments/{a}/call/attendees", &Value::Null).await
    }

    /// Leaves the call.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn leave(&self) -> TestResult<Answer> {
        self.ask("DELETE", "/appointments/{a}/call/attendees/me", &Value::Null).await
    }

    /// Ends the call.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn end(&self) -> TestResult<Answer> {
        self.ask("DELETE", "/appointments/{a}/call", &Value::Null).await
    }

    /// Requests the call's status.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn status(&self) -> TestResult<Answer> {
        self.ask("GET", "/appointments/{a}/call", &Value::Null).await
    }

    /// Requests the roster.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn roster(&self) -> TestResult<Answer> {
        self.ask("GET", "/appointments/{a}/call/attendees", &Value::Null).await
    }
}
