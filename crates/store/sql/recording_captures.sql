-- The captures of a recording ($1) whose deletion was requested.
SELECT coalesce(json_agg(c.id ORDER BY c.opened_at), '[]')::text
FROM medzen.recordings r JOIN medzen.media_captures c ON c.recording_id = r.id
WHERE r.id = $1 AND r.deletion_requested_at IS NOT NULL
