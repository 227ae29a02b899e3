#![doc = include_str!("../README.md")]

mod api_document;
mod callers;
mod control_api;
mod executables;
pub mod malformed_input;
mod meeting_events;
mod messages;
mod object_cloud;
mod payloads;
mod redact;
pub mod refusals;

pub use api_document::{documented_actions, documented_routes};
use callers::Handle;
pub use callers::{Answer, Caller, Scenario};
pub use meeting_events::{MeetingEvents, batch};
pub use object_cloud::ObjectCloud;
pub use payloads::Payloads;
pub use redact::redact;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_postgres::{checkout, db_cleanup};
use serde_json::{Value, json};

use local::calls::Call;
use local::chime;
use local::cloud::{Cloud, Options, Parts, Ports};
use local::faults::{Fault, FaultKind};
use local::media::MediaOptions;
use local::seed::{Fixture, Host};
use local::tokens::Key;

/// The result of a test: any error fails it.
pub type TestResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A local cloud for one test. Ends with it.
pub struct TestCloud {
    cloud: Option<Cloud>,
    parts: Arc<Parts>,
    http: Client<HttpConnector, Full<Bytes>>,
    api: String,
    invoke: String,
}

impl TestCloud {
    /// A cloud whose Chime has no rate limit, so that tests at full speed meet only what they are about.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn new() -> TestResult<Self> {
        Self::with(chime::Options { rate: None, ..chime::Options::default() }).await
    }

    /// A cloud with the given limits of Chime.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn with(chime: chime::Options) -> TestResult<Self> {
        Self::set(chime, Host::default(), BTreeMap::new(), None, None).await
    }

    /// A cloud in whose database a host application has been before.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn on(host: Host) -> TestResult<Self> {
        Self::set(
            chime::Options { rate: None, ..chime::Options::default() },
            host,
            BTreeMap::new(),
            None,
            None,
        )
        .await
    }

    /// A cloud whose templates get other parameters than those of `infra/params/local.json`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn with_parameters(parameters: &[(&str, &str)]) -> TestResult<Self> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let chime = chime::Options { rate: None, ..chime::Options::default() };
        Self::set(chime, Host::default(), parameters.iter().map(owned).collect(), None, None).await
    }

    /// A cloud that serves a call page that was built into this directory.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn with_page(directory: &Path) -> TestResult<Self> {
        let chime = chime::Options { rate: None, ..chime::Options::default() };
        Self::set(chime, Host::default(), BTreeMap::new(), Some(directory.to_owned()), None).await
    }

    /// A cloud in which calls have media.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn with_media() -> TestResult<Self> {
        let chime = chime::Options { rate: None, ..chime::Options::default() };
        Self::set(chime, Host::default(), BTreeMap::new(), None, Some(MediaOptions::default())).await
    }

    async fn set(
        chime: chime::Options,
        host: Host,
        parameters: BTreeMap<String, String>,
        page: Option<PathBuf>,
        media: Option<MediaOptions>,
    ) -> TestResult<Self> {
        let options = Options {
            workspace: workspace(),
            binaries: executables::build()?,
            ports: Ports::default(),
            database: db_cleanup::name(),
            host,
            auto_schedules: false,
            hold_queues: false,
            echo: false,
            chime,
            media,
            page,
            parameters,
        };
        let cloud = Cloud::start(options).await?;
        Ok(Self {
            parts: Arc::clone(cloud.parts()),
            http: Client::builder(TokioExecutor::new()).build_http(),
            api: cloud.api_url(),
            invoke: cloud.invoke_url(),
            cloud: Some(cloud),
        })
    }

    /// The cloud's parts.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    fn handle(&self) -> Handle {
        Handle { http: self.http.clone(), api: self.api.clone() }
    }

    /// A new appointment with new people.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn scenario(&self) -> TestResult<Scenario> {
        self.scenario_of(&self.parts.seed.appointment().await?)
    }

    /// The seeded appointment, which `events/` names.
    ///
    /// # Errors
    /// When no token can be made.
    pub fn first_scenario(&self) -> TestResult<Scenario> {
        self.scenario_of(self.parts.seed.first())
    }

    /// The callers of an appointment that was seeded.
    ///
    /// # Errors
    /// When no token can be made.
    pub fn scenario_of(&self, cast: &Fixture) -> TestResult<Scenario> {
        let appointment = cast.appointment.to_string();
        let caller = |user: &local::seed::User| -> TestResult<Caller> {
            Ok(Caller {
                cloud: self.handle(),
                id: user.id.to_string(),
                token: self.parts.token(&json!({ "sub": user.firebase_uid }), 3600, Key::Good)?,
                appointment: appointment.clone(),
            })
        };
        Ok(Scenario {
            provider: caller(&cast.provider)?,
            patient: caller(&cast.patient)?,
            stranger: caller(&cast.stranger)?,
            appointment,
        })
    }

    /// A request with any token, or none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: impl Into<Bytes>,
    ) -> TestResult<Answer> {
        self.handle().request(method, path, token, body).await
    }

    /// A request without a body, with any headers.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn request_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> TestResult<Answer> {
        self.send_with(method, path, headers, Bytes::new()).await
    }

    /// A request with any headers and a body.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> TestResult<Answer> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}{path}", self.api));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.handle().send(request.body(Full::new(body.into()))?).await
    }

    /// Invokes a function with an event, as `aws lambda invoke` does; the payload as it came. The answer to a request is one
    /// that the API's document has.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn invoke(&self, function: &str, event: &Value) -> TestResult<Value> {
        let uri = format!("{}/2015-03-31/functions/{function}/invocations", self.invoke);
        let request = Request::builder().method(Method::POST).uri(uri);
        let request = request.body(Full::new(Bytes::from(event.to_string())))?;
        let payload = self.handle().exchange(request).await?.body;
        let is_request = event["detail-type"].is_null();
        if let Some(answer) = Answer::of_payload(&payload)?.filter(|_| is_request) {
            api_document::assert_invocation_documented(function, event, &answer);
        }
        Ok(payload)
    }

    /// Runs a function's schedule.
    ///
    /// # Errors
    /// When the function has none, or failed.
    pub async fn run_schedule(&self, function: &str) -> TestResult {
        let invoked = self.parts.schedules.run(function).await?;
        match invoked.function_error {
            None => Ok(()),
            Some(error) => Err(format!("{function}: {error}").into()),
        }
    }

    /// Puts a fault in force.
    pub fn fault(&self, service: &str, operation: Option<&str>, kind: FaultKind, nth: Option<u32>) {
        self.parts.faults.add(Fault {
            service: service.to_owned(),
            operation: operation.map(str::to_owned),
            function: None,
            kind,
            nth,
            ms: None,
            times: None,
        });
    }

    /// Makes calls to a backend take so much longer.
    pub fn slow(&self, service: &str, operation: Option<&str>, ms: u64) {
        self.parts.faults.add(Fault {
            service: service.to_owned(),
            operation: operation.map(str::to_owned),
            function: None,
            kind: FaultKind::Latency,
            nth: None,
            ms: Some(ms),
            times: None,
        });
    }

    /// Calls to backends from now on.
    #[must_use]
    pub fn watch(&self) -> Watch<'_> {
        let so_far = self.parts.calls.since(0).last().map_or(0, |call| call.n);
        Watch { cloud: self, so_far }
    }

    /// One text that a query of the database answers; empty for null.
    ///
    /// # Errors
    /// When it fails, or answers no row.
    pub async fn sql(&self, query: &str) -> TestResult<String> {
        let rows = self.parts.seed.database().simple_query(query).await?;
        let mut cells = rows.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(cells.next().ok_or("no row")?)
    }

    /// Chime's meetings, as the control API lists them.
    #[must_use]
    pub fn meetings(&self) -> Vec<Value> {
        self.parts.chime.meetings()["meetings"].as_array().cloned().unwrap_or_default()
    }

    /// The meetings that have not ended.
    #[must_use]
    pub fn live_meetings(&self) -> Vec<Value> {
        self.meetings().into_iter().filter(|meeting| meeting["live"] == true).collect()
    }

    /// The audit table's entries of an appointment, as their payloads, in order.
    ///
    /// # Errors
    /// When the table cannot be read or a payload is not JSON.
    pub fn audit_table(&self, appointment: &str) -> TestResult<Vec<Value>> {
        self.audit_chain(&format!("APPT#{appointment}"))
    }

    /// The audit table's entries of any chain, as their payloads, in order.
    ///
    /// # Errors
    /// When the table cannot be read or a payload is not JSON.
    pub fn audit_chain(&self, chain: &str) -> TestResult<Vec<Value>> {
        let table = self.parts.plan.outputs.get("AuditTableName").ok_or("no audit table")?;
        let items = self.parts.dynamodb.items(table, chain)?;
        items
            .iter()
            .map(|item| Ok(serde_json::from_str(item["payload"]["S"].as_str().ok_or("no payload")?)?))
            .collect()
    }
}

impl Drop for TestCloud {
    fn drop(&mut self) {
        let Some(cloud) = self.cloud.take() else { return };
        let (server, database) = (cloud.server().clone(), cloud.database().to_owned());
        drop(cloud);
        db_cleanup::enqueue(server, database);
    }
}

/// Looks at the calls that were made since it was taken.
pub struct Watch<'a> {
    cloud: &'a TestCloud,
    so_far: u64,
}

impl Watch<'_> {
    /// The calls.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.cloud.parts.calls.since(self.so_far)
    }

    /// Their operations in order: `start_call, CreateMeetingWithAttendees, activate`.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.operation).collect()
    }

    /// How many of one operation.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.operation == operation).count()
    }
}

/// The root of the checkout that the tests run in.
///
/// # Panics
/// When the current directory is in no checkout: cargo runs tests in their package.
#[must_use]
pub fn workspace() -> PathBuf {
    checkout::root().expect("cargo runs tests in the checkout")
}
