-- The text of a capture ($1) was taken from these files ($2, [{key, etag}]); the transcript may be complete with it. $3 now,
-- $4 who spoke when.
WITH live AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s
  WHERE s.id = (SELECT c.session_id FROM medzen.media_captures c WHERE c.id = $1) FOR NO KEY UPDATE
), taken AS (
  UPDATE medzen.media_captures c SET text_taken_at = $3, speaking = $4 FROM live WHERE c.id = $1 AND c.session_id = live.id
  RETURNING c.id, c.session_id
), files AS (
  INSERT INTO medzen.transcript_chunks AS k (capture_id, key, etag, taken_at)
  SELECT taken.id, n.key, n.etag, $3 FROM taken, jsonb_to_recordset($2) AS n (key text, etag text)
  ON CONFLICT (capture_id, key) DO UPDATE SET etag = excluded.etag, taken_at = excluded.taken_at
  RETURNING 1
)
SELECT json_build_object(
  'files', (SELECT count(*) FROM files),
  'complete', (SELECT count(medzen.complete_transcript(taken.session_id, $3)) FROM taken) > 0)::text
FROM taken
