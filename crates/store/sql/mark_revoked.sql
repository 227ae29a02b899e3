-- Marks the text of a transcript ($1) from before the last revocation of the transcription, whichever capture it is from: a capture was
-- stopped for it, or between two captures the run.
WITH revocation AS (
  SELECT greatest(
      (SELECT max(c.stop_requested_at) FROM medzen.media_captures c WHERE c.session_id = s.id AND c.revoked @> '{transcription}'),
      (SELECT max(r.ended_at) FROM medzen.transcription_runs r WHERE r.session_id = s.id AND r.end_reason = 'consent_revoked'))
    - coalesce(s.activated_at, s.created_at) AS after
  FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id WHERE t.id = $1
), marked AS (
  UPDATE medzen.transcript_segments g SET revoked = true
  FROM revocation
  WHERE g.transcript_id = $1 AND NOT g.revoked AND g.start_ms < extract(epoch FROM revocation.after) * 1000
  RETURNING 1
)
SELECT json_build_object('changed', (SELECT count(*) FROM marked))::text
