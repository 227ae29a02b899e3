//! What a run of the reconciler reads and writes: its lease, pages of sessions that nobody moves, what became of them.

use domain::audit::{Event, Origin};
use domain::id::SessionId;
use domain::outbound::EventType;
use domain::reconcile::{Left, STUCK, UNASKED};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

/// Takes the lease or renews it, and reads a page of what is due, the longest untried first. No row: another run has it.
/// A call that everyone has left is due in each run once Chime's five minutes are over: Chime may end it a little later,
/// and a request may have asked for it a little earlier; but for ten minutes only, for one that lives on then is not empty,
/// whatever was heard.
const PAGE: &str = "-- reconcile_page
WITH lease AS (
  INSERT INTO medzen.leases AS held (name, holder, until) VALUES ('reconcile', $1, $3)
  ON CONFLICT (name) DO UPDATE SET holder = $1, until = $3
  WHERE held.holder = $1 OR held.until <= $2
  RETURNING name
), unfinished AS (
  SELECT id, status, control_region, meeting_id, updated_at, activated_at, checked_at, heard_at, last_attempt_at, connected, last_left_at
  FROM public.video_call_sessions
  WHERE status IN ('creating', 'ending') AND updated_at <= $4 AND (last_attempt_at IS NULL OR last_attempt_at < $2)
  ORDER BY last_attempt_at NULLS FIRST, updated_at, id
  LIMIT $6
), unasked AS (
  SELECT id, status, control_region, meeting_id, updated_at, activated_at, checked_at, heard_at, last_attempt_at, connected, last_left_at
  FROM public.video_call_sessions
  WHERE status = 'active' AND (last_attempt_at IS NULL OR last_attempt_at < $2) AND (
    greatest(activated_at, checked_at, heard_at) <= $5
    OR (connected = 0 AND last_left_at BETWEEN $5 - interval '10 minutes' AND $5 AND (checked_at IS NULL OR checked_at < $2)))
  ORDER BY last_attempt_at NULLS FIRST, connected > 0, greatest(activated_at, checked_at, heard_at), id
  LIMIT $7
)
SELECT (
  SELECT coalesce(json_agg(json_build_object(
    'id', id, 'status', status, 'controlRegion', control_region, 'meetingId', meeting_id, 'movedAt', updated_at,
    'livedAt', greatest(activated_at, checked_at, heard_at),
    'lastLeftAt', CASE connected WHEN 0 THEN last_left_at END)), '[]')
  FROM (SELECT * FROM unfinished UNION ALL SELECT * FROM unasked) AS due
)::text
FROM lease";

/// Writes what became of a page. Each change is a compare-and-set of its own; the sessions are locked in the order of
/// their ids, as every statement that takes several does; then meetings in the order of theirs, and the audit's heads in the
/// order of appointments.
const SETTLE: &str = "-- apply_reconciliation
WITH outcome AS (
  SELECT * FROM json_to_recordset($1::json) AS o (id uuid, fate text)
), locked AS MATERIALIZED (
  SELECT s.id, outcome.fate
  FROM public.video_call_sessions s JOIN outcome ON outcome.id = s.id
  ORDER BY s.id
  FOR UPDATE OF s
), changed AS (
  UPDATE public.video_call_sessions s
  SET status = CASE locked.fate WHEN 'abandoned' THEN 'failed' ELSE 'ended' END,
      attempt_by = NULL, updated_at = $2, connected = 0, events_read = locked.fate = 'abandoned',
      ended_at = CASE locked.fate WHEN 'ended' THEN s.updated_at ELSE $2 END,
      end_reason = coalesce(s.end_reason, CASE locked.fate
        WHEN 'abandoned' THEN 'start_abandoned' WHEN 'gone' THEN 'meeting_gone' ELSE 'ended_by_provider' END),
      duration_seconds = CASE WHEN locked.fate <> 'abandoned'
        THEN greatest(0, floor(extract(epoch FROM
          CASE locked.fate WHEN 'ended' THEN s.updated_at ELSE $2 END - coalesce(s.activated_at, $2))))::integer END
  FROM locked
  WHERE s.id = locked.id AND (
    (locked.fate = 'ended' AND s.status = 'ending')
    OR (locked.fate = 'gone' AND s.status = 'active')
    OR (locked.fate = 'abandoned' AND s.status = 'creating' AND s.updated_at <= $3))
  RETURNING s.*, locked.fate
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', left_at = changed.ended_at,
      duration_seconds = p.duration_seconds
        + greatest(0, floor(extract(epoch FROM changed.ended_at - coalesce(p.joined_at, changed.ended_at))))::integer
  FROM changed
  WHERE p.session_id = changed.id AND p.status IN ('joined', 'waiting')
), over AS MATERIALIZED (
  SELECT m.meeting_id FROM medzen.chime_meetings m JOIN changed ON changed.meeting_id = m.meeting_id
  WHERE m.over_at IS NULL
  ORDER BY m.meeting_id
  FOR UPDATE OF m
), meeting AS (
  UPDATE medzen.chime_meetings m SET over_at = $2 FROM over WHERE m.meeting_id = over.meeting_id
), noted AS (
  UPDATE public.video_call_sessions s
  SET checked_at = CASE WHEN locked.fate = 'live' THEN $2 ELSE s.checked_at END,
      last_attempt_at = CASE WHEN locked.fate = 'live' THEN NULL ELSE $2 END
  FROM locked
  WHERE s.id = locked.id AND (
    (locked.fate = 'live' AND s.status = 'active')
    OR (locked.fate = 'unknown' AND s.status IN ('active', 'ending')))
), audited AS (
  SELECT changed.fate, medzen.audit_append(
    'APPT#' || changed.appointment_id,
    $4::jsonb || jsonb_strip_nulls(jsonb_build_object(
      'event', CASE changed.fate WHEN 'abandoned' THEN $5::text ELSE $6::text END,
      'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
      'endedBy', changed.ended_by, 'reason', changed.end_reason, 'durationSeconds', changed.duration_seconds)),
    $2) AS seq,
    CASE WHEN changed.fate <> 'abandoned' AND changed.activated_at IS NOT NULL THEN medzen.tell($7, jsonb_build_object(
      'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'reason', changed.end_reason,
      'endedBy', changed.ended_by, 'durationSeconds', changed.duration_seconds,
      'userIds', medzen.call_member_ids(changed.id, changed.appointment_id)), changed.ended_at, NULL) END AS notice
  FROM (SELECT * FROM changed ORDER BY appointment_id) AS changed
)
SELECT json_build_object(
  'ended', count(*) FILTER (WHERE fate = 'ended' AND seq > 0),
  'gone', count(*) FILTER (WHERE fate = 'gone' AND seq > 0),
  'abandoned', count(*) FILTER (WHERE fate = 'abandoned' AND seq > 0),
  'notices', count(notice))::text
FROM audited";

/// Only who has the lease gives it back, and only as of its own time: an event that comes late finds it taken.
const RELEASE: &str = "-- reconcile_release
UPDATE medzen.leases SET until = $2 WHERE name = 'reconcile' AND holder = $1
RETURNING 'true'";

/// What became of a session in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// It was `ending` and its meeting has ended.
    Ended,
    /// It was active and Chime does not know its meeting any more.
    Gone,
    /// It was `creating` and nobody makes its meeting.
    Abandoned,
    /// It is active and its meeting lives.
    Live,
    /// Chime did not say, or could not: the next run tries again, others first.
    Unknown,
}

/// A session with its fate.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Outcome {
    /// Which.
    pub id: SessionId,
    /// What became of it.
    pub fate: RepairOutcome,
}

/// How many sessions were mended. Fewer than were tried where a request was quicker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RepairCounts {
    /// Ends that were finished.
    pub ended: u32,
    /// Calls that had ended unheard.
    pub gone: u32,
    /// Starts that came to nothing.
    pub abandoned: u32,
    /// Notices that wait to be told because of it.
    pub notices: u32,
}

/// How much a page may hold of each.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// Sessions that are `creating` or `ending`.
    pub unfinished: i64,
    /// Sessions that are active.
    pub unasked: i64,
}

impl Store {
    /// Takes or renews the lease until the given time and reads what is due and was not tried at this very `now`. `None`:
    /// another run has the lease. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reconcile_page(
        &self,
        size: PageSize,
        until: OffsetDateTime,
        origin: &Origin,
    ) -> Result<Option<Vec<Left>>, Error> {
        let (stuck, unasked) = (origin.now - STUCK, origin.now - UNASKED);
        self.ask(
            PAGE,
            &[
                (&origin.request_id, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&until, Type::TIMESTAMPTZ),
                (&stuck, Type::TIMESTAMPTZ),
                (&unasked, Type::TIMESTAMPTZ),
                (&size.unfinished, Type::INT8),
                (&size.unasked, Type::INT8),
            ],
        )
        .await
    }

    /// Writes what became of a page's sessions, with the audit entries of those that changed. ConsentCheck be repeated. One round
    /// trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn apply_reconciliation(&self, outcomes: &[Outcome], origin: &Origin) -> Result<RepairCounts, Error> {
        let stuck = origin.now - STUCK;
        let mended = self
            .ask(
                SETTLE,
                &[
                    (&Json(outcomes), Type::JSON),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&stuck, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::CallFailed.as_str(), Type::TEXT),
                    (&Event::CallEnded.as_str(), Type::TEXT),
                    (&Kind::CallEnded.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(mended.unwrap_or_default())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reconcile_release(&self, origin: &Origin) -> Result<(), Error> {
        let params = [(&origin.request_id as _, Type::TEXT), (&origin.now as _, Type::TIMESTAMPTZ)];
        self.ask::<bool>(RELEASE, &params).await?;
        Ok(())
    }
}
