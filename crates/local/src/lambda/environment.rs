//! One environment: a process and the supervisor that owns it.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Environment, Invoked, Pool, Shared, State, lock, payload};
use crate::identity::{Credentials, KillOrders};

/// An invocation on its way to an environment. Dropping it unanswered makes the caller look for another one.
pub(super) struct Work {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) client_context: Option<String>,
    pub(super) reply: oneshot::Sender<Invoked>,
}

/// An event as the process gets it.
pub(super) struct Delivery {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) client_context: Option<String>,
    /// In real time, for the function's own timeouts.
    pub(super) deadline_ms: String,
}

/// How the function ended an invocation.
pub(super) enum InvocationOutcome {
    Answered(Bytes),
    Failed(Bytes),
}

/// A message to a supervisor.
pub(super) enum Message {
    Work(Work),
    /// The process asks for an event.
    Next(oneshot::Sender<Delivery>),
    /// The process ended an invocation; the reply says whether it was the current one.
    Ended {
        request_id: String,
        outcome: InvocationOutcome,
        accept: oneshot::Sender<bool>,
    },
    InitError(Bytes),
}

/// The handle of an environment.
pub(super) struct Handle {
    pub(super) id: String,
    pub(super) function: String,
    pid: u32,
    inbox: mpsc::UnboundedSender<Message>,
    status: Mutex<(State, u64)>,
}

impl Handle {
    /// Sends a message to the supervisor; does nothing when the environment is dead.
    pub(super) fn send(&self, message: Message) {
        // The dropped reply channel shows the sender that the environment is dead.
        let _dead = self.inbox.send(message);
    }

    /// Takes work, or gives it back when the environment is dead.
    pub(super) fn take(&self, work: Work) -> Result<(), Work> {
        match self.inbox.send(Message::Work(work)) {
            Ok(()) => {
                let mut status = lock(&self.status);
                *status = (State::Busy, status.1 + 1);
                Ok(())
            }
            Err(mpsc::error::SendError(Message::Work(work))) => Err(work),
            Err(_) => Ok(()), // unreachable: it gives back what was sent
        }
    }

    pub(super) fn describe(&self) -> Environment {
        let (state, invocations) = *lock(&self.status);
        let (function, environment) = (self.function.clone(), self.id.clone());
        Environment { function, environment, pid: self.pid, state, invocations }
    }
}

/// Starts an environment for its first invocation. The caller has taken the seat.
pub(super) fn start(shared: &Arc<Shared>, pool: &Pool, work: Work, tasks: &mut JoinSet<()>) {
    let name = &pool.function.name;
    let id = format!("{name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    let (credentials, orders) = shared.settings.identities.issue(name, &id);
    let mut command = command(shared, pool, &id, &credentials);
    // Held while the process starts, so that its first request finds it listed.
    let mut environments = lock(&shared.environments);
    match command.spawn() {
        Ok(child) => {
            let (inbox, messages) = mpsc::unbounded_channel();
            let pid = child.id().unwrap_or_default();
            let status = Mutex::new((State::Starting, 1));
            let handle = Arc::new(Handle { id: id.clone(), function: name.clone(), pid, inbox, status });
            environments.insert(id, Arc::clone(&handle));
            let supervisor = Supervisor {
                serving: Some(Serving::new(work, shared)),
                shared: Arc::clone(shared),
                handle,
                waiting: None,
                initialised: false,
                init_error: None,
                deadline: Some(Instant::now() + shared.settings.init_timeout),
            };
            tasks.spawn(supervisor.run(child, messages, orders));
        }
        Err(error) => {
            drop(environments);
            shared.settings.identities.revoke(&id);
            lock(&pool.seats).living -= 1;
            let failed = InvocationOutcome::Failed(payload::not_started(&work.request_id, &error));
            Serving::new(work, shared).reply(failed, shared, &id, pool.function.memory_mb);
        }
    }
}

fn command(shared: &Shared, pool: &Pool, id: &str, credentials: &Credentials) -> Command {
    let function = &pool.function;
    let settings = &shared.settings;
    let region = function.arn.split(':').nth(3).unwrap_or_default();
    let mut command = Command::new(settings.binaries.join(&function.name));
    command
        .env_clear()
        // Coverage tools collect what the processes write there.
        .envs(["PATH", "LLVM_PROFILE_FILE"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(&function.environment)
        .env("AWS_REGION", region)
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
        .env("AWS_SESSION_TOKEN", &credentials.session_token)
        .env("AWS_ENDPOINT_URL", &settings.aws_endpoint)
        .env("AWS_LAMBDA_RUNTIME_API", format!("http://{}/{id}", shared.runtime_api))
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", id)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for the local cloud, which then ends its processes itself.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The current invocation.
struct Serving {
    work: Work,
    begun: Instant,
    log_from: usize,
    delivered: bool,
    outcome: Option<InvocationOutcome>,
}

impl Serving {
    fn new(work: Work, shared: &Shared) -> Self {
        let log_from = shared.logs.position();
        Self { work, begun: Instant::now(), log_from, delivered: false, outcome: None }
    }

    fn reply(self, outcome: InvocationOutcome, shared: &Shared, environment: &str, memory_mb: u32) {
        let request_id = self.work.request_id;
        let lines = shared.logs.after(self.log_from, environment);
        let log_tail = payload::log_tail(&request_id, &lines, self.begun.elapsed(), memory_mb);
        let (payload, function_error) = match outcome {
            InvocationOutcome::Answered(payload) => (payload, None),
            InvocationOutcome::Failed(payload) => (payload, Some("Unhandled".to_owned())),
        };
        // Nobody may be waiting any more; the invocation has ended all the same.
        let _gone = self.work.reply.send(Invoked { request_id, payload, function_error, log_tail });
    }
}

/// Why an environment ends.
enum End {
    Exited,
    Killed(Option<oneshot::Sender<()>>),
    TimedOut,
}

struct Supervisor {
    shared: Arc<Shared>,
    handle: Arc<Handle>,
    serving: Option<Serving>,
    /// The process asks for an event.
    waiting: Option<oneshot::Sender<Delivery>>,
    /// It has asked once.
    initialised: bool,
    init_error: Option<Bytes>,
    /// Of the start or of the current invocation.
    deadline: Option<Instant>,
}

impl Supervisor {
    async fn run(
        mut self,
        mut child: Child,
        mut inbox: mpsc::UnboundedReceiver<Message>,
        mut orders: KillOrders,
    ) {
        let mut collectors = self.collect_logs(&mut child);
        let mut stop = self.shared.stop.subscribe();
        let end = loop {
            let deadline = self.deadline.unwrap_or_else(Instant::now);
            tokio::select! {
                Some(message) = inbox.recv() => self.handle_message(message),
                Some(order) = orders.recv() => break End::Killed(Some(order)),
                _ = child.wait() => break End::Exited,
                () = sleep_until(deadline), if self.deadline.is_some() => break End::TimedOut,
                () = async { let _stopped = stop.wait_for(|stop| *stop).await; } => break End::Killed(None),
            }
        };
        // Fails only when the process is dead already.
        let _dead = child.start_kill();
        let status = child.wait().await.ok();
        self.leave();
        // Messages that the process sent before it died count; unread work goes back to its sender.
        inbox.close();
        while let Ok(message) = inbox.try_recv() {
            if matches!(message, Message::Ended { .. } | Message::InitError(_)) {
                self.handle_message(message);
            }
        }
        let timed_out = matches!(end, End::TimedOut);
        if let End::Killed(Some(order)) = end {
            let _gone = order.send(()); // the requester may have stopped waiting
        }
        drop(orders); // answers all other waiters
        // The pipes are at their end, unless a child of the process holds them.
        let _late =
            timeout(Duration::from_secs(1), async { while collectors.join_next().await.is_some() {} }).await;
        self.conclude(timed_out, status);
    }

    fn collect_logs(&self, child: &mut Child) -> JoinSet<()> {
        let mut collectors = JoinSet::new();
        let names = || (self.handle.function.clone(), self.handle.id.clone());
        if let Some(out) = child.stdout.take() {
            let (function, environment) = names();
            collectors.spawn(self.shared.logs.clone().collect(function, environment, out));
        }
        if let Some(err) = child.stderr.take() {
            let (function, environment) = names();
            collectors.spawn(self.shared.logs.clone().collect(function, environment, err));
        }
        collectors
    }

    fn handle_message(&mut self, message: Message) {
        match message {
            Message::Work(work) => {
                self.serving = Some(Serving::new(work, &self.shared));
                self.deliver();
            }
            Message::Next(asks) => {
                self.waiting = Some(asks);
                if !self.initialised {
                    self.initialised = true;
                    self.deadline = None;
                }
                self.finish();
                self.deliver();
            }
            Message::Ended { request_id, outcome, accept } => {
                let current = self.serving.as_mut().filter(|serving| {
                    serving.delivered && serving.outcome.is_none() && serving.work.request_id == request_id
                });
                let accepted = current.is_some();
                if let Some(serving) = current {
                    serving.outcome = Some(outcome);
                }
                // The process may have died meanwhile; its outcome counts.
                let _gone = accept.send(accepted);
            }
            Message::InitError(error) => self.init_error = Some(error),
        }
    }

    /// Gives the process the event that waits, if it has asked for one.
    fn deliver(&mut self) {
        let Some(serving) = self.serving.as_mut().filter(|serving| !serving.delivered) else { return };
        let (Some(pool), Some(asks)) = (self.shared.pools.get(&self.handle.function), self.waiting.take())
        else {
            return;
        };
        let limit = pool.function.timeout;
        let deadline = SystemTime::now() + limit;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
        let delivery = Delivery {
            request_id: serving.work.request_id.clone(),
            payload: serving.work.payload.clone(),
            client_context: serving.work.client_context.clone(),
            deadline_ms,
        };
        // A process that hung up is dying; its end sends the work on.
        if asks.send(delivery).is_ok() {
            serving.delivered = true;
            serving.begun = Instant::now();
            self.deadline = Some(Instant::now() + limit);
            lock(&self.handle.status).0 = State::Busy;
        }
    }

    /// Answers the invocation that has an outcome, now that the process is ready for the next one. Answering
    /// earlier would let the caller's next request find no idle environment.
    fn finish(&mut self) {
        let ended = self.serving.as_mut().and_then(|serving| serving.outcome.take());
        let Some((outcome, serving)) = ended.and_then(|outcome| Some((outcome, self.serving.take()?))) else {
            return;
        };
        self.deadline = None;
        let Some(pool) = self.shared.pools.get(&self.handle.function) else { return };
        lock(&self.handle.status).0 = State::Idle;
        lock(&pool.seats).idle.push(Arc::clone(&self.handle));
        serving.reply(outcome, &self.shared, &self.handle.id, pool.function.memory_mb);
    }

    /// Takes the environment off all lists. After this no work comes.
    fn leave(&self) {
        lock(&self.shared.environments).remove(&self.handle.id);
        self.shared.settings.identities.revoke(&self.handle.id);
        if let Some(pool) = self.shared.pools.get(&self.handle.function) {
            let mut seats = lock(&pool.seats);
            seats.idle.retain(|idle| idle.id != self.handle.id);
            seats.living -= 1;
        }
    }

    /// Ends the invocation that the environment died with.
    fn conclude(mut self, timed_out: bool, status: Option<ExitStatus>) {
        let Some(mut serving) = self.serving.take() else { return };
        let Some(pool) = self.shared.pools.get(&self.handle.function) else { return };
        let id = &serving.work.request_id;
        let outcome = match (serving.outcome.take(), self.init_error.take()) {
            (Some(outcome), _) => outcome,
            // Dropped unanswered: `Lambda::invoke` looks for another environment.
            (None, _) if self.initialised && !serving.delivered => return,
            (None, Some(init_error)) => InvocationOutcome::Failed(init_error),
            (None, None) if timed_out => {
                let init = self.shared.settings.init_timeout;
                let limit = if serving.delivered { pool.function.timeout } else { init };
                InvocationOutcome::Failed(payload::timed_out(id, limit))
            }
            (None, None) => InvocationOutcome::Failed(payload::exited(id, status)),
        };
        serving.reply(outcome, &self.shared, &self.handle.id, pool.function.memory_mb);
    }
}
