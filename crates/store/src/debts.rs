//! What Chime is still to be told of attendees.
//!
//! A change that Chime must hear of is stored first, together with a debt, and the debt is struck out when Chime has
//! answered. Capabilities are told as they are by then; a debt is struck only if they are still what was told. So of two
//! changes at once whichever is told last is what is stored, and a change that nobody lived to tell is told by the next run.

use domain::capabilities::Capabilities;
use domain::id::{ChimeAttendeeId, ChimeMeetingId, OperationId, SessionId, UserId};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

const DEBTS_OF: &str = "-- load_debts
SELECT coalesce(json_agg(json_build_object(
  'id', d.id, 'kind', d.kind, 'attendeeId', d.attendee_id, 'controlRegion', s.control_region, 'meetingId', s.meeting_id,
  'capabilities', json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content)) ORDER BY d.since, d.id), '[]')::text
FROM medzen.attendee_debts d
JOIN public.video_call_sessions s ON s.id = d.session_id
JOIN public.video_call_participants p ON p.session_id = d.session_id AND p.user_id = d.user_id
WHERE d.session_id = $1::uuid AND d.user_id = $2::uuid AND s.meeting_id IS NOT NULL";

/// Debts of sessions that are over are void: their attendees went with the meeting.
const DUE: &str = "-- due_debts
WITH void AS (
  DELETE FROM medzen.attendee_debts d
  USING public.video_call_sessions s
  WHERE s.id = d.session_id AND s.status IN ('ended', 'failed')
), due AS (
  SELECT d.* FROM medzen.attendee_debts d
  JOIN public.video_call_sessions s ON s.id = d.session_id
  WHERE d.since <= $1 AND s.status NOT IN ('ended', 'failed') AND s.meeting_id IS NOT NULL
  ORDER BY d.last_attempt_at NULLS FIRST, d.since, d.id
  LIMIT $2
)
SELECT coalesce(json_agg(json_build_object(
  'id', d.id, 'kind', d.kind, 'attendeeId', d.attendee_id, 'controlRegion', s.control_region, 'meetingId', s.meeting_id,
  'capabilities', json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content))
  ORDER BY d.last_attempt_at NULLS FIRST, d.since, d.id), '[]')::text
FROM due d
JOIN public.video_call_sessions s ON s.id = d.session_id
JOIN public.video_call_participants p ON p.session_id = d.session_id AND p.user_id = d.user_id";

const TRIED: &str = "-- debt_tried
UPDATE medzen.attendee_debts SET last_attempt_at = $2 WHERE id = $1::uuid RETURNING 'true'";

const PAY: &str = "-- pay_debt
WITH paid AS (
  DELETE FROM medzen.attendee_debts d
  WHERE d.id = $1::uuid AND (d.kind = 'delete' OR EXISTS (
    SELECT FROM public.video_call_participants p
    WHERE p.session_id = d.session_id AND p.user_id = d.user_id
      AND jsonb_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content) = $2))
  RETURNING d.id
)
SELECT json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content)::text
FROM medzen.attendee_debts d
JOIN public.video_call_participants p ON p.session_id = d.session_id AND p.user_id = d.user_id
WHERE d.id = $1::uuid AND NOT EXISTS (SELECT FROM paid)";

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// That the attendee is to be deleted.
    Delete,
    /// What it may do by now.
    Capabilities,
}

/// A debt with everything that paying it takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owed {
    /// Its own id.
    pub id: OperationId,
    /// What is to be told.
    pub kind: Kind,
    /// Of which attendee.
    pub attendee_id: ChimeAttendeeId,
    /// Where its meeting is asked for.
    pub control_region: String,
    /// Its meeting.
    pub meeting_id: ChimeMeetingId,
    /// What its participant may do by now.
    pub capabilities: Capabilities,
}

impl Store {
    /// What is owed about a person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_debts(&self, session: SessionId, user: UserId) -> Result<Vec<Owed>, Error> {
        let (session, user) = (session.to_string(), user.to_string());
        let params = [(&session as _, Type::TEXT), (&user as _, Type::TEXT)];
        Ok(self.ask(DEBTS_OF, &params).await?.unwrap_or_default())
    }

    /// What has been owed since before the given time, so many at most, the longest untried first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_debts(&self, before: OffsetDateTime, limit: i64) -> Result<Vec<Owed>, Error> {
        let params = [(&before as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(DUE, &params).await?.unwrap_or_default())
    }

    /// Notes that Chime did not let a debt be paid: others come first next time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn debt_tried(&self, debt: OperationId, now: OffsetDateTime) -> Result<(), Error> {
        let debt = debt.to_string();
        self.ask::<bool>(TRIED, &[(&debt, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }

    /// Strikes a debt out, if `told` is still what the participant may do. Else what they may do now comes back, to be told.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pay_debt(&self, debt: OperationId, told: Capabilities) -> Result<Option<Capabilities>, Error> {
        let (debt, told) = (debt.to_string(), Json(told));
        self.ask(PAY, &[(&debt, Type::TEXT), (&told, Type::JSONB)]).await
    }
}
