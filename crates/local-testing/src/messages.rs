//! Events and queues, as tests drive them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{TestCloud, TestResult};
use local::chime;
use local::events::NewEvent;

/// How long a test waits for queues.
const PATIENCE: Duration = Duration::from_mins(1);

impl TestCloud {
    /// Puts any event on a bus, as `POST /_local/events` does, and answers it whole.
    ///
    /// # Errors
    /// When it is not what the control API takes.
    pub fn send_event(&self, event: &Value) -> TestResult<Value> {
        let event: NewEvent = serde_json::from_value(event.clone())?;
        Ok(self.parts.events.put(event))
    }

    /// Makes an event happen in one of Chime's meetings: `AttendeeJoined`. Returns the event as it was put on the bus.
    ///
    /// # Errors
    /// When the meeting or the attendee is not there.
    pub fn chime_event(&self, meeting: &str, event_type: &str, attendee: Option<&str>) -> TestResult<Value> {
        let event = chime::NewEvent {
            event_type: event_type.to_owned(),
            attendee_id: attendee.map(str::to_owned),
            ..chime::NewEvent::default()
        };
        Ok(self.parts.chime.event(meeting, event)?)
    }

    /// The rules that picked an event.
    #[must_use]
    pub fn picked(&self, event: &Value) -> Vec<String> {
        self.parts.events.picked(event["id"].as_str().unwrap_or_default())
    }

    /// Reads no queue until [`TestCloud::release_queues`], so that a test can send in any order and have whole batches.
    pub fn hold_queues(&self) {
        self.parts.pollers.hold();
    }

    /// Reads the queues again.
    pub fn release_queues(&self) {
        self.parts.pollers.release();
    }

    /// Delivers Chime's due events and waits until every visible message was processed by its function. Returns the number of
    /// failed messages, which become visible again after their visibility timeout.
    ///
    /// # Errors
    /// When the queues are held, a mapping does not work, or it takes longer than a minute.
    pub async fn drain_queues(&self) -> TestResult<usize> {
        self.parts.chime.deliver_due_events();
        Ok(self.parts.pollers.drained(PATIENCE).await?)
    }

    /// The messages in a function's dead-letter queue, oldest first.
    ///
    /// # Errors
    /// When the function reads no queue that has one, or a body is not JSON.
    pub fn dead_letters(&self, function: &str) -> TestResult<Vec<Value>> {
        let plan = &self.parts.plan;
        let mapping = plan.mappings.iter().find(|mapping| mapping.function == function);
        let mapping = mapping.ok_or_else(|| format!("{function} reads no queue"))?;
        let queue = plan.queues.iter().find(|queue| queue.arn == mapping.queue);
        let redrive = queue.and_then(|queue| queue.redrive.as_ref()).ok_or("no dead-letter queue")?;
        let name = redrive.queue.rsplit(':').next().unwrap_or_default();
        let bodies = self.parts.queues.bodies(name);
        Ok(bodies.iter().map(|body| serde_json::from_str(body)).collect::<Result<_, _>>()?)
    }

    /// The queues, as the control API lists them.
    #[must_use]
    pub fn queues(&self) -> Value {
        json!(self.parts.queues.listed(|queue| self.parts.pollers.reads(queue)))
    }
}
