-- Sessions whose captures are to be compared with what is wanted: an open capture, a recording that has not ended, or one that was
-- wanted and has not begun. The one whose capture was confirmed longest ago first, at most $1.
SELECT coalesce(json_agg(json_build_object('sessionId', id, 'appointmentId', appointment_id) ORDER BY since, id), '[]')::text
FROM (
  SELECT s.id, s.appointment_id, coalesce(c.confirmed_at, r.began_at, s.activated_at) AS since
  FROM public.video_call_sessions s
  LEFT JOIN medzen.media_captures c
    ON c.session_id = s.id AND c.status IN ('requested', 'starting', 'running', 'stopping')
  LEFT JOIN medzen.recordings r ON r.session_id = s.id AND r.ended_at IS NULL
  WHERE c.id IS NOT NULL OR r.id IS NOT NULL
  UNION ALL
  SELECT s.id, s.appointment_id, s.activated_at
  FROM public.video_call_sessions s
  WHERE s.status = 'active' AND s.recording_enabled
    AND NOT EXISTS (SELECT FROM medzen.recordings r WHERE r.session_id = s.id)
  ORDER BY since, id
  LIMIT $1
) AS due
