-- Only the attempt that was read: another request may have taken over and may be about to succeed.
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'failed', attempt_by = NULL, error_message = $2, ended_at = $3, updated_at = $3
  WHERE id = $1 AND status = 'creating' AND attempt = $7
  RETURNING *
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(changed.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', changed.appointment_id, 'sessionId', changed.id,
    'actor', $6::uuid, 'reason', changed.error_message)), $3) AS seq
  FROM changed
)
SELECT 'true' FROM audited
