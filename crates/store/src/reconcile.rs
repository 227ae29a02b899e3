//! The rows that a run of the reconciler reads and writes: its lease, pages of due sessions, and their outcomes.

use domain::audit::{Event, Origin};
use domain::id::SessionId;
use domain::outbound::EventType;
use domain::reconcile::{STUCK_AFTER, StalledSession, VERIFY_AFTER};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

/// The outcome of a session in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// It was `ending` and its meeting is deleted.
    EndFinished,
    /// It was active and Chime does not know its meeting any more. It ended now, or when an event claimed.
    MeetingGone,
    /// It was `creating` and no request creates its meeting any more.
    StartFailed,
    /// It is active and Chime knows its meeting.
    Live,
    /// Chime did not answer: a later run tries again, after other sessions.
    Unknown,
}

/// A session with its outcome.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SessionRepair {
    pub id: SessionId,
    pub outcome: RepairOutcome,
}

/// How many sessions were repaired: fewer than were tried where a request was quicker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairCounts {
    /// Ends that a request began and did not finish.
    pub ends_finished: u32,
    /// Calls that had ended and whose `MeetingEnded` never arrived.
    pub ended_without_event: u32,
    /// Calls whose end an event claimed and Chime confirmed.
    pub ends_confirmed: u32,
    /// Starts that no request finished.
    pub starts_failed: u32,
    /// Events that wait to be published because of it.
    pub events_enqueued: u32,
}

/// The limits of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// Sessions that are `creating`.
    pub stalled: i64,
    /// Sessions that are active.
    pub unverified: i64,
}

/// A page of due sessions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub sessions: Vec<StalledSession>,
    /// Whether `verify_meeting` operations are due.
    pub ends_reported: bool,
}

impl Store {
    /// Takes or renews the lease until the given time and reads due sessions that were not tried at this very `now`. `None`:
    /// another run holds the lease. One round trip.
    pub async fn reconcile_page(
        &self,
        size: PageSize,
        until: OffsetDateTime,
        origin: &Origin,
    ) -> Result<Option<Page>, Error> {
        let (stalled, unverified) = (origin.now - STUCK_AFTER, origin.now - VERIFY_AFTER);
        self.ask(
            sql!("reconcile_page"),
            &[
                (&origin.request_id, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&until, Type::TIMESTAMPTZ),
                (&stalled, Type::TIMESTAMPTZ),
                (&unverified, Type::TIMESTAMPTZ),
                (&size.stalled, Type::INT8),
                (&size.unverified, Type::INT8),
            ],
        )
        .await
    }

    /// Writes the outcomes of a page, with the audit entries of the sessions that changed. May be repeated. One round trip.
    pub async fn apply_reconciliation(
        &self,
        outcomes: &[SessionRepair],
        origin: &Origin,
    ) -> Result<RepairCounts, Error> {
        let stalled = origin.now - STUCK_AFTER;
        let counts = self
            .ask(
                sql!("apply_reconciliation"),
                &[
                    (&Json(outcomes), Type::JSON),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&stalled, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::CallFailed.as_str(), Type::TEXT),
                    (&Event::CallEnded.as_str(), Type::TEXT),
                    (&EventType::CallEnded.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(counts.unwrap_or_default())
    }

    /// Releases the lease.
    pub async fn release_lease(&self, origin: &Origin) -> Result<(), Error> {
        let params = [(&origin.request_id as _, Type::TEXT), (&origin.now as _, Type::TIMESTAMPTZ)];
        self.ask::<bool>(sql!("release_lease"), &params).await?;
        Ok(())
    }
}
