-- Sessions whose captures are to be compared with what is wanted: an open capture, a recording that has not ended or one that was
-- requested and has not begun, or an open run of the transcription. Those whose capture is to stop come first, then the one that was
-- confirmed longest ago; at most $1. Each
-- kind has an index.
WITH due AS (
  SELECT c.session_id, c.confirmed_at AS since, c.status = 'stopping' AS stops, c.revoked <> '{}' AS revoked FROM medzen.media_captures c
  WHERE c.status IN ('requested', 'starting', 'running', 'stopping')
  UNION ALL
  SELECT r.session_id, r.began_at, false, false FROM medzen.recordings r WHERE r.ended_at IS NULL
  UNION ALL
  SELECT r.session_id, r.confirmed_at, false, false FROM medzen.transcription_runs r
  WHERE r.status IN ('requested', 'starting', 'running', 'stopping')
  UNION ALL
  SELECT s.id, s.activated_at, false, false FROM public.video_call_sessions s
  WHERE s.status = 'active' AND s.recording_requested
    AND NOT EXISTS (SELECT FROM medzen.recordings r WHERE r.session_id = s.id)
), ordered AS (
  SELECT session_id, min(since) AS since, bool_or(stops) AS stops,
    bool_or(revoked) AS revoked
  FROM due GROUP BY session_id ORDER BY stops DESC, since, session_id LIMIT $1
)
SELECT coalesce(json_agg(json_build_object('sessionId', s.id, 'appointmentId', s.appointment_id,
  'since', ordered.since, 'stops', ordered.stops, 'revoked', ordered.revoked)
  ORDER BY ordered.stops DESC, ordered.since, s.id), '[]')::text
FROM ordered, LATERAL (SELECT s.id, s.appointment_id FROM public.video_call_sessions s WHERE s.id = ordered.session_id) AS s
