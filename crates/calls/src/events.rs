//! Events: what Chime tells of a call is kept, read, and written into its rows and its audit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chime::event::ParsedEvent;
use domain::Error;
use domain::audit::Origin;
use domain::id::SessionId;
use domain::presence::{self, History, Reading, Told};
use tokio::time::Instant;

use crate::{Calls, ROUNDS, conflict_retry};

/// How long a batch goes on telling notices: a call to the bus may take 3 s more, and the queue gives a batch much longer.
const TELLS_FOR: Duration = Duration::from_secs(3);

/// What became of readings.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    /// Sessions that others changed meanwhile: to be read again.
    pub(crate) changed_meanwhile: BTreeSet<SessionId>,
    /// How many notices wait because of the others.
    notices: u32,
}

/// Why none of a batch was written, for each of its messages.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shared(Arc<Error>);

impl Calls {
    /// Takes a batch of Chime's events and says of each whether it is dealt with. What is not ours, or not known, is. An
    /// event may come again, late or out of order: the result is the same. Two round trips.
    ///
    /// An event that the database refuses harms no other: the batch is tried again event by event.
    pub async fn hear(&self, batch: Vec<Result<ParsedEvent, Error>>, origin: &Origin) -> Vec<Result<(), Error>> {
        let ours: Vec<Option<Told>> = batch
            .iter()
            .map(|heard| match heard {
                Ok(ParsedEvent::Meeting(told)) if self.is_ours(told) => Some(told.clone()),
                Ok(ParsedEvent::Meeting(_) | ParsedEvent::Other) | Err(_) => None,
            })
            .collect();
        let told: Vec<Told> = ours.iter().flatten().cloned().collect();
        let absorbed = self.absorb(&told, origin).await.map_err(Arc::new);
        let one_by_one = told.len() > 1 && absorbed.as_ref().is_err_and(|error| !error.retryable());
        let mut outcomes = Vec::with_capacity(batch.len());
        for (heard, ours) in batch.into_iter().zip(ours) {
            outcomes.push(match (heard, ours, &absorbed) {
                (Err(error), _, _) => Err(error),
                (Ok(_), None, _) | (Ok(_), Some(_), Ok(())) => Ok(()),
                (Ok(_), Some(told), Err(_)) if one_by_one => {
                    self.absorb(std::slice::from_ref(&told), origin).await
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
    /// `medzen-`, so what follows must be a session's id and nothing else. An event that does not name its meeting is kept as
    /// long as it is not known whose it is.
    fn is_ours(&self, told: &Told) -> bool {
        let prefix = &self.settings.external_id_prefix;
        let is_session =
            |id: &str| id.strip_prefix(prefix).is_some_and(|rest| rest.parse::<SessionId>().is_ok());
        told.external_meeting_id.as_deref().is_none_or(is_session)
    }

    async fn absorb(&self, told: &[Told], origin: &Origin) -> Result<(), Error> {
        if told.is_empty() {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            let absorbed = self.store.insert_events(told, origin.now).await?;
            let settlement = self.settle(&absorbed.sessions, origin).await?;
            if absorbed.suppressed || settlement.notices > 0 {
                self.tell_what_waits(origin).await;
            }
            if settlement.changed_meanwhile.is_empty() {
                return Ok(());
            }
        }
        Err(conflict_retry())
    }

    /// The events are dealt with whatever becomes of the notices: those wait for the schedule too.
    async fn tell_what_waits(&self, origin: &Origin) {
        if let Err(error) = self.tell_waiting(origin.now, Instant::now() + TELLS_FOR).await {
            tracing::warn!(error = %error, "notices are left for the schedule");
        }
    }

    /// Reads and writes histories.
    pub(crate) async fn settle(&self, histories: &[History], origin: &Origin) -> Result<Settlement, Error> {
        let readings: Vec<Reading> = histories.iter().map(presence::read).filter(Reading::is_news).collect();
        if readings.is_empty() {
            return Ok(Settlement::default());
        }
        let settled = self.store.apply_projection(&readings, origin).await?;
        let whole = |reading: &Reading| {
            settled
                .written
                .iter()
                .any(|done| done.session == reading.session_id && done.people == reading.people.len())
        };
        let changed_meanwhile =
            readings.iter().filter(|reading| !whole(reading)).map(|reading| reading.session_id).collect();
        Ok(Settlement { changed_meanwhile, notices: settled.notices })
    }
}
