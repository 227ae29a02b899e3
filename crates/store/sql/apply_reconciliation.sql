-- Writes the outcomes ($1) of a page. Each change is a compare-and-set of its own. Sessions are locked in the order of their
-- ids, as every statement that takes several does; then meetings in the order of theirs, and the audit's heads in the order of
-- appointments. $2 now, $3 the newest updated_at of a stalled start, $4 origin, $5 and $6 audit events, $7 detail type.
WITH outcome AS (
  SELECT * FROM json_to_recordset($1) AS o (id uuid, outcome text)
), locked AS MATERIALIZED (
  SELECT s.id, outcome.outcome
  FROM public.video_call_sessions s JOIN outcome ON outcome.id = s.id
  ORDER BY s.id
  FOR UPDATE OF s
), ended AS MATERIALIZED (
  SELECT id, CASE outcome WHEN 'meeting_gone' THEN medzen.reported_end(id) END AS reported_at FROM locked
), changed AS (
  UPDATE public.video_call_sessions s
  SET status = CASE locked.outcome WHEN 'start_failed' THEN 'failed' ELSE 'ended' END,
      attempt_by = NULL, updated_at = $2, connected_count = 0, projection_stale = locked.outcome <> 'start_failed',
      ended_at = CASE locked.outcome WHEN 'end_finished' THEN s.updated_at ELSE coalesce(ended.reported_at, $2) END,
      end_reason = CASE locked.outcome WHEN 'start_failed' THEN NULL ELSE coalesce(
        s.end_reason, CASE WHEN ended.reported_at IS NULL THEN 'meeting_gone' ELSE 'meeting_ended' END) END,
      error_message = CASE locked.outcome WHEN 'start_failed' THEN 'start_abandoned' END,
      duration_seconds = CASE WHEN locked.outcome <> 'start_failed' THEN medzen.seconds_between(
        s.activated_at,
        CASE locked.outcome WHEN 'end_finished' THEN s.updated_at ELSE coalesce(ended.reported_at, $2) END) END
  FROM locked JOIN ended ON ended.id = locked.id
  WHERE s.id = locked.id AND (
    (locked.outcome = 'end_finished' AND s.status = 'ending')
    OR (locked.outcome = 'meeting_gone' AND s.status = 'active')
    OR (locked.outcome = 'start_failed' AND s.status = 'creating' AND s.updated_at <= $3))
  RETURNING s.*, locked.outcome, ended.reported_at
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', left_at = changed.ended_at,
      duration_seconds = p.duration_seconds + medzen.seconds_between(p.joined_at, changed.ended_at)
  FROM changed
  WHERE p.video_call_id = changed.id AND p.status IN ('joined', 'waiting')
), over AS MATERIALIZED (
  SELECT m.meeting_id FROM medzen.chime_meetings m JOIN changed ON changed.meeting_id = m.meeting_id
  WHERE m.ended_at IS NULL
  ORDER BY m.meeting_id
  FOR UPDATE OF m
), meeting AS (
  UPDATE medzen.chime_meetings m SET ended_at = $2 FROM over WHERE m.meeting_id = over.meeting_id
), void AS (
  UPDATE medzen.pending_operations o SET completed_at = $2
  FROM changed
  WHERE o.session_id = changed.id AND o.completed_at IS NULL
    AND o.operation IN ('delete_attendee', 'update_capabilities', 'delete_meeting', 'verify_meeting')
), end_denied AS (
  UPDATE medzen.pending_operations o SET completed_at = $2, leased_until = NULL
  FROM locked
  WHERE o.session_id = locked.id AND locked.outcome = 'live' AND o.completed_at IS NULL
    -- One without a lease was inserted after Chime was asked.
    AND o.operation = 'verify_meeting' AND o.leased_until IS NOT NULL
), verified AS (
  UPDATE public.video_call_sessions s
  SET checked_at = CASE WHEN locked.outcome = 'live' THEN $2 ELSE s.checked_at END,
      last_attempt_at = CASE WHEN locked.outcome = 'live' THEN NULL ELSE $2 END
  FROM locked
  WHERE s.id = locked.id AND s.status = 'active' AND locked.outcome IN ('live', 'unknown')
), audited AS (
  SELECT changed.outcome, changed.reported_at, medzen.audit_append(
    medzen.appointment_chain(changed.appointment_id),
    $4 || jsonb_strip_nulls(jsonb_build_object(
      'event', CASE changed.outcome WHEN 'start_failed' THEN $5::text ELSE $6::text END,
      'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
      'endedBy', changed.ended_by, 'reason', coalesce(changed.error_message, changed.end_reason),
      'durationSeconds', changed.duration_seconds)),
    $2) AS seq,
    CASE WHEN changed.outcome <> 'start_failed' AND changed.activated_at IS NOT NULL
      THEN medzen.enqueue_event($7, changed.id, jsonb_build_object(
        'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'reason', changed.end_reason,
        'endedBy', changed.ended_by, 'durationSeconds', changed.duration_seconds,
        'userIds', medzen.call_member_ids(changed.id, changed.appointment_id)), changed.ended_at, $2, NULL) END AS operation
  FROM (SELECT * FROM changed ORDER BY appointment_id) AS changed
)
SELECT json_build_object(
  'endsFinished', count(*) FILTER (WHERE outcome = 'end_finished' AND seq > 0),
  'endedWithoutEvent', count(*) FILTER (WHERE outcome = 'meeting_gone' AND reported_at IS NULL AND seq > 0),
  'endsConfirmed', count(*) FILTER (WHERE outcome = 'meeting_gone' AND reported_at IS NOT NULL AND seq > 0),
  'startsFailed', count(*) FILTER (WHERE outcome = 'start_failed' AND seq > 0),
  'eventsEnqueued', count(operation))::text
FROM audited
