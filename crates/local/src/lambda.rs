//! Lambda: runs the real function binaries in environments of their own, over the Lambda Runtime API.
//!
//! As on AWS, an environment is a process with its own credentials that serves one invocation at a time and is
//! used again when it is idle (the one used last comes first). A new one is started when none is idle, up to the
//! function's reserved concurrency or [`CONCURRENCY_CAP`]; beyond that an invocation is throttled. An
//! invocation that outlasts the function's timeout ends with the death of its environment.
//!
//! It differs from AWS in one point: an environment that fails while it starts fails the invocation it was started for
//! instead of being started once more.

mod asynchronous;
mod environment;
mod logs;
mod payload;
mod runtime_api;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use wildmatch::WildMatch;

use crate::clock::Clock;
use crate::identity::Identities;
use environment::{Handle, Work};
use local_template::plan;
pub use logs::{LogLine, Logs};

/// Environments that one function may have at once where the template reserves no number.
pub const CONCURRENCY_CAP: u32 = 100;

/// The greatest request and answer of an invocation, in bytes.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// Lambda's settings besides the functions.
#[derive(Clone)]
pub struct Settings {
    /// The directory with one executable per function, named like it.
    pub binaries: PathBuf,
    /// Where environments get their credentials.
    pub identities: Identities,
    /// `AWS_ENDPOINT_URL` of the functions: the endpoint.
    pub aws_endpoint: String,
    /// Whether the functions' output also goes to standard error.
    pub echo: bool,
    /// How long an environment may take until it asks for its first event; 10 s on AWS.
    pub init_timeout: Duration,
    /// The time by which asynchronous invocations are repeated.
    pub clock: Clock,
}

impl Settings {
    /// Settings as on AWS, without echo.
    #[must_use]
    pub fn new(binaries: PathBuf, identities: Identities, aws_endpoint: impl Into<String>) -> Self {
        let init_timeout = Duration::from_secs(10);
        let (aws_endpoint, clock) = (aws_endpoint.into(), Clock::default());
        Self { binaries, identities, aws_endpoint, echo: false, init_timeout, clock }
    }
}

/// Why Lambda could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A function of the templates has no executable.
    #[error("function {function} has no executable at {path}")]
    NoBinary {
        function: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// The Runtime API found no port.
    #[error("the Runtime API cannot listen on loopback")]
    Listen(#[from] std::io::Error),
}

/// An invocation that ended, well or not.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// Identifies the invocation in the log.
    pub request_id: String,
    /// The function's answer or, with `function_error`, its error as JSON.
    pub payload: Bytes,
    /// `Unhandled` when the function failed, as in the header `X-Amz-Function-Error`.
    pub function_error: Option<String>,
    /// The invocation's log with AWS's START, END and REPORT lines, at most its last 4 KB.
    pub log_tail: String,
}

/// Why a function was not invoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no function of that name.
    #[error("there is no function {0}")]
    NotFound(String),
    /// All environments that the function may have are busy.
    #[error("function {0} is busy in all environments that it may have")]
    Throttled(String),
    /// The payload is greater than [`PAYLOAD_LIMIT`].
    #[error("a payload of {0} bytes is too large")]
    TooLarge(usize),
    /// Lambda was stopped.
    #[error("Lambda was stopped")]
    Stopped,
}

/// The state of an environment. A dead one is no longer listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its process has not asked for an event yet.
    Starting,
    /// It waits for an event.
    Idle,
    /// It serves an invocation.
    Busy,
}

/// An environment, as `GET /_local/environments` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// The function.
    pub function: String,
    /// Identifies it; also its log stream.
    pub environment: String,
    /// Its process.
    pub pid: u32,
    /// Its state.
    pub state: State,
    /// How many invocations it took, the current one included.
    pub invocations: u64,
}

/// Lambda. Cheap to clone; when the last clone is dropped all environments are killed.
#[derive(Clone)]
pub struct Lambda(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    /// Supervisors and the Runtime API; `None` after a stop. Dropping it kills the processes, for it is their only owner.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// State shared by supervisors and the Runtime API.
struct Shared {
    pools: HashMap<String, Pool>,
    /// Living environments by id.
    environments: Mutex<HashMap<String, Arc<Handle>>>,
    settings: Settings,
    logs: Logs,
    /// `127.0.0.1:port` of the Runtime API.
    runtime_api: String,
    stop: watch::Sender<bool>,
}

/// A function's environments.
struct Pool {
    function: plan::Function,
    limit: u32,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    /// The one that served last stands last.
    idle: Vec<Arc<Handle>>,
    /// All that live: starting, idle and busy.
    living: u32,
}

impl Lambda {
    /// Opens the Runtime API. Environments are started when they are needed.
    pub async fn start(functions: &[plan::Function], settings: Settings) -> Result<Self, StartError> {
        for function in functions {
            let path = settings.binaries.join(&function.name);
            if !path.is_file() {
                return Err(StartError::NoBinary { function: function.name.clone(), path });
            }
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let pool = |function: &plan::Function| Pool {
            function: function.clone(),
            limit: function.reserved_concurrency.unwrap_or(CONCURRENCY_CAP),
            seats: Mutex::default(),
        };
        let shared = Arc::new(Shared {
            pools: functions.iter().map(|function| (function.name.clone(), pool(function))).collect(),
            environments: Mutex::default(),
            logs: Logs::new(settings.echo),
            settings,
            runtime_api: listener.local_addr()?.to_string(),
            stop: watch::Sender::new(false),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(runtime_api::serve(listener, Arc::clone(&shared)));
        Ok(Self(Arc::new(Running { shared, tasks: Mutex::new(Some(tasks)) })))
    }

    /// Invokes a function and waits for the end. The invocation goes on when the caller no longer waits.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, InvokeError> {
        self.invoke_with_context(function, payload, None).await
    }

    /// The same with a client context: JSON that the function finds in its context.
    pub async fn invoke_with_context(
        &self,
        function: &str,
        payload: Bytes,
        client_context: Option<String>,
    ) -> Result<Invoked, InvokeError> {
        if payload.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::TooLarge(payload.len()));
        }
        let request_id = uuid::Uuid::new_v4().to_string();
        loop {
            let (reply, ended) = oneshot::channel();
            let work = Work {
                request_id: request_id.clone(),
                payload: payload.clone(),
                client_context: client_context.clone(),
                reply,
            };
            self.assign(function, work)?;
            // No reply: an idle environment died before it had read the event. The next one takes it.
            if let Ok(invoked) = ended.await {
                return Ok(invoked);
            }
        }
    }

    /// Whether the function's resource policy lets `principal` invoke it on behalf of `source_arn`.
    #[must_use]
    pub fn permits(&self, function: &str, principal: &str, source_arn: &str) -> bool {
        let permissions = self.0.shared.pools.get(function).map(|pool| &pool.function.permissions);
        permissions.into_iter().flatten().any(|permission| {
            permission.principal == principal
                && permission
                    .source_arn
                    .as_deref()
                    .is_none_or(|pattern| WildMatch::new(pattern).matches(source_arn))
        })
    }

    /// The ARN of a function, if there is one of that name.
    #[must_use]
    pub fn arn(&self, function: &str) -> Option<&str> {
        self.0.shared.pools.get(function).map(|pool| pool.function.arn.as_str())
    }

    /// All living environments, by function and in the order of their ids.
    #[must_use]
    pub fn environments(&self) -> Vec<Environment> {
        let living = lock(&self.0.shared.environments);
        let mut all: Vec<_> = living.values().map(|handle| handle.describe()).collect();
        drop(living);
        all.sort_by(|a, b| (&a.function, &a.environment).cmp(&(&b.function, &b.environment)));
        all
    }

    /// Everything that functions have written to standard output and standard error so far.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.0.shared.logs.all()
    }

    /// Kills all environments and returns when they are dead. Invocations end with `Runtime.ExitError`.
    pub async fn stop(&self) {
        let tasks = lock(&self.0.tasks).take();
        self.0.shared.stop.send_replace(true);
        if let Some(mut tasks) = tasks {
            while tasks.join_next().await.is_some() {}
        }
    }

    /// Hands work to an idle environment or to a new one.
    fn assign(&self, function: &str, mut work: Work) -> Result<(), InvokeError> {
        let shared = &self.0.shared;
        let pool = shared.pools.get(function).ok_or_else(|| InvokeError::NotFound(function.to_owned()))?;
        let mut tasks = lock(&self.0.tasks);
        let tasks = tasks.as_mut().ok_or(InvokeError::Stopped)?;
        {
            let mut seats = lock(&pool.seats);
            while let Some(idle) = seats.idle.pop() {
                match idle.take(work) {
                    Ok(()) => return Ok(()),
                    Err(back) => work = back,
                }
            }
            if seats.living >= pool.limit {
                return Err(InvokeError::Throttled(function.to_owned()));
            }
            seats.living += 1;
        }
        while tasks.try_join_next().is_some() {} // supervisors whose environment is dead
        environment::start(shared, pool, work, tasks);
        Ok(())
    }
}

/// The data behind these locks is whole between any two statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
