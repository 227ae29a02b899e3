-- The capture or the concatenation of a pipeline ($1), or the capture with an id ($2).
WITH found AS (
  SELECT c.id, false AS concatenation FROM medzen.media_captures c WHERE c.pipeline_id = $1
  UNION ALL
  SELECT g.capture_id, true FROM medzen.recording_segments g WHERE g.concatenation_id = $1
  UNION ALL
  SELECT c.id, false FROM medzen.media_captures c WHERE c.id = $2
  LIMIT 1
)
SELECT json_build_object(
  'captureId', c.id, 'sessionId', c.session_id, 'appointmentId', s.appointment_id, 'controlRegion', s.control_region,
  'concatenation', found.concatenation)::text
FROM found
JOIN medzen.media_captures c ON c.id = found.id
JOIN public.video_call_sessions s ON s.id = c.session_id
