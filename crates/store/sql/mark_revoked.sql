-- Marks the text of a transcript ($1) from before the last revocation of the transcription, whichever capture it is from.
WITH revocation AS (
  SELECT medzen.transcription_revoked_at(s.id) - coalesce(s.activated_at, s.created_at) AS after
  FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id WHERE t.id = $1
), marked AS (
  UPDATE medzen.transcript_segments g SET revoked = true
  FROM revocation
  WHERE g.transcript_id = $1 AND NOT g.revoked AND g.start_ms < extract(epoch FROM revocation.after) * 1000
  RETURNING 1
)
SELECT json_build_object('changed', (SELECT count(*) FROM marked))::text
