-- Places a legal hold on what is kept of an appointment ($1), unless one stands, with its audit entry, and enqueues the pass over its
-- files. $2 reason, $3 auditor, $4 now, $5 origin, $6 audit event. The sessions are locked for medzen.is_on_hold.
WITH session AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s WHERE s.appointment_id = $1 ORDER BY s.id FOR NO KEY UPDATE
), placed AS (
  INSERT INTO medzen.legal_holds (appointment_id, reason, placed_at, placed_by)
  SELECT $1, $2, $4, $3 WHERE (SELECT count(*) FROM session) >= 0
  ON CONFLICT (appointment_id) WHERE lifted_at IS NULL DO NOTHING
  RETURNING appointment_id, reason, placed_by
), enqueued AS MATERIALIZED (
  SELECT placed.*, medzen.enqueue_hold(placed.appointment_id, $4) AS files FROM placed
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(appointment_id), $5 || jsonb_build_object(
    'event', $6::text, 'appointmentId', appointment_id, 'actor', placed_by, 'role', 'auditor', 'holdReason', reason), $4) AS seq
  FROM enqueued WHERE files IS NOT NULL
)
SELECT 'true' FROM audited WHERE seq > 0
