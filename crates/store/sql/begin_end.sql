-- The deletion of the meeting is enqueued with the change; this request executes it until $6. $2 is the provider who ends the
-- call; null: the system, for the reason $7.
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'ending', end_reason = $7, ended_by = $2, updated_at = $3
  WHERE id = $1 AND status = 'active'
  RETURNING *
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation('delete_meeting', changed.meeting_id, changed.id,
    jsonb_build_object('controlRegion', changed.control_region, 'orphan', false), $3, $6) AS operation
  FROM changed
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(changed.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
    'actor', $2::uuid, 'role', CASE WHEN $2 IS NOT NULL THEN 'provider' END,
    'reason', CASE WHEN $2 IS NULL THEN $7 END)), $3) AS seq
  FROM changed
)
SELECT 'true' FROM enqueued, audited
