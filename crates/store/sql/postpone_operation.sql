-- Returns a leased operation ($1) that has to wait until $2: not an attempt, because nothing failed.
UPDATE medzen.pending_operations
SET leased_until = NULL, attempts = attempts - 1, not_before = $2
WHERE id = $1 AND completed_at IS NULL
RETURNING 'true'
