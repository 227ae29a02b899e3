-- Deletes the text of a transcript ($1) whose deletion was requested, at $2, with its audit entry. $3 origin, $4 audit event.
-- Returns false, and deletes nothing, while a legal hold stands on its appointment.
WITH deleted AS (
  UPDATE medzen.transcripts t SET deleted_at = $2 FROM public.video_call_sessions s
  WHERE t.id = $1 AND t.deletion_requested_at IS NOT NULL AND t.deleted_at IS NULL
    AND s.id = t.session_id AND NOT medzen.is_on_hold(s.appointment_id)
  RETURNING t.id, t.session_id
), text AS (
  DELETE FROM medzen.transcript_segments g USING deleted WHERE g.transcript_id = deleted.id
), files AS (
  DELETE FROM medzen.transcript_chunks k USING deleted, medzen.media_captures c
  WHERE c.session_id = deleted.session_id AND k.capture_id = c.id
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(s.appointment_id), $3 || jsonb_build_object(
    'event', $4::text, 'appointmentId', s.appointment_id, 'sessionId', s.id, 'transcriptId', deleted.id), $2) AS seq
  FROM deleted JOIN public.video_call_sessions s ON s.id = deleted.session_id
)
SELECT 'true' FROM audited WHERE seq > 0
UNION ALL
SELECT 'false' FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id
WHERE t.id = $1 AND t.deleted_at IS NULL AND medzen.is_on_hold(s.appointment_id)
