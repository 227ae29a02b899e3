//! SQS: standard queues with visibility timeouts, receive counts and dead-letter queues, on the cloud's clock.
//!
//! Nothing here reaches them over the wire: `EventBridge` fills them and Lambda reads them, as services of AWS do.

mod answer;
mod pollers;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use md5::{Digest as _, Md5};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

pub use self::pollers::{NotDrained, Pollers};
use self::queue::Held;
pub use self::queue::{Counts, Message};
use crate::clock::Clock;
use local_template::plan;

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no queue of this ARN.
    #[error("there is no such queue")]
    NoQueue,
    /// The body is greater than the queue takes.
    #[error("the message is larger than the queue's MaximumMessageSize")]
    TooLarge,
}

/// All queues. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Queues(Arc<Inner>);

struct Inner {
    clock: Clock,
    queues: Mutex<HashMap<String, Held>>,
    changed: watch::Sender<()>,
}

impl Queues {
    /// Makes the queues, empty.
    #[must_use]
    pub fn new(queues: &[plan::Queue], clock: Clock) -> Self {
        let queues = queues.iter().map(|queue| (queue.arn.clone(), Held::new(queue.clone()))).collect();
        Self(Arc::new(Inner { clock, queues: Mutex::new(queues), changed: watch::Sender::new(()) }))
    }

    /// Puts a message into a queue, hidden for `delay_ms` at first if that is more than the queue's own delay. Answers its
    /// id.
    ///
    /// # Errors
    /// When there is no such queue, or the message is too large for it.
    pub fn send(&self, arn: &str, body: &str, sender: &str, delay_ms: i64) -> Result<String, SendError> {
        let now_ms = self.0.clock.now_ms();
        let message = {
            let mut queues = self.lock();
            let queue = queues.get_mut(arn).ok_or(SendError::NoQueue)?;
            queue.send(body, sender, delay_ms, now_ms)?
        };
        self.touch();
        Ok(message)
    }

    /// Gives out up to `most` messages, hides them for the visibility timeout, and moves those that have been given out too
    /// often to the dead-letter queue.
    #[must_use]
    pub fn receive(&self, arn: &str, most: usize) -> Vec<Message> {
        let now_ms = self.0.clock.now_ms();
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(arn) else { return Vec::new() };
        let (given, dead) = queue.receive(most, now_ms);
        if !dead.is_empty() {
            let redrive = queue.plan.redrive.as_ref().map(|redrive| redrive.queue.clone());
            if let Some(target) = redrive.and_then(|arn| queues.get_mut(&arn)) {
                target.bury(dead, arn);
            }
            drop(queues);
            self.touch();
        }
        given
    }

    /// Deletes what was received; a receipt that is not the message's last one deletes nothing.
    pub fn delete(&self, arn: &str, receipt: &str) {
        if let Some(queue) = self.lock().get_mut(arn) {
            queue.delete(receipt);
        }
        self.touch();
    }

    /// How many messages a queue has.
    #[must_use]
    pub fn counts(&self, arn: &str) -> Counts {
        let now_ms = self.0.clock.now_ms();
        self.lock().get_mut(arn).map(|queue| queue.counts(now_ms)).unwrap_or_default()
    }

    /// The bodies of all messages of a queue by its name, in the order of their arrival.
    #[must_use]
    pub fn bodies(&self, name: &str) -> Vec<String> {
        let now_ms = self.0.clock.now_ms();
        let mut queues = self.lock();
        let queue = queues.values_mut().find(|queue| queue.plan.name == name);
        queue.map(|queue| queue.bodies(now_ms)).unwrap_or_default()
    }

    /// The queues as the control API lists them, by name: `{"name", "visible", "inFlight", "delayed", "deadLetterQueue",
    /// "messages": [{"id", "receives", "sentAt", "body"}]}`. Bodies are listed where nothing reads the queue.
    #[must_use]
    pub fn listed(&self, is_read: impl Fn(&str) -> bool) -> Vec<Value> {
        let now_ms = self.0.clock.now_ms();
        let mut queues = self.lock();
        let mut all: Vec<&mut Held> = queues.values_mut().collect();
        all.sort_by(|a, b| a.plan.name.cmp(&b.plan.name));
        all.into_iter().map(|queue| queue.listed(!is_read(&queue.plan.arn.clone()), now_ms)).collect()
    }

    /// When the next message of a queue becomes visible, in ms of the cloud's clock.
    fn next_visible(&self, arn: &str) -> Option<i64> {
        self.lock().get(arn).and_then(Held::next_visible)
    }

    /// Notifies of each change.
    fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    fn touch(&self) {
        self.0.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SQS's checksum of a body.
fn md5_of(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// An instant for people.
fn date(ms: i64) -> String {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    domain::stamp::text(date.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}
