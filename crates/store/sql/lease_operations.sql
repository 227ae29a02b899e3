-- Leases due operations of an executor ($1), of the named kinds ($2), for the schedule: those with the oldest attempt
-- first, at most $5. $3 now, $4 until. Concurrent runs skip each other's rows. Among operations that were not
-- attempted yet, those that disconnect a participant or place a legal hold come first, and the deletion of a meeting whose provider
-- has left comes last.
WITH due AS (
  SELECT id, row_number() OVER (ORDER BY last_attempt_at NULLS FIRST, rank, created_at, id) AS place
  FROM (
    SELECT id, last_attempt_at, created_at,
      CASE WHEN operation IN ('delete_attendee', 'apply_hold') OR payload ->> 'orphan' = 'true' THEN 1
        WHEN operation = 'delete_meeting' THEN 3 ELSE 2 END AS rank
    FROM medzen.pending_operations
    WHERE completed_at IS NULL AND executor = $1 AND operation = ANY ($2) AND not_before <= $3
      AND (leased_until IS NULL OR leased_until <= $3)
    ORDER BY last_attempt_at NULLS FIRST, rank, created_at, id
    LIMIT $5
    FOR UPDATE SKIP LOCKED
  ) AS locked
), leased AS (
  UPDATE medzen.pending_operations o
  SET leased_until = $4, attempts = o.attempts + 1, last_attempt_at = $3
  FROM due WHERE o.id = due.id
  RETURNING o.*, due.place
)
SELECT coalesce(json_agg(json_build_object(
  'id', id, 'operation', operation, 'target', target, 'sessionId', session_id, 'attempts', attempts, 'payload', payload)
  ORDER BY place), '[]')::text
FROM leased
