-- Recordings whose files are not finished or not deleted and whose state began before $1, the earliest first, at most $2.
SELECT coalesce(json_agg(json_build_object(
  'id', due.id, 'intent', due.intent, 'deletionRequested', due.deletion_requested_at IS NOT NULL, 'since', due.since,
  'segments', (
    SELECT coalesce(json_agg(g.status ORDER BY g.number), '[]') FROM medzen.recording_segments g WHERE g.recording_id = due.id),
  'captures', (
    SELECT coalesce(json_agg(g.capture_id ORDER BY g.number), '[]') FROM medzen.recording_segments g
    WHERE g.recording_id = due.id))
  ORDER BY due.since, due.id), '[]')::text
FROM (
  SELECT r.*, coalesce(r.deletion_requested_at, r.ended_at, r.began_at) AS since
  FROM medzen.recordings r
  WHERE r.deleted_at IS NULL AND (r.finished_at IS NULL OR r.deletion_requested_at IS NOT NULL)
    AND coalesce(r.deletion_requested_at, r.ended_at, r.began_at) <= $1
  ORDER BY coalesce(r.deletion_requested_at, r.ended_at, r.began_at), r.id
  LIMIT $2
) AS due
