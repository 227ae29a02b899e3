-- Writes projections ($1) of sessions whose version is still the one that was read. Sessions are locked in the order of their
-- ids, the audit's heads after them in the order of appointments. A participant's row that changed meanwhile is left as it is,
-- and the caller finds it missing in the count. A session that this closes is projected once more: a join of the same moment
-- is in no row that this statement sees.
--
-- An event that closes a session is believed and not verified. So the meeting is not marked as ended, its deletion is enqueued, and
-- the deletions of attendees stay open: a meeting that lives on has no owner any more.
WITH projection AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1) AS r (
    session_id uuid, version integer, status text, connected_count integer, last_left_at timestamptz,
    last_event_at timestamptz, max_participants integer, closes_at timestamptz, end_to_verify timestamptz,
    events text[], entries jsonb, participants jsonb)
), locked AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s WHERE s.id = ANY (ARRAY (SELECT session_id FROM projection))
  ORDER BY s.id
  FOR UPDATE
), changed AS (
  UPDATE public.video_call_sessions s
  SET projection_version = s.projection_version + 1, projection_stale = projection.closes_at IS NOT NULL,
      connected_count = projection.connected_count, last_left_at = projection.last_left_at,
      last_event_at = greatest(s.last_event_at, projection.last_event_at),
      max_participants_reached = projection.max_participants,
      status = CASE WHEN projection.closes_at IS NULL THEN s.status ELSE 'ended' END,
      updated_at = CASE WHEN projection.closes_at IS NULL THEN s.updated_at ELSE $2 END,
      ended_at = coalesce(projection.closes_at, s.ended_at),
      end_reason = CASE WHEN projection.closes_at IS NULL THEN s.end_reason
        ELSE coalesce(s.end_reason, 'meeting_ended') END,
      duration_seconds = CASE WHEN projection.closes_at IS NULL THEN s.duration_seconds
        ELSE medzen.seconds_between(s.activated_at, projection.closes_at) END
  FROM locked JOIN projection ON projection.session_id = locked.id
  WHERE s.id = locked.id AND s.projection_version = projection.version AND s.status = projection.status
  RETURNING s.id, s.appointment_id, s.meeting_id, s.ended_by, s.end_reason, s.duration_seconds, s.ended_at,
    s.control_region, projection.closes_at, projection.end_to_verify, projection.events, projection.entries, projection.participants
), update AS (
  SELECT changed.id AS session_id, p.*
  FROM changed, jsonb_to_recordset(changed.participants) AS p (
    user_id uuid, status text, joined_at timestamptz, left_at timestamptz, duration_seconds integer, connected boolean,
    connections integer, drops integer, was_status text, was_joined_at timestamptz, was_left_at timestamptz)
), participant AS (
  UPDATE public.video_call_participants p
  SET status = update.status, joined_at = update.joined_at, left_at = update.left_at,
      duration_seconds = update.duration_seconds, connected = update.connected, connections = update.connections,
      drops = update.drops
  FROM update
  WHERE p.video_call_id = ANY (ARRAY (SELECT id FROM changed))
    AND p.video_call_id = update.session_id AND p.user_id = update.user_id AND p.status = update.was_status
    AND p.joined_at IS NOT DISTINCT FROM update.was_joined_at AND p.left_at IS NOT DISTINCT FROM update.was_left_at
  RETURNING p.video_call_id
), applied AS (
  UPDATE medzen.chime_events e SET session_id = changed.id
  FROM changed WHERE e.event_id = ANY (changed.events) AND e.session_id IS NULL
  RETURNING e.event_id
), void AS (
  UPDATE medzen.pending_operations o SET completed_at = $2
  FROM changed
  WHERE o.session_id = changed.id AND changed.closes_at IS NOT NULL AND o.completed_at IS NULL
    AND o.operation IN ('update_capabilities', 'verify_meeting')
), deleted AS MATERIALIZED (
  SELECT count(medzen.enqueue_operation('delete_meeting', meeting_id, id,
    jsonb_build_object('controlRegion', control_region, 'orphan', true), $2, NULL)) AS operations
  FROM (SELECT * FROM changed WHERE closes_at IS NOT NULL ORDER BY meeting_id) AS ordered
), to_verify AS MATERIALIZED (
  SELECT count(medzen.enqueue_operation('verify_meeting', meeting_id, id,
    jsonb_build_object('controlRegion', control_region, 'endedAt', end_to_verify), $2, NULL)) AS operations
  FROM (SELECT * FROM changed WHERE end_to_verify IS NOT NULL ORDER BY meeting_id) AS ordered
), entry AS (
  SELECT changed.appointment_id, e.at_ms, e.event_id, jsonb_strip_nulls(jsonb_build_object(
    'event', e.name, 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
    'userId', e.user_id, 'attendeeId', e.attendee_id, 'happenedAt', e.happened_at,
    'reportedAt', e.reported_at, 'eventId', e.event_id)) AS payload
  FROM changed, jsonb_to_recordset(changed.entries) AS e (
    event_id text, name text, user_id uuid, attendee_id text, happened_at text, at_ms bigint,
    reported_at text)
  WHERE e.event_id IN (SELECT event_id FROM applied)
  UNION ALL
  SELECT appointment_id, NULL, NULL, jsonb_strip_nulls(jsonb_build_object(
    'event', $4::text, 'appointmentId', appointment_id, 'sessionId', id, 'meetingId', meeting_id,
    'endedBy', ended_by, 'reason', end_reason, 'endedAt', ended_at, 'durationSeconds', duration_seconds))
  FROM changed WHERE closes_at IS NOT NULL
), published AS MATERIALIZED (
  SELECT count(medzen.enqueue_event($5, id, jsonb_build_object(
    'appointmentId', appointment_id, 'sessionId', id, 'reason', end_reason, 'endedBy', ended_by,
    'durationSeconds', duration_seconds, 'userIds', medzen.call_member_ids(id, appointment_id)), closes_at, $2, NULL)) AS events
  FROM changed WHERE closes_at IS NOT NULL
), audited AS MATERIALIZED (
  SELECT count(medzen.audit_append(medzen.appointment_chain(appointment_id), $3 || payload, $2)) AS entries
  FROM (SELECT * FROM entry ORDER BY appointment_id, at_ms NULLS LAST, event_id) AS ordered
)
SELECT json_build_object(
  'eventsEnqueued', (SELECT events FROM published),
  'applied', (SELECT coalesce(json_agg(json_build_object(
    'session', changed.id,
    'participants', (SELECT count(*) FROM participant WHERE participant.video_call_id = changed.id))), '[]')
    FROM changed))::text
FROM audited, to_verify, deleted
