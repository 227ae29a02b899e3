-- The text of a capture ($1) was taken at $2; the transcript may be complete with it. $3 the times at which each attendee spoke.
WITH live AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s
  WHERE s.id = (SELECT c.session_id FROM medzen.media_captures c WHERE c.id = $1) FOR NO KEY UPDATE
), taken AS (
  UPDATE medzen.media_captures c SET text_taken_at = $2, speaking = $3 FROM live WHERE c.id = $1 AND c.session_id = live.id
  RETURNING c.id, c.session_id
)
SELECT (count(medzen.complete_transcript(session_id, $2)) > 0)::text FROM taken
