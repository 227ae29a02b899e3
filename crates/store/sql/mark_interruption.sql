-- An interruption of the open run of a session ($1): it began at $2, or where $3 it ended then.
WITH run AS (
  SELECT r.id FROM medzen.transcription_runs r
  WHERE r.session_id = $1 AND r.status IN ('starting', 'running', 'stopping')
), ended AS (
  UPDATE medzen.transcription_gaps g SET ended_at = greatest(g.began_at, $2)
  FROM run WHERE $3 AND g.run_id = run.id AND g.ended_at IS NULL
  RETURNING g.run_id
), began AS (
  INSERT INTO medzen.transcription_gaps (run_id, began_at, reason)
  SELECT run.id, $2, 'interrupted' FROM run
  WHERE NOT $3 AND NOT EXISTS (SELECT FROM medzen.transcription_gaps g WHERE g.run_id = run.id AND g.ended_at IS NULL)
  ON CONFLICT (run_id, began_at) DO NOTHING
  RETURNING run_id
)
SELECT json_build_object('changed', (SELECT count(*) FROM ended) + (SELECT count(*) FROM began))::text
