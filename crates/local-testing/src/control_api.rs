//! The control API, as programs beside the functions use it.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::Value;

use crate::{Answer, TestCloud, TestResult};

impl TestCloud {
    /// The AWS endpoint, with the control API under `/_local`.
    #[must_use]
    pub fn aws_url(&self) -> String {
        self.cloud.as_ref().map(local::cloud::Cloud::aws_url).unwrap_or_default()
    }

    /// A request to the control API: `GET`, `calls?since=3`. Null is no body.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn control_api(&self, method: &str, route: &str, body: &Value) -> TestResult<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}/_local/{route}", self.aws_url()))
            .header(header::CONTENT_TYPE, "application/json");
        self.handle().exchange(request.body(Full::new(Bytes::from(body)))?).await
    }
}
