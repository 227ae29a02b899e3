-- Sessions whose transcription is to be compared with what is wanted: an open run, or one that was wanted and has not begun. Those whose run
-- is to stop come first, then those that are starting, then the one that was confirmed longest ago; at most $1. Each kind has an index.
WITH due AS (
  SELECT r.session_id, CASE r.status WHEN 'stopping' THEN 0 WHEN 'running' THEN 2 ELSE 1 END AS place, r.confirmed_at AS since
  FROM medzen.transcription_runs r
  WHERE r.status IN ('requested', 'starting', 'running', 'stopping')
  UNION ALL
  SELECT s.id, 3, s.activated_at FROM public.video_call_sessions s
  WHERE s.status = 'active' AND s.transcription_enabled
    AND NOT EXISTS (SELECT FROM medzen.transcription_runs r WHERE r.session_id = s.id)
), ordered AS (
  SELECT session_id, place, since FROM due ORDER BY place, since, session_id LIMIT $1
)
SELECT coalesce(json_agg(json_build_object('sessionId', s.id, 'appointmentId', s.appointment_id)
  ORDER BY ordered.place, ordered.since, s.id), '[]')::text
FROM ordered, LATERAL (SELECT s.id, s.appointment_id FROM public.video_call_sessions s WHERE s.id = ordered.session_id) AS s
