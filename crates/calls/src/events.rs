//! Chime's events: inserted, projected onto the call's rows, and audited.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chime::event::ParsedEvent;
use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::SessionId;
use domain::presence::{self, MeetingEvent, Projection, SessionHistory};
use tokio::time::Instant;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// A batch publishes events for this long: one request to the bus may take 3 s more, and the queue gives a batch much longer.
const PUBLISH_FOR: Duration = Duration::from_secs(3);

/// The result of persisting projections.
#[derive(Debug, Default)]
pub(crate) struct Persisted {
    /// Sessions that others changed meanwhile: to be read and projected again.
    pub(crate) changed_meanwhile: BTreeSet<SessionId>,
    /// Events that wait to be published because of the others.
    events_enqueued: u32,
}

/// One cause for all messages of a batch.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shared(Arc<Error>);

impl Calls {
    /// Handles a batch of Chime's events and returns for each whether it is done. Events of other applications, and of types
    /// that are not known, are done. An event may arrive twice, late or out of order: the result is the same. Two round trips.
    ///
    /// An event that the database rejects does not fail the others: the batch is retried event by event.
    pub async fn handle_chime_events(
        &self,
        batch: Vec<Result<ParsedEvent, Error>>,
        origin: &Origin,
    ) -> Vec<Result<(), Error>> {
        let own: Vec<Option<MeetingEvent>> = batch
            .iter()
            .map(|event| match event {
                Ok(ParsedEvent::Meeting(event)) if self.is_own(event) => Some(event.clone()),
                Ok(ParsedEvent::Meeting(_) | ParsedEvent::Other) | Err(_) => None,
            })
            .collect();
        let events: Vec<MeetingEvent> = own.iter().flatten().cloned().collect();
        let inserted = self.insert(&events, origin).await.map_err(Arc::new);
        let one_by_one = events.len() > 1 && inserted.as_ref().is_err_and(|error| !error.retryable());
        let mut outcomes = Vec::with_capacity(batch.len());
        for (event, own) in batch.into_iter().zip(own) {
            outcomes.push(match (event, own, &inserted) {
                (Err(error), _, _) => Err(error),
                (Ok(_), None, _) | (Ok(_), Some(_), Ok(())) => Ok(()),
                (Ok(_), Some(event), Err(_)) if one_by_one => {
                    self.insert(std::slice::from_ref(&event), origin).await
                }
                (Ok(_), Some(_), Err(error)) => Err(Error::Unavailable {
                    backend: "database",
                    source: Box::new(Shared(Arc::clone(error))),
                }),
            });
        }
        outcomes
    }

    /// Other applications in the account have meetings too, and other deployments of this one: `medzen-prod-` begins with
    /// `medzen-`, so a session's id and nothing else must follow. An event that does not name its meeting is stored until it is
    /// known whose it is.
    fn is_own(&self, event: &MeetingEvent) -> bool {
        let prefix = &self.settings.external_id_prefix;
        let is_session =
            |id: &str| id.strip_prefix(prefix).is_some_and(|rest| rest.parse::<SessionId>().is_ok());
        event.external_meeting_id.as_deref().is_none_or(is_session)
    }

    async fn insert(&self, events: &[MeetingEvent], origin: &Origin) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        for _ in 0..MAX_ATTEMPTS {
            let inserted = self.store.insert_events(events, origin.now).await?;
            let persisted = self.persist(&inserted.sessions, origin).await?;
            if inserted.unpublished || persisted.events_enqueued > 0 {
                self.publish_in_batch(origin).await;
            }
            if persisted.changed_meanwhile.is_empty() {
                return Ok(());
            }
        }
        Err(conflict_retry())
    }

    /// Chime's events are done whether or not ours are published: the schedule publishes what is left.
    async fn publish_in_batch(&self, origin: &Origin) {
        if let Err(error) = self.publish_due(origin.now, Instant::now() + PUBLISH_FOR).await {
            tracing::warn!(
                operation = "publish_event",
                error = causes(&error),
                "event publish failed, will retry"
            );
        }
    }

    /// Projects histories and writes what changes.
    pub(crate) async fn persist(
        &self,
        histories: &[SessionHistory],
        origin: &Origin,
    ) -> Result<Persisted, Error> {
        let projections: Vec<Projection> =
            histories.iter().map(presence::project).filter(Projection::has_changes).collect();
        if projections.is_empty() {
            return Ok(Persisted::default());
        }
        let written = self.store.apply_projection(&projections, origin).await?;
        let is_complete = |projection: &Projection| {
            written.applied.iter().any(|done| {
                done.session == projection.session_id && done.participants == projection.participants.len()
            })
        };
        let changed_meanwhile = projections
            .iter()
            .filter(|projection| !is_complete(projection))
            .map(|projection| projection.session_id)
            .collect();
        Ok(Persisted { changed_meanwhile, events_enqueued: written.events_enqueued })
    }
}
