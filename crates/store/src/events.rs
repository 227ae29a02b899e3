//! Chime's events: inserted once each, and projected onto sessions and participants.
//!
//! A batch takes two round trips. The first inserts the events and reads everything that is known of their meetings; the second
//! writes the projection, if no other did since: a session counts its projections, and a writer that read an older version
//! writes nothing and reads again. So two batches at once about the same call lose no event, and no lock is held between trips.

use domain::audit::Origin;
use domain::id::SessionId;
use domain::outbound::EventType;
use domain::presence::{MeetingEvent, Projection, SessionHistory};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::statement::sql;
use crate::{Error, Store};

/// An inserted event is applied by its batch within this time: more than any batch takes.
const APPLIED_WITHIN: Duration = Duration::minutes(1);

#[derive(Debug, Serialize)]
struct Row<'a> {
    event_id: &'a str,
    meeting_id: String,
    external_meeting_id: Option<&'a str>,
    control_region: &'a str,
    kind: &'static str,
    at_ms: i64,
    attendee_id: Option<&'a str>,
    external_user_id: Option<&'a str>,
}

/// The state after a batch was inserted.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct InsertedEvents {
    /// The sessions that it concerns.
    pub sessions: Vec<SessionHistory>,
    /// Whether events wait to be published, of any call.
    pub unpublished: bool,
}

/// The result of writing projections.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedProjections {
    /// Events that wait to be published because of them.
    pub events_enqueued: u32,
    /// The sessions whose version was still the one that was read.
    pub applied: Vec<AppliedProjection>,
}

/// A session whose projection was written.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AppliedProjection {
    pub session: SessionId,
    /// The participants' rows that were written: fewer than the projection has, where some changed meanwhile.
    pub participants: usize,
}

impl Store {
    /// Inserts events that are not stored yet, and reads the history of the sessions of their meetings. May be repeated. One
    /// round trip.
    pub async fn insert_events(
        &self,
        events: &[MeetingEvent],
        now: OffsetDateTime,
    ) -> Result<InsertedEvents, Error> {
        let rows: Vec<Row<'_>> = events
            .iter()
            .map(|event| Row {
                event_id: &event.event.id,
                meeting_id: event.meeting.to_string(),
                external_meeting_id: event.external_meeting_id.as_deref(),
                control_region: &event.control_region,
                kind: event.event.kind.as_str(),
                at_ms: event.event.at_ms,
                attendee_id: event.event.attendee_id.as_deref(),
                external_user_id: event.event.external_user_id.as_deref(),
            })
            .collect();
        let params = [(&Json(rows) as _, Type::JSONB), (&now as _, Type::TIMESTAMPTZ)];
        let statement = sql!("insert_events", "session_history", "inserted_events");
        Ok(self.ask(statement, &params).await?.unwrap_or_default())
    }

    /// Sessions whose attendance must be projected again, at most `limit` of those that changed without it and of those with
    /// events that were not applied within a minute, and those of `again`; with their history. One round trip.
    pub async fn stale_sessions(
        &self,
        limit: i64,
        again: &[SessionId],
        now: OffsetDateTime,
    ) -> Result<Vec<SessionHistory>, Error> {
        let before = now - APPLIED_WITHIN;
        let again: Vec<Uuid> = again.iter().map(|session| session.as_uuid()).collect();
        let params =
            [(&limit as _, Type::INT8), (&before as _, Type::TIMESTAMPTZ), (&again as _, Type::UUID_ARRAY)];
        let statement = sql!("stale_sessions", "session_history", "histories");
        Ok(self.ask(statement, &params).await?.unwrap_or_default())
    }

    /// Writes projections, with an audit entry for each event that says what happened to a participant, and closes calls whose
    /// meeting has ended. Sessions that the answer does not name are to be read again. May be repeated. One round trip.
    pub async fn apply_projection(
        &self,
        projections: &[Projection],
        origin: &Origin,
    ) -> Result<AppliedProjections, Error> {
        let applied = self
            .ask(
                sql!("apply_projection"),
                &[
                    (&Json(projections), Type::JSONB),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&domain::audit::Event::CallEnded.as_str(), Type::TEXT),
                    (&EventType::CallEnded.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(applied.unwrap_or_default())
    }
}
