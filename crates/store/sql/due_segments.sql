-- Segments that are not finished and whose capture has ended, those that changed longest ago first, at most $2: of which Chime is asked,
-- or which are given up. $1 changed before, and ended before.
SELECT coalesce(json_agg(capture_id ORDER BY changed_at, capture_id), '[]')::text
FROM (
  SELECT g.capture_id, g.changed_at
  FROM medzen.recording_segments g JOIN medzen.media_captures c ON c.id = g.capture_id
  WHERE g.status IN ('waiting', 'concatenating', 'verifying') AND c.ended_at IS NOT NULL
    AND greatest(g.changed_at, c.ended_at) <= $1
  ORDER BY g.changed_at, g.capture_id
  LIMIT $2
) AS due
