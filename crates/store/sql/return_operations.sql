-- Returns leased operations ($1) that were not executed, because a run's time was over: they are due first in the next run.
WITH returned AS (
  UPDATE medzen.pending_operations
  SET leased_until = NULL, attempts = attempts - 1, last_attempt_at = NULL
  WHERE id = ANY ($1) AND completed_at IS NULL
  RETURNING 1
)
SELECT count(*)::text FROM returned
