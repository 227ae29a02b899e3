-- Takes or renews the lease ($1 holder, $2 now, $3 until) and reads a page of due sessions, those with the oldest attempt first.
-- No row: another run holds the lease. A call that every participant has left is due in each run once Chime's five minutes are
-- over, because Chime may end it a little later; but for ten minutes only: a meeting that lives on then is not empty, whatever
-- the events say.
WITH lease AS (
  INSERT INTO medzen.leases AS held (name, holder, expires_at) VALUES ('reconcile', $1, $3)
  ON CONFLICT (name) DO UPDATE SET holder = $1, expires_at = $3
  WHERE held.holder = $1 OR held.expires_at <= $2
  RETURNING name
), stalled AS (
  SELECT id, status, control_region, meeting_id, updated_at, activated_at, checked_at, last_event_at, last_attempt_at,
    connected_count, last_left_at
  FROM public.video_call_sessions
  WHERE status = 'creating' AND updated_at <= $4 AND (last_attempt_at IS NULL OR last_attempt_at < $2)
  ORDER BY last_attempt_at NULLS FIRST, updated_at, id
  LIMIT $6
), unverified AS (
  SELECT id, status, control_region, meeting_id, updated_at, activated_at, checked_at, last_event_at, last_attempt_at,
    connected_count, last_left_at
  FROM public.video_call_sessions
  WHERE status = 'active' AND (last_attempt_at IS NULL OR last_attempt_at < $2) AND (
    greatest(activated_at, checked_at, last_event_at) <= $5
    OR (connected_count = 0 AND last_left_at BETWEEN $5 - interval '10 minutes' AND $5
      AND (checked_at IS NULL OR checked_at < $2)))
  ORDER BY last_attempt_at NULLS FIRST, connected_count > 0, greatest(activated_at, checked_at, last_event_at), id
  LIMIT $7
)
SELECT json_build_object('endsReported', EXISTS (
  SELECT FROM medzen.pending_operations o
  WHERE o.operation = 'verify_meeting' AND o.completed_at IS NULL AND o.not_before <= $2
    AND (o.leased_until IS NULL OR o.leased_until <= $2)),
  'sessions', (
  SELECT coalesce(json_agg(json_build_object(
    'id', id, 'status', status, 'controlRegion', control_region, 'meetingId', meeting_id, 'updatedAt', updated_at,
    'aliveAt', greatest(activated_at, checked_at, last_event_at),
    'lastLeftAt', CASE connected_count WHEN 0 THEN last_left_at END)), '[]')
  FROM (SELECT * FROM stalled UNION ALL SELECT * FROM unverified) AS due
))::text
FROM lease
