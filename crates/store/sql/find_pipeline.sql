-- The capture or the concatenation of a pipeline ($1), or the capture with an id ($2).
SELECT json_build_object(
  'captureId', c.id, 'sessionId', c.session_id, 'appointmentId', s.appointment_id, 'controlRegion', s.control_region,
  'concatenation', g.concatenation_id IS NOT DISTINCT FROM $1 AND g.concatenation_id IS NOT NULL)::text
FROM medzen.media_captures c
JOIN public.video_call_sessions s ON s.id = c.session_id
LEFT JOIN medzen.recording_segments g ON g.capture_id = c.id
WHERE c.pipeline_id = $1 OR g.concatenation_id = $1 OR c.id = $2
LIMIT 1
