SELECT json_build_object('unpublished', EXISTS (
  SELECT FROM medzen.pending_operations o
  WHERE o.operation = 'publish_event' AND o.completed_at IS NULL AND o.not_before <= $2
    AND (o.leased_until IS NULL OR o.leased_until <= $2)),
  'sessions', (SELECT sessions FROM history))::text
