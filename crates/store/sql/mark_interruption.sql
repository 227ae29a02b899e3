-- An interruption of the open run of a session ($1): it began at $2, or where $3 it ended then. Events come in any order, and each may come
-- twice: an end is kept as a gap without length, so that a beginning that comes later finds it.
WITH run AS (
  SELECT r.id FROM medzen.transcription_runs r
  WHERE r.session_id = $1 AND r.status IN ('starting', 'running', 'stopping')
), ended AS (
  UPDATE medzen.transcription_gaps g SET ended_at = $2
  FROM run WHERE $3 AND g.run_id = run.id AND g.began_at < $2 AND (g.ended_at IS NULL OR g.ended_at > $2)
  RETURNING g.run_id
), marked AS (
  INSERT INTO medzen.transcription_gaps (run_id, began_at, ended_at, reason)
  SELECT run.id, $2, CASE WHEN $3 THEN $2 ELSE (
      SELECT min(g.began_at) FROM medzen.transcription_gaps g WHERE g.run_id = run.id AND g.began_at >= $2 AND g.ended_at = g.began_at) END,
    'interrupted'
  FROM run
  ON CONFLICT (run_id, began_at) DO NOTHING
  RETURNING run_id
)
SELECT ((SELECT count(*) FROM ended) + (SELECT count(*) FROM marked))::text
