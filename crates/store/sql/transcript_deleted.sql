-- Deletes the text of a transcript ($1) whose deletion was requested, at $2, with its audit entry. $3 origin, $4 audit event.
-- Returns false, and deletes nothing, while a legal hold stands on its appointment.
-- The session is locked for medzen.is_on_hold.
WITH live AS MATERIALIZED (
  SELECT s.id, s.appointment_id FROM public.video_call_sessions s
  WHERE s.id = (SELECT t.session_id FROM medzen.transcripts t WHERE t.id = $1) FOR NO KEY UPDATE
), hold AS MATERIALIZED (
  SELECT live.*, medzen.is_on_hold(live.appointment_id) AS stands FROM live
), deleted AS (
  UPDATE medzen.transcripts t SET deleted_at = $2 FROM hold
  WHERE t.id = $1 AND t.session_id = hold.id AND NOT hold.stands
    AND t.deletion_requested_at IS NOT NULL AND t.deleted_at IS NULL
  RETURNING t.id, t.session_id, hold.appointment_id
), text AS (
  DELETE FROM medzen.transcript_segments g USING deleted WHERE g.transcript_id = deleted.id
), entities AS (
  DELETE FROM medzen.transcript_entities e USING deleted WHERE e.transcript_id = deleted.id
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(appointment_id), $3 || jsonb_build_object(
    'event', $4::text, 'appointmentId', appointment_id, 'sessionId', session_id, 'transcriptId', id), $2) AS seq
  FROM deleted
)
SELECT 'true' FROM audited WHERE seq > 0
UNION ALL
SELECT 'false' FROM hold WHERE stands
