//! Chime's events: kept once each, and what is read out of them.
//!
//! A batch takes two trips. The first keeps the events and reads back everything that is known of their meetings; the second
//! writes what was read, if nobody wrote since: a session counts its readings, and who read an older state writes nothing
//! and reads again. So two batches at once about the same call lose no event, and no lock is held between trips.
//!
//! Tables are asked for an array of keys and not joined to the batch: PostgreSQL expects a hundred rows of anything that comes
//! as JSON, and for so many it reads thousands from end to end.

use domain::audit::Origin;
use domain::id::SessionId;
use domain::presence::{History, Reading, Told};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

/// What is read each time; everything else is read once, for its audit entry. So a camera that is switched all day costs
/// nothing. The fold goes by these alone (`domain::presence`).
macro_rules! presence_kinds {
    () => {
        "{AttendeeJoined,AttendeeLeft,AttendeeDropped,AttendeeDeleted,MeetingEnded}"
    };
}

/// All that is known of a session, as `domain::presence::History` reads it, over `session` and `event`.
macro_rules! history {
    () => {
        "(SELECT coalesce(json_agg(json_build_object(
  'id', session.id, 'status', session.status, 'version', session.events_version, 'unread', NOT session.events_read,
  'endAskedAt', CASE session.status WHEN 'ending' THEN session.updated_at END, 'endedAt', session.ended_at,
  'events', (
    SELECT coalesce(json_agg(json_build_object(
      'id', event.event_id, 'kind', event.kind, 'atMs', event.at_ms, 'attendeeId', event.attendee_id,
      'externalUserId', event.external_user_id, 'counted', event.session_id IS NOT NULL)), '[]')
    FROM event WHERE event.meeting_id = session.meeting_id),
  'participants', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', p.user_id, 'status', p.status, 'joinedAt', p.joined_at, 'leftAt', p.left_at,
      'durationSeconds', p.duration_seconds, 'connected', p.connected, 'connections', p.connections,
      'drops', p.drops)), '[]')
    FROM public.video_call_participants p WHERE p.session_id = session.id))), '[]')
FROM session)"
    };
}

/// What was just kept is not in the tables yet for the statement that keeps it, so it is added. What another batch keeps at
/// this moment is missing; then that batch writes later, or this one finds that it did. A meeting that is known is left
/// alone, so that batches about it do not wait for each other.
const ABSORB: &str = concat!(
    "-- insert_events
WITH told AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1) AS t (
    event_id text, meeting_id text, external_meeting_id text, control_region text, kind text, at_ms bigint,
    attendee_id text, external_user_id text)
), kept AS (
  INSERT INTO medzen.chime_events (
    event_id, meeting_id, kind, at_ms, attendee_id, external_user_id, received_at)
  SELECT event_id, meeting_id, kind, at_ms, attendee_id, external_user_id, $2 FROM told ORDER BY event_id
  ON CONFLICT (event_id) DO NOTHING
  RETURNING event_id, meeting_id, kind, at_ms, attendee_id, external_user_id, session_id
), known AS MATERIALIZED (
  SELECT m.meeting_id FROM medzen.chime_meetings m WHERE m.meeting_id = ANY (ARRAY (SELECT meeting_id FROM told))
), learnt AS (
  INSERT INTO medzen.chime_meetings AS known (
    meeting_id, external_meeting_id, control_region, heard_at, over_at)
  SELECT meeting_id, max(external_meeting_id), max(control_region), $2,
    CASE WHEN bool_or(kind = 'MeetingEnded') THEN $2 END
  FROM told
  WHERE kind = 'MeetingEnded'
    OR (external_meeting_id IS NOT NULL AND meeting_id NOT IN (SELECT meeting_id FROM known))
  GROUP BY meeting_id ORDER BY meeting_id
  ON CONFLICT (meeting_id) DO UPDATE SET over_at = excluded.over_at
  WHERE known.over_at IS NULL AND excluded.over_at IS NOT NULL
), session AS (
  SELECT s.* FROM public.video_call_sessions s WHERE s.meeting_id = ANY (ARRAY (SELECT meeting_id FROM told))
), event AS (
  SELECT e.event_id, e.meeting_id, e.kind, e.at_ms, e.attendee_id, e.external_user_id, e.session_id
  FROM medzen.chime_events e
  WHERE e.meeting_id IN (SELECT meeting_id FROM session)
    AND (e.session_id IS NULL OR e.kind = ANY ('", presence_kinds!(), "'))
  UNION ALL
  SELECT * FROM kept
)
SELECT json_build_object('suppressed', EXISTS (
  SELECT FROM medzen.notices WHERE told_at IS NULL AND (leased_until IS NULL OR leased_until <= $2)), 'sessions', ",
    history!(),
    ")::text"
);

/// Sessions whose events must be read again because they ended, and those of events that nobody has counted for a minute
/// ($2): whoever kept them did not live to, or did not know the session yet; and those that are named ($3).
const UNREAD: &str = concat!(
    "-- stale_sessions
WITH ended AS (
  SELECT s.id FROM public.video_call_sessions s WHERE NOT s.events_read ORDER BY s.updated_at, s.id LIMIT $1
), uncounted AS (
  SELECT s.id FROM medzen.chime_events e
  JOIN public.video_call_sessions s ON s.meeting_id = e.meeting_id
  WHERE e.session_id IS NULL AND e.received_at <= $2
  GROUP BY s.id ORDER BY min(e.received_at), s.id LIMIT $1
), session AS (
  SELECT s.* FROM public.video_call_sessions s
  WHERE s.id = ANY (ARRAY (SELECT id FROM ended UNION SELECT id FROM uncounted))
    OR s.id = ANY ($3::text[]::uuid[])
), event AS (
  SELECT e.event_id, e.meeting_id, e.kind, e.at_ms, e.attendee_id, e.external_user_id, e.session_id
  FROM medzen.chime_events e
  WHERE e.meeting_id IN (SELECT meeting_id FROM session)
    AND (e.session_id IS NULL OR e.kind = ANY ('",
    presence_kinds!(),
    "'))
)
SELECT ",
    history!(),
    "::text"
);

/// How long whoever keeps an event has to count it: more than any batch takes.
const LEFT: Duration = Duration::minutes(1);

/// Writes readings. Sessions are locked in the order of their ids, the audit's heads after them in the order of
/// appointments. A row of a participant that moved meanwhile is left, and counted as missing. A session that this closes is
/// to be read once more: who joined in the same moment is in no row that this statement sees.
const SETTLE: &str = "-- apply_projection
WITH reading AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1) AS r (
    session_id uuid, version integer, status text, connected integer, last_left_at timestamptz, heard_at timestamptz,
    greatest integer, over_at timestamptz, events text[], entries jsonb, people jsonb)
), locked AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s WHERE s.id = ANY (ARRAY (SELECT session_id FROM reading))
  ORDER BY s.id
  FOR UPDATE
), changed AS (
  UPDATE public.video_call_sessions s
  SET events_version = s.events_version + 1, events_read = reading.over_at IS NULL,
      connected = reading.connected, last_left_at = reading.last_left_at,
      heard_at = greatest(s.heard_at, reading.heard_at), max_participants_reached = reading.greatest,
      status = CASE WHEN reading.over_at IS NULL THEN s.status ELSE 'ended' END,
      updated_at = CASE WHEN reading.over_at IS NULL THEN s.updated_at ELSE $2 END,
      ended_at = coalesce(reading.over_at, s.ended_at),
      end_reason = CASE WHEN reading.over_at IS NULL THEN s.end_reason ELSE coalesce(s.end_reason, 'meeting_ended') END,
      duration_seconds = CASE WHEN reading.over_at IS NULL THEN s.duration_seconds ELSE
        greatest(0, floor(extract(epoch FROM reading.over_at - coalesce(s.activated_at, reading.over_at))))::integer END
  FROM locked JOIN reading ON reading.session_id = locked.id
  WHERE s.id = locked.id AND s.events_version = reading.version AND s.status = reading.status
  RETURNING s.id, s.appointment_id, s.meeting_id, s.ended_by, s.end_reason, s.duration_seconds, s.ended_at,
    reading.over_at, reading.events, reading.entries, reading.people
), person AS (
  SELECT changed.id AS session_id, p.*
  FROM changed, jsonb_to_recordset(changed.people) AS p (
    user_id uuid, status text, joined_at timestamptz, left_at timestamptz, duration_seconds integer,
    connected boolean, connections integer, drops integer, was_status text, was_joined_at timestamptz, was_left_at timestamptz)
), participant AS (
  UPDATE public.video_call_participants p
  SET status = person.status, joined_at = person.joined_at, left_at = person.left_at,
      duration_seconds = person.duration_seconds, connected = person.connected, connections = person.connections,
      drops = person.drops
  FROM person
  WHERE p.session_id = ANY (ARRAY (SELECT id FROM changed)) AND p.session_id = person.session_id AND p.user_id = person.user_id AND p.status = person.was_status
    AND p.joined_at IS NOT DISTINCT FROM person.was_joined_at AND p.left_at IS NOT DISTINCT FROM person.was_left_at
  RETURNING p.session_id
), counted AS (
  UPDATE medzen.chime_events e SET session_id = changed.id
  FROM changed WHERE e.event_id = ANY (changed.events) AND e.session_id IS NULL
  RETURNING e.event_id
), entry AS (
  SELECT changed.appointment_id, e.at_ms, e.event_id, jsonb_strip_nulls(jsonb_build_object(
    'event', e.name, 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
    'userId', e.user_id, 'attendeeId', e.attendee_id, 'happenedAt', e.happened_at, 'eventId', e.event_id)) AS payload
  FROM changed, jsonb_to_recordset(changed.entries) AS e (
    event_id text, name text, user_id uuid, attendee_id text, happened_at text, at_ms bigint)
  WHERE e.event_id IN (SELECT event_id FROM counted)
  UNION ALL
  SELECT appointment_id, NULL, NULL, jsonb_strip_nulls(jsonb_build_object(
    'event', $4::text, 'appointmentId', appointment_id, 'sessionId', id, 'meetingId', meeting_id,
    'endedBy', ended_by, 'reason', end_reason, 'endedAt', ended_at, 'durationSeconds', duration_seconds))
  FROM changed WHERE over_at IS NOT NULL
), audited AS (
  SELECT count(medzen.audit_append('APPT#' || appointment_id, $3::jsonb || payload, $2)) AS entries
  FROM (SELECT * FROM entry ORDER BY appointment_id, at_ms NULLS LAST, event_id) AS ordered
), told AS (
  SELECT count(medzen.tell($5, jsonb_build_object(
    'appointmentId', appointment_id, 'sessionId', id, 'reason', end_reason, 'endedBy', ended_by,
    'durationSeconds', duration_seconds, 'userIds', medzen.call_member_ids(id, appointment_id)), over_at, NULL)) AS notices
  FROM changed WHERE over_at IS NOT NULL
)
SELECT json_build_object(
  'entries', (SELECT entries FROM audited),
  'notices', (SELECT notices FROM told),
  'written', (SELECT coalesce(json_agg(json_build_object(
    'session', changed.id,
    'people', (SELECT count(*) FROM participant WHERE participant.session_id = changed.id),
    'closed', changed.over_at IS NOT NULL)), '[]') FROM changed))::text";

/// An event as the first statement takes it.
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

/// What is known after a batch was kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Absorbed {
    /// The sessions that it concerns.
    pub sessions: Vec<History>,
    /// Whether notices wait to be told, of whichever call.
    pub suppressed: bool,
}

/// What was written.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Settled {
    /// How many audit entries that made.
    pub entries: u32,
    /// How many notices wait to be told because of it.
    pub notices: u32,
    /// The sessions that nobody had read meanwhile.
    pub written: Vec<Written>,
}

/// A session whose reading was written.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Written {
    /// Which.
    pub session: SessionId,
    /// How many of its people's rows: fewer than the reading has, where some moved meanwhile.
    pub people: usize,
    /// Whether that closed it.
    pub closed: bool,
}

impl Store {
    /// Keeps events that are not kept yet, and reads all that is known of the sessions of their meetings. ConsentCheck be repeated.
    /// One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn insert_events(&self, told: &[Told], now: OffsetDateTime) -> Result<Absorbed, Error> {
        let rows: Vec<Row<'_>> = told
            .iter()
            .map(|told| Row {
                event_id: &told.event.id,
                meeting_id: told.meeting.to_string(),
                external_meeting_id: told.external_meeting_id.as_deref(),
                control_region: &told.control_region,
                kind: told.event.kind.as_str(),
                at_ms: told.event.at_ms,
                attendee_id: told.event.attendee_id.as_deref(),
                external_user_id: told.event.external_user_id.as_deref(),
            })
            .collect();
        let params = [(&Json(rows) as _, Type::JSONB), (&now as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(ABSORB, &params).await?.unwrap_or_default())
    }

    /// Sessions whose events must be read again, so many at most of those that ended and of those with events that were
    /// left for a minute, and those that are to be read again; with all that is known of them. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stale_sessions(
        &self,
        most: i64,
        again: &[SessionId],
        now: OffsetDateTime,
    ) -> Result<Vec<History>, Error> {
        let before = now - LEFT;
        let again: Vec<String> = again.iter().map(ToString::to_string).collect();
        let params =
            [(&most as _, Type::INT8), (&before as _, Type::TIMESTAMPTZ), (&again as _, Type::TEXT_ARRAY)];
        Ok(self.ask(UNREAD, &params).await?.unwrap_or_default())
    }

    /// Writes what was read, with an audit entry for each event that tells what became of a person, and closes calls whose
    /// meeting has ended. What it does not name as written is to be read again. ConsentCheck be repeated. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn apply_projection(&self, readings: &[Reading], origin: &Origin) -> Result<Settled, Error> {
        let settled = self
            .ask(
                SETTLE,
                &[
                    (&Json(readings), Type::JSONB),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&domain::audit::Event::CallEnded.as_str(), Type::TEXT),
                    (&domain::outbound::EventType::CallEnded.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(settled.unwrap_or_default())
    }
}
