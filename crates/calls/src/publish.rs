//! Events for the host application: published after the change that they are about, by the request or by the schedule.

use bus::MAX_ENTRIES;
use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::{AppointmentId, SessionId};
use domain::operation::{self, Action, Executed, LEASE, Operation, PendingOperation};
use domain::outbound::OutboundEvent;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::Calls;

/// Batches that one run publishes.
const MAX_BATCHES: usize = 100;

impl Calls {
    /// Publishes the event that was inserted with a change. The change is stored and its answer does not depend on this: an
    /// event that is not published now, the schedule publishes.
    pub async fn publish(&self, event: Option<PendingOperation>, origin: &Origin) {
        let Some(event) = event else { return };
        match self.send_events(std::slice::from_ref(&event), origin.now).await {
            Ok(1) => {}
            Ok(_) => {
                tracing::warn!(operation = "publish_event", id = %event.id, "event publish failed, will retry");
            }
            Err(error) => {
                tracing::warn!(operation = "publish_event", id = %event.id, error = causes(&error), "event publish failed, will retry");
            }
        }
    }

    /// Announces to the function that executes this kind of operations that a session is to be compared with what is wanted, so that
    /// it does so within seconds. An event that is lost delays it until the function's schedule, at most a minute.
    pub async fn announce(&self, kind: Operation, appointment: AppointmentId, session: SessionId) {
        let executor = kind.executor();
        if let Err(error) = self.bus.announce(executor, session, appointment).await {
            tracing::warn!(
                executor,
                error = causes(&Error::from(error)),
                "event of a pending operation not published"
            );
        }
    }

    /// Publishes events that are due, the oldest first, until `ends`, and returns how many.
    ///
    /// # Errors
    /// 503 when the bus or the database is down, or the bus rejected events: they stay and are published later.
    pub(crate) async fn publish_due(&self, now: OffsetDateTime, ends: Instant) -> Result<usize, Error> {
        let (mut published, mut rejected) = (0, 0);
        let limit = i64::try_from(MAX_ENTRIES).map_err(Error::internal)?;
        for _ in 0..MAX_BATCHES {
            if Instant::now() >= ends {
                tracing::warn!(published, "time for publishing is over, the rest is left for the next run");
                break;
            }
            let executor = Operation::PublishEvent.executor();
            let events = self
                .store
                .lease_operations(executor, &[Operation::PublishEvent], (limit, LEASE), now)
                .await?;
            if events.is_empty() {
                break;
            }
            let accepted = self.send_events(&events, now).await?;
            published += accepted;
            rejected += events.len() - accepted;
            if events.len() < MAX_ENTRIES {
                break;
            }
        }
        if rejected > 0 {
            let source = format!("EventBridge rejected {rejected} events").into();
            return Err(Error::Unavailable { backend: "events", source });
        }
        Ok(published)
    }

    /// Returns how many events the bus accepted. They are completed at once, so an event is published twice only where the
    /// process dies between. Events that were not accepted are due again after a pause.
    async fn send_events(
        &self,
        operations: &[PendingOperation],
        now: OffsetDateTime,
    ) -> Result<usize, Error> {
        let mut events = Vec::with_capacity(operations.len());
        for operation in operations {
            if let Action::PublishEvent(payload) = operation.action()? {
                events.push(OutboundEvent { id: operation.id.as_uuid(), payload });
            }
        }
        let accepted = match self.bus.put(&events).await {
            Ok(accepted) => accepted,
            Err(error) => {
                let error = Error::from(error);
                for operation in operations {
                    self.release_event(operation, error.code(), now).await;
                }
                return Err(error);
            }
        };
        let executed: Vec<Executed> = operations
            .iter()
            .zip(&accepted)
            .filter(|(_, accepted)| **accepted)
            .map(|(operation, _)| Executed { id: operation.id, payload: None })
            .collect();
        if !executed.is_empty() {
            self.store.complete_operations(&executed, now).await?;
        }
        for (operation, _) in operations.iter().zip(&accepted).filter(|(_, accepted)| !**accepted) {
            self.release_event(operation, "rejected", now).await;
        }
        Ok(executed.len())
    }

    /// Releases the lease of an event that was not published, with the cause, and sets when it is due again.
    async fn release_event(&self, event: &PendingOperation, cause: &str, now: OffsetDateTime) {
        let due = operation::next_attempt(event.attempts, now);
        if let Err(error) = self.store.fail_operation(event.id, cause, due).await {
            // Its lease expires by itself.
            tracing::warn!(operation = "publish_event", id = %event.id, error = causes(&error), "pending operation not released");
        }
    }
}
