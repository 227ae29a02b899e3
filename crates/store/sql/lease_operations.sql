-- Leases due operations of an executor ($1), of the named kinds ($2), for the schedule: those with the oldest attempt first, at
-- most $5. $3 now, $4 until. Runs at once skip each other's rows.
WITH due AS (
  SELECT id FROM medzen.pending_operations
  WHERE completed_at IS NULL AND executor = $1 AND operation = ANY ($2) AND not_before <= $3
    AND (leased_until IS NULL OR leased_until <= $3)
  ORDER BY last_attempt_at NULLS FIRST, created_at, id
  LIMIT $5
  FOR UPDATE SKIP LOCKED
), leased AS (
  UPDATE medzen.pending_operations o
  SET leased_until = $4, attempts = o.attempts + 1, last_attempt_at = $3
  FROM due WHERE o.id = due.id
  RETURNING o.*
)
SELECT coalesce(json_agg(json_build_object(
  'id', id, 'operation', operation, 'target', target, 'sessionId', session_id, 'attempts', attempts, 'payload', payload)
  ORDER BY created_at, id), '[]')::text
FROM leased
