-- Orders jobs ($2, [{name, captureId, attempt, kind, settings, deadline}]) for a transcript ($1), unless it is finished or its deletion was
-- requested. $3 now. Returns how many were ordered.
WITH locked AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s
  WHERE s.id = (SELECT t.session_id FROM medzen.transcripts t WHERE t.id = $1) FOR NO KEY UPDATE
), live AS MATERIALIZED (
  SELECT t.id, t.session_id FROM locked JOIN medzen.transcripts t ON t.session_id = locked.id
  WHERE t.id = $1 AND t.finished_at IS NULL AND t.deletion_requested_at IS NULL
), ordered AS (
  INSERT INTO medzen.transcription_jobs AS j (
    name, transcript_id, session_id, capture_id, attempt, kind, settings, requested_at, changed_at, deadline)
  SELECT n.name, live.id, live.session_id, n."captureId", n.attempt, n.kind, n.settings, $3, $3, n.deadline
  FROM live, jsonb_to_recordset($2) AS n (
    name text, "captureId" uuid, attempt integer, kind text, settings jsonb, deadline timestamptz)
  ON CONFLICT DO NOTHING
  RETURNING j.name, j.session_id
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation('start_batch_job', ordered.name, ordered.session_id, '{}', $3, NULL) AS operation
  FROM (SELECT * FROM ordered ORDER BY name) AS ordered
)
SELECT json_build_object('changed', (SELECT count(operation) FROM enqueued))::text
FROM live
