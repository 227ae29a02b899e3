-- Completes the deletion of a capture's chunks ($1) at $2.
WITH speech AS (
  UPDATE medzen.media_captures c SET speech_deleted_at = $2
  WHERE c.id = $1 AND c.purposes = '{transcription}' AND c.speech_deleted_at IS NULL
)
UPDATE medzen.recording_segments g SET chunks_deleted_at = $2
WHERE g.capture_id = $1 AND g.status IN ('ready', 'failed', 'deleted') AND g.chunks_deleted_at IS NULL
RETURNING 'true'
