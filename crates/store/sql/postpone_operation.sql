-- Releases an operation ($1) that may not be executed now, until $2; the reason is $3. It counts as no attempt. A change that makes it due
-- again earlier sets an earlier time.
UPDATE medzen.pending_operations o
SET not_before = $2, leased_until = NULL, attempts = 0, last_error = $3
WHERE o.id = $1 AND o.completed_at IS NULL
RETURNING 'true'
