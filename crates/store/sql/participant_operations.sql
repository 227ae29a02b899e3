-- The open operations of one kind ($3) on a participant's attendee ($1 session, $2 user).
SELECT coalesce(json_agg(json_build_object(
  'id', id, 'operation', operation, 'target', target, 'sessionId', session_id, 'attempts', attempts, 'payload', payload)
  ORDER BY created_at, id), '[]')::text
FROM medzen.pending_operations
WHERE session_id = $1 AND operation = $3 AND completed_at IS NULL AND payload ->> 'userId' = $2::text
