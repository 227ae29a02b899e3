-- Requests the deletion of transcripts that are finished: of one ($1), or of those that finished before $2, the oldest first, at most $3; one
-- on which a legal hold stands is left as it is.
-- $4 now, $5 origin, $6 actor and $7 role, null for the expiry; $8 audit event.
WITH due AS (
  SELECT t.id, s.appointment_id, s.id AS session_id
  FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id
  WHERE t.finished_at IS NOT NULL AND t.deletion_requested_at IS NULL AND t.finished_at <= $2 AND ($1 IS NULL OR t.id = $1)
    AND NOT EXISTS (SELECT FROM medzen.legal_holds h WHERE h.appointment_id = s.appointment_id AND h.lifted_at IS NULL)
  ORDER BY t.finished_at, t.id
  LIMIT $3
), locked AS MATERIALIZED (
  SELECT due.* FROM due JOIN public.video_call_sessions s ON s.id = due.session_id ORDER BY s.id FOR NO KEY UPDATE OF s
), requested AS (
  UPDATE medzen.transcripts t SET deletion_requested_at = $4 FROM locked
  WHERE t.id = locked.id AND t.deletion_requested_at IS NULL AND t.finished_at <= $2
    AND NOT medzen.is_on_hold(locked.appointment_id)
  RETURNING t.id, locked.appointment_id, locked.session_id
), enqueued AS MATERIALIZED (
  SELECT requested.*, medzen.enqueue_operation('delete_transcript', requested.id::text, requested.session_id, '{}', $4, NULL) AS operation
  FROM (SELECT * FROM requested ORDER BY id) AS requested
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(appointment_id), $5 || jsonb_strip_nulls(jsonb_build_object(
    'event', $8::text, 'appointmentId', appointment_id, 'sessionId', session_id, 'transcriptId', id, 'actor', $6::uuid, 'role', $7::text,
    'reason', CASE WHEN $6 IS NULL THEN 'retention_ended' END)), $4) AS seq
  FROM (SELECT * FROM enqueued WHERE operation IS NOT NULL ORDER BY appointment_id, id) AS ordered
)
SELECT count(seq)::text FROM audited
