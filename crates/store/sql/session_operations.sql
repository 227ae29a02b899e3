-- The open operations of one kind ($2) of a session ($1).
SELECT coalesce(json_agg(json_build_object(
  'id', id, 'operation', operation, 'target', target, 'sessionId', session_id, 'attempts', attempts, 'payload', payload)
  ORDER BY created_at, id), '[]')::text
FROM medzen.pending_operations
WHERE session_id = $1 AND operation = $2 AND completed_at IS NULL
