-- Releases an operation that was not executed ($1), to be tried again not before $3; $2 the error, without personal data.
UPDATE medzen.pending_operations
SET leased_until = NULL, last_error = $2, not_before = greatest(not_before, $3)
WHERE id = $1 AND completed_at IS NULL
RETURNING 'true'
