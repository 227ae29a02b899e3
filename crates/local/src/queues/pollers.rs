//! Lambda's side of a queue: reads it, invokes the function with batches, and deletes what is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::{Message, Queues, answer};
use crate::lambda::Lambda;
use local_template::iam::Iam;
use local_template::plan::{Mapping, Plan};

/// Invocations at once where the mapping says nothing; Lambda begins with as many.
const CONCURRENCY: u32 = 5;

/// Actions that a poller performs with the function's role.
const NEEDED: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/// Why the queues are not drained.
#[derive(Debug, thiserror::Error)]
pub enum NotDrained {
    /// Nothing is read while they are held.
    #[error("the pollers are held")]
    Held,
    /// A mapping does not work.
    #[error("{0}")]
    Broken(String),
    /// It takes too long.
    #[error("messages are still waiting to be read: {0}")]
    Late(String),
}

/// The pollers of all mappings. Cheap to clone; dropping the last clone ends them.
#[derive(Clone)]
pub struct Pollers(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

struct Shared {
    region: String,
    mappings: Vec<Mapping>,
    /// The keys of encrypted queues.
    keys: BTreeMap<String, String>,
    queues: Queues,
    lambda: Lambda,
    iam: Arc<Iam>,
    held: watch::Sender<bool>,
    /// The number of callers that wait for the queues to be drained; while any does, no batch waits to be full.
    draining: watch::Sender<usize>,
    /// Rounds that have begun to read and have not ended.
    busy: AtomicUsize,
    /// Notifies when one has ended.
    ended: watch::Sender<()>,
    problems: Mutex<BTreeMap<String, String>>,
}

impl Pollers {
    /// Starts reading; `held`, only when they are released.
    #[must_use]
    pub fn start(plan: &Plan, queues: Queues, lambda: Lambda, iam: Arc<Iam>, held: bool) -> Self {
        let keys = plan.queues.iter().filter_map(|queue| Some((queue.arn.clone(), queue.key.clone()?)));
        let shared = Arc::new(Shared {
            region: plan.region.clone(),
            mappings: plan.mappings.clone(),
            keys: keys.collect(),
            queues,
            lambda,
            iam,
            held: watch::Sender::new(held),
            draining: watch::Sender::new(0),
            busy: AtomicUsize::new(0),
            ended: watch::Sender::new(()),
            problems: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for mapping in shared.mappings.iter().filter(|mapping| mapping.enabled) {
            // As when the mapping is made: Lambda does not begin without these.
            match shared.missing(mapping) {
                None => drop(tasks.spawn(Arc::clone(&shared).poll(mapping.clone()))),
                Some(action) => {
                    let (function, queue) = (&mapping.function, &mapping.queue);
                    let problem = format!("the role of {function} does not allow {action} on {queue}");
                    shared.complain(mapping, problem);
                }
            }
        }
        Self(Arc::new(Running { shared, tasks: Mutex::new(tasks) }))
    }

    /// Reads nothing more until [`Pollers::release`]. Messages that were read before are delivered.
    pub fn hold(&self) {
        self.0.shared.held.send_replace(true);
    }

    /// Reads again.
    pub fn release(&self) {
        self.0.shared.held.send_replace(false);
    }

    /// Whether a mapping reads this queue.
    #[must_use]
    pub fn reads(&self, queue: &str) -> bool {
        self.0.shared.mappings.iter().any(|mapping| mapping.queue == queue)
    }

    /// The mappings as the control API lists them: `{"function", "queue", "enabled", "problem"}`.
    #[must_use]
    pub fn listed(&self) -> Vec<Value> {
        let problems = self.0.shared.problems();
        let listed = |mapping: &Mapping| {
            json!({
                "function": mapping.function,
                "queue": mapping.queue.rsplit(':').next(),
                "enabled": mapping.enabled,
                "problem": problems.get(&mapping.queue),
            })
        };
        self.0.shared.mappings.iter().map(listed).collect()
    }

    /// Waits until every message that can be seen was given to its function and answered. What failed stays, hidden for its
    /// visibility timeout; how many those are, and those that are delayed, is the answer.
    ///
    /// # Errors
    /// When the pollers are held, a mapping does not work, or it takes longer than `patience`.
    pub async fn drained(&self, patience: Duration) -> Result<usize, NotDrained> {
        let shared = &self.0.shared;
        let _draining = Draining::new(&shared.draining);
        let (mut changes, mut ended) = (shared.queues.changes(), shared.ended.subscribe());
        let waiting = async {
            loop {
                changes.borrow_and_update();
                ended.borrow_and_update();
                if *shared.held.borrow() {
                    return Err(NotDrained::Held);
                }
                if let Some((_, problem)) = shared.problems().first_key_value() {
                    return Err(NotDrained::Broken(problem.clone()));
                }
                // In this order: whoever took the last visible message was busy before.
                if shared.visible() == 0 && shared.busy.load(Ordering::SeqCst) == 0 {
                    return Ok(shared.waiting());
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = ended.changed() => {}
                }
            }
        };
        let drained = tokio::time::timeout(patience, waiting).await;
        drained.unwrap_or_else(|_| Err(NotDrained::Late(json!(shared.queues.listed(|_| true)).to_string())))
    }

    /// Ends them.
    pub fn stop(&self) {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// Counts as draining until it is dropped.
struct Draining<'a>(&'a watch::Sender<usize>);

impl<'a> Draining<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A round that is under way.
struct Busy(Arc<Shared>);

impl Busy {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.busy.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.send_replace(());
    }
}

impl Shared {
    async fn poll(self: Arc<Self>, mapping: Mapping) {
        let most = usize::try_from(mapping.concurrency.unwrap_or(CONCURRENCY)).unwrap_or(1);
        let seats = Arc::new(Semaphore::new(most));
        let (mut held, mut draining) = (self.held.subscribe(), self.draining.subscribe());
        let (mut changes, mut moves) = (self.queues.changes(), self.queues.0.clock.moves());
        let mut batches = JoinSet::new();
        loop {
            while batches.try_join_next().is_some() {}
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
            if *held.borrow_and_update() {
                let _released = held.changed().await;
                continue;
            }
            // Seen before looking, so that a change in between is not lost.
            changes.borrow_and_update();
            moves.borrow_and_update();
            draining.borrow_and_update();
            let busy = Busy::new(&self);
            let mut batch = self.read(&mapping, mapping.batch);
            if batch.is_empty() {
                drop((busy, seat));
                tokio::select! {
                    () = self.until_visible(&mapping.queue) => {}
                    _ = changes.changed() => {}
                    _ = moves.changed() => {}
                    _ = held.changed() => {}
                }
                continue;
            }
            self.fill(&mapping, &mut batch).await;
            batches.spawn(Arc::clone(&self).serve(mapping.clone(), batch, busy, seat));
        }
    }

    /// Waits for a batch to be full, for as long as its window is open on the cloud's clock.
    async fn fill(&self, mapping: &Mapping, batch: &mut Vec<Message>) {
        let clock = &self.queues.0.clock;
        let (mut changes, mut moves) = (self.queues.changes(), clock.moves());
        let mut draining = self.draining.subscribe();
        let closes = clock.now() + mapping.window;
        while batch.len() < mapping.batch {
            changes.borrow_and_update();
            moves.borrow_and_update();
            let drained_for = *draining.borrow_and_update() > 0;
            let left = Duration::try_from(closes - clock.now()).unwrap_or_default();
            // Nothing is read after that: when the clock jumped, the batch's own messages might be visible again.
            if left.is_zero() || drained_for {
                return;
            }
            let more = self.read(mapping, mapping.batch - batch.len());
            if !more.is_empty() {
                batch.extend(more);
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = changes.changed() => {}
                _ = moves.changed() => {}
                _ = draining.changed() => {}
            }
        }
    }

    async fn serve(
        self: Arc<Self>,
        mapping: Mapping,
        batch: Vec<Message>,
        busy: Busy,
        seat: OwnedSemaphorePermit,
    ) {
        if let Some(key) = self.keys.get(&mapping.queue) {
            let via = format!("sqs.{}.amazonaws.com", self.region);
            let context = [("kms:ViaService", via.as_str())];
            if !self.iam.check(&mapping.function, "kms:Decrypt", Some(key), &context).is_allowed() {
                let function = &mapping.function;
                self.complain(
                    &mapping,
                    format!("the role of {function} does not allow kms:Decrypt on {key}"),
                );
                return;
            }
        }
        let event = answer::event(&batch, &mapping.queue, &self.region);
        match self.lambda.invoke(&mapping.function, Bytes::from(event.to_string())).await {
            Ok(invoked) => {
                for message in answer::done(&batch, &invoked, mapping.partial) {
                    let _recorded = self.may(&mapping, "sqs:DeleteMessage");
                    self.queues.delete(&mapping.queue, &message.receipt);
                }
            }
            // SQS redelivers its messages.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(function = mapping.function, error, "a batch was not accepted");
            }
        }
        drop((seat, busy));
        self.queues.touch();
    }

    /// Receives in the name of the function's role.
    fn read(&self, mapping: &Mapping, most: usize) -> Vec<Message> {
        let may = self.may(mapping, "sqs:GetQueueAttributes") && self.may(mapping, "sqs:ReceiveMessage");
        if may { self.queues.receive(&mapping.queue, most) } else { Vec::new() }
    }

    fn may(&self, mapping: &Mapping, action: &str) -> bool {
        self.iam.check(&mapping.function, action, Some(&mapping.queue), &[]).is_allowed()
    }

    fn missing(&self, mapping: &Mapping) -> Option<&'static str> {
        NEEDED.into_iter().find(|action| !self.iam.would_allow(&mapping.function, action, &mapping.queue))
    }

    fn complain(&self, mapping: &Mapping, problem: String) {
        tracing::warn!(function = mapping.function, problem, "a queue is not read");
        self.problems().insert(mapping.queue.clone(), problem);
        self.queues.touch();
    }

    fn problems(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until_visible(&self, queue: &str) {
        let Some(at_ms) = self.queues.next_visible(queue) else { return std::future::pending().await };
        let left = at_ms.saturating_sub(self.queues.0.clock.now_ms());
        tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
    }

    /// Messages that a poller could read now.
    fn visible(&self) -> usize {
        self.read_queues().map(|queue| self.queues.counts(queue).visible).sum()
    }

    /// Messages that come later.
    fn waiting(&self) -> usize {
        let later = |queue| {
            let counts = self.queues.counts(queue);
            counts.in_flight + counts.delayed
        };
        self.read_queues().map(later).sum()
    }

    fn read_queues(&self) -> impl Iterator<Item = &str> {
        self.mappings.iter().filter(|mapping| mapping.enabled).map(|mapping| mapping.queue.as_str())
    }
}
