-- Completes operations ($1: id, and the payload that was sent, null where it cannot change) whose payload is still the one that
-- was sent, and returns the others with the payload that is to be sent now. Where an earlier execution may still be in flight
-- with an older payload, the operation stays open and is repeated after that ($2 now).
WITH sent AS (
  SELECT * FROM jsonb_to_recordset($1) AS s (id uuid, payload jsonb)
), completed AS (
  UPDATE medzen.pending_operations o
  SET completed_at = CASE WHEN o.superseded_until > $2 THEN NULL ELSE $2 END,
      not_before = CASE WHEN o.superseded_until > $2 THEN o.superseded_until ELSE o.not_before END,
      leased_until = NULL, superseded_until = NULL
  FROM sent
  WHERE o.id = sent.id AND o.completed_at IS NULL AND (sent.payload IS NULL OR o.payload = sent.payload)
  RETURNING o.id
)
SELECT coalesce(json_agg(json_build_object('id', o.id, 'payload', o.payload)), '[]')::text
FROM medzen.pending_operations o JOIN sent ON sent.id = o.id
WHERE o.id NOT IN (SELECT id FROM completed) AND (
  o.completed_at IS NULL OR (sent.payload IS NOT NULL AND o.payload <> sent.payload))
