-- Ends a session that is in the state $2, and every participant's part in it. A call has ended when its end was requested,
-- however much later the request is finished; a call whose meeting is gone, when an event claimed. Open operations on the meeting are void. The request publishes the event
-- before $9.
WITH locked AS MATERIALIZED (
  SELECT id, status FROM public.video_call_sessions WHERE id = $1 AND status = $2 FOR UPDATE
), ended AS MATERIALIZED (
  SELECT id, CASE status WHEN 'active' THEN medzen.reported_end(id) END AS reported_at FROM locked
), changed AS (
  UPDATE public.video_call_sessions s
  SET status = 'ended', attempt_by = NULL, updated_at = $3, connected_count = 0, projection_stale = s.activated_at IS NOT NULL,
      ended_at = CASE s.status WHEN 'ending' THEN s.updated_at ELSE coalesce(ended.reported_at, $3) END,
      end_reason = coalesce(s.end_reason, CASE WHEN ended.reported_at IS NULL THEN $4 ELSE 'meeting_ended' END),
      ended_by = coalesce(s.ended_by, $5),
      duration_seconds = medzen.seconds_between(
        s.activated_at, CASE s.status WHEN 'ending' THEN s.updated_at ELSE coalesce(ended.reported_at, $3) END)
  FROM ended
  WHERE s.id = ended.id AND s.status = $2
  RETURNING s.*
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', left_at = changed.ended_at,
      duration_seconds = p.duration_seconds + medzen.seconds_between(p.joined_at, changed.ended_at)
  FROM changed
  WHERE p.video_call_id = changed.id AND p.status IN ('joined', 'waiting')
), meeting AS (
  UPDATE medzen.chime_meetings m SET ended_at = $3
  FROM changed WHERE m.meeting_id = changed.meeting_id AND m.ended_at IS NULL
), void AS (
  UPDATE medzen.pending_operations o SET completed_at = $3
  FROM changed
  WHERE o.session_id = changed.id AND o.completed_at IS NULL
    AND o.operation IN ('delete_attendee', 'update_capabilities', 'delete_meeting', 'verify_meeting')
), published AS MATERIALIZED (
  SELECT medzen.enqueue_event($8, changed.id, jsonb_build_object(
    'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'reason', changed.end_reason,
    'endedBy', changed.ended_by, 'durationSeconds', changed.duration_seconds,
    'userIds', medzen.call_member_ids(changed.id, changed.appointment_id)), changed.ended_at, $3, $9) AS operation
  FROM changed WHERE changed.activated_at IS NOT NULL
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(changed.appointment_id), $6 || jsonb_strip_nulls(jsonb_build_object(
    'event', $7::text, 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
    'actor', changed.ended_by, 'reason', changed.end_reason, 'durationSeconds', changed.duration_seconds)), $3) AS seq
  FROM changed
)
SELECT json_build_object('endedAt', changed.ended_at, 'durationSeconds', changed.duration_seconds,
  'event', (SELECT operation FROM published))::text
FROM changed, audited
