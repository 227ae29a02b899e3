-- Enqueues the deletion of speech that was captured for its text alone and ended before $1, the oldest first, at most $2 captures; $3 now.
-- Returns how many.
WITH expired AS MATERIALIZED (
  SELECT c.id, c.session_id, s.control_region
  FROM medzen.media_captures c JOIN public.video_call_sessions s ON s.id = c.session_id
  WHERE c.purposes = '{transcription}' AND c.speech_deleted_at IS NULL AND c.ended_at < $1
  ORDER BY c.ended_at, c.id LIMIT $2
)
SELECT count(medzen.enqueue_operation('delete_chunks', expired.id::text, expired.session_id,
  jsonb_build_object('controlRegion', expired.control_region), $3, NULL))::text
FROM expired
