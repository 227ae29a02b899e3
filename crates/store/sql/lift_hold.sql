-- Lifts the legal hold that stands on what is kept of an appointment ($1), with its audit entry, and enqueues the pass over its files. $2
-- auditor, $3 now, $4 origin, $5 audit event. The sessions are locked for medzen.is_on_hold.
WITH session AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s WHERE s.appointment_id = $1 ORDER BY s.id FOR NO KEY UPDATE
), lifted AS (
  UPDATE medzen.legal_holds h SET lifted_at = $3, lifted_by = $2, entries_applied = 0, entries_applied_at = NULL
  WHERE h.appointment_id = $1 AND h.lifted_at IS NULL AND (SELECT count(*) FROM session) >= 0
  RETURNING h.appointment_id, h.reason, h.lifted_by
), enqueued AS MATERIALIZED (
  SELECT lifted.*, medzen.enqueue_hold(lifted.appointment_id, $3) AS files FROM lifted
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(appointment_id), $4 || jsonb_build_object(
    'event', $5::text, 'appointmentId', appointment_id, 'actor', lifted_by, 'role', 'auditor', 'holdReason', reason), $3) AS seq
  FROM enqueued WHERE files IS NOT NULL
)
SELECT 'true' FROM audited WHERE seq > 0
