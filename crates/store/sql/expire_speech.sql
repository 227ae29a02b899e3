-- Enqueues the deletion of speech that was captured for its text alone and ended before $1, the oldest calls first, at most $2 captures; $3
-- now. That of a finished transcript was enqueued when it was finished, and one that is enqueued keeps its time: a hold, or a failure, has
-- postponed it. Returns how many.
WITH expired AS MATERIALIZED (
  SELECT c.id, c.session_id, s.control_region
  FROM medzen.transcripts t JOIN medzen.media_captures c ON c.session_id = t.session_id
  JOIN public.video_call_sessions s ON s.id = c.session_id
  WHERE t.finished_at IS NULL AND t.created_at < $1
    AND c.purposes = '{transcription}' AND c.speech_deleted_at IS NULL AND c.ended_at < $1
    AND NOT EXISTS (
      SELECT FROM medzen.pending_operations o
      WHERE o.operation = 'delete_chunks' AND o.target = c.id::text AND o.completed_at IS NULL)
  ORDER BY t.created_at, c.id LIMIT $2
)
SELECT count(medzen.enqueue_operation('delete_chunks', expired.id::text, expired.session_id,
  jsonb_build_object('controlRegion', expired.control_region), $3, NULL))::text
FROM expired
