-- Completes the deletion of a recording ($1) at $2, with its audit entry. $3 origin, $4 audit event.
WITH deleted AS (
  UPDATE medzen.recordings r SET deleted_at = $2
  WHERE r.id = $1 AND r.deletion_requested_at IS NOT NULL AND r.deleted_at IS NULL
  RETURNING r.id, r.session_id
), segment AS (
  UPDATE medzen.recording_segments g
  SET status = 'deleted', changed_at = $2, chunks_deleted_at = coalesce(g.chunks_deleted_at, $2)
  FROM deleted WHERE g.recording_id = deleted.id
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(s.appointment_id), $3 || jsonb_build_object(
    'event', $4::text, 'appointmentId', s.appointment_id, 'sessionId', s.id, 'recordingId', deleted.id), $2) AS seq
  FROM deleted JOIN public.video_call_sessions s ON s.id = deleted.session_id
)
SELECT 'true' FROM audited WHERE seq > 0
