//! Meetings that Chime's events told of and no open session owns.

use domain::audit::{Event, Origin};
use domain::id::ChimeMeetingId;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

/// How old a meeting is before it is nobody's: whoever makes one for a session has noted it long before.
const ORPHAN_AFTER: Duration = Duration::minutes(2);

/// Meetings that bear our prefix and a session's id (another deployment's prefix may begin with ours), have not ended, and
/// belong to no session that is open. A session that is `creating` does not know its meeting yet; the meeting bears its id.
const ORPHANS: &str = "-- orphan_meetings
SELECT coalesce(json_agg(json_build_object('meetingId', meeting_id, 'controlRegion', control_region)), '[]')::text
FROM (
  SELECT m.meeting_id, m.control_region
  FROM medzen.chime_meetings m
  WHERE m.over_at IS NULL AND m.heard_at <= $2 AND starts_with(m.external_meeting_id, $1)
    AND length(m.external_meeting_id) = length($1) + 36
    AND (m.last_attempt_at IS NULL OR m.last_attempt_at < $3)
    AND NOT EXISTS (
      SELECT FROM public.video_call_sessions s WHERE s.meeting_id = m.meeting_id AND s.status IN ('active', 'ending'))
    AND NOT EXISTS (
      SELECT FROM public.video_call_sessions s WHERE s.status = 'creating' AND $1 || s.id = m.external_meeting_id)
  ORDER BY m.last_attempt_at NULLS FIRST, m.heard_at, m.meeting_id
  LIMIT $4
) AS orphan";

/// Notes what became of them. Where the session is known for which such a meeting was made, its appointment's audit tells;
/// but not of the meeting that the session had: it ended with its call, and was only heard of later. Meetings are locked in
/// the order of their ids, as by the events.
const SETTLE: &str = "-- settle_orphans
WITH outcome AS (
  SELECT * FROM jsonb_to_recordset($1) AS o (meeting_id text, ended boolean)
), locked AS MATERIALIZED (
  SELECT m.meeting_id, outcome.ended
  FROM medzen.chime_meetings m JOIN outcome ON outcome.meeting_id = m.meeting_id
  ORDER BY m.meeting_id
  FOR UPDATE OF m
), noted AS (
  UPDATE medzen.chime_meetings m
  SET over_at = CASE WHEN locked.ended THEN $2 END, last_attempt_at = $2
  FROM locked WHERE m.meeting_id = locked.meeting_id AND m.over_at IS NULL
  RETURNING m.meeting_id, m.external_meeting_id, m.over_at
), ended AS (
  SELECT noted.meeting_id, s.id, s.appointment_id
  FROM noted LEFT JOIN public.video_call_sessions s
    ON $4 || s.id = noted.external_meeting_id AND s.meeting_id IS DISTINCT FROM noted.meeting_id
  WHERE noted.over_at IS NOT NULL
), audited AS (
  SELECT count(medzen.audit_append('APPT#' || appointment_id, $3::jsonb || jsonb_build_object(
    'event', $5::text, 'appointmentId', appointment_id, 'sessionId', id, 'meetingId', meeting_id), $2))
  FROM (SELECT * FROM ended WHERE id IS NOT NULL ORDER BY appointment_id, meeting_id) AS ordered
)
SELECT (SELECT count(*) FROM ended)::text FROM audited";

/// A meeting that nobody owns.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// Which.
    pub meeting_id: ChimeMeetingId,
    /// The only region in which it can be ended.
    pub control_region: String,
}

/// What became of one.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Orphaned {
    /// Which.
    pub meeting_id: ChimeMeetingId,
    /// Whether it is over; else a later run tries again.
    pub ended: bool,
}

impl Store {
    /// Meetings of ours that no open session owns, known for two minutes and not tried at this very `now`; the longest
    /// untried first. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orphan_meetings(
        &self,
        prefix: &str,
        most: i64,
        now: OffsetDateTime,
    ) -> Result<Vec<Orphan>, Error> {
        let before = now - ORPHAN_AFTER;
        let params = [
            (&prefix as _, Type::TEXT),
            (&before as _, Type::TIMESTAMPTZ),
            (&now as _, Type::TIMESTAMPTZ),
            (&most as _, Type::INT8),
        ];
        Ok(self.ask(ORPHANS, &params).await?.unwrap_or_default())
    }

    /// Notes what became of them and answers how many are over. ConsentCheck be repeated. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settle_orphans(
        &self,
        outcomes: &[Orphaned],
        prefix: &str,
        origin: &Origin,
    ) -> Result<u32, Error> {
        let params = [
            (&Json(outcomes) as _, Type::JSONB),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&prefix as _, Type::TEXT),
            (&Event::OrphanMeetingEnded.as_str() as _, Type::TEXT),
        ];
        Ok(self.ask(SETTLE, &params).await?.unwrap_or_default())
    }
}
