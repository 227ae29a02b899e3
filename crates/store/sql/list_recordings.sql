-- The recordings of an appointment ($3), or one recording ($4), the newest first, with the caller ($1 subject or $2 user) and the
-- appointment, which decide who may see them. Whoever is neither its provider nor its patient sees the recordings of calls that they
-- observed and were not removed from. $5 the host's statuses that mean "cancelled".
WITH target AS (
  SELECT coalesce($3, (
    SELECT s.appointment_id FROM medzen.recordings r JOIN public.video_call_sessions s ON s.id = r.session_id
    WHERE r.id = $4)) AS id
), appointment AS (
  SELECT a.* FROM target, LATERAL medzen.call_appointment(target.id, $5) AS a
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), part AS (
  SELECT p.video_call_id AS session_id, p.role, p.status
  FROM caller JOIN public.video_call_participants p ON p.user_id = caller.id
  JOIN public.video_call_sessions s ON s.id = p.video_call_id JOIN target ON target.id = s.appointment_id
  WHERE (p.joined_at IS NOT NULL OR s.status IN ('creating', 'active', 'ending'))
    AND ($4 IS NULL OR s.id = (SELECT r.session_id FROM medzen.recordings r WHERE r.id = $4))
), recording AS (
  SELECT r.*, s.appointment_id
  FROM target JOIN public.video_call_sessions s ON s.appointment_id = target.id
  JOIN medzen.recordings r ON r.session_id = s.id
  WHERE ($4 IS NULL OR r.id = $4)
    AND ($4 IS NOT NULL
      OR EXISTS (SELECT FROM appointment a JOIN caller ON caller.id IN (a.provider_user_id, a.patient_user_id))
      OR EXISTS (SELECT FROM part WHERE part.session_id = s.id AND part.status <> 'removed'))
  ORDER BY r.began_at DESC, r.id
  LIMIT 100
)
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'appointment', (
    SELECT json_build_object('id', id, 'providerUserId', provider_user_id, 'patientUserId', patient_user_id,
      'cancelled', cancelled, 'videoEnabled', video_enabled, 'providerName', NULL)
    FROM appointment),
  'onHold', medzen.is_on_hold((SELECT id FROM target)),
  'part', (
    SELECT json_build_object('role', role, 'status', status) FROM part ORDER BY status = 'removed', session_id LIMIT 1),
  'recordings', (
    SELECT coalesce(json_agg(json_build_object(
      'id', r.id, 'sessionId', r.session_id, 'intent', r.intent, 'automatic', r.automatic, 'layout', r.layout,
      'beganAt', r.began_at, 'pauseReason', CASE r.intent WHEN 'paused' THEN r.pause_reason END,
      'endedAt', r.ended_at, 'endReason', r.end_reason, 'deletionRequested', r.deletion_requested_at IS NOT NULL,
      'capturing', EXISTS (
        SELECT FROM medzen.media_captures c WHERE c.recording_id = r.id AND c.status = 'running'),
      'segments', (
        SELECT coalesce(json_agg(json_build_object(
          'number', g.number, 'status', g.status, 'startedAt', g.started_at, 'beganAt', coalesce(c.began_at, c.opened_at), 'endedAt', c.ended_at,
          'durationSeconds', g.duration_seconds, 'missingSeconds', g.missing_seconds, 'gapReason', c.gap_reason,
          'stopRequestedAt', c.stop_requested_at, 'stopReason', c.stop_reason, 'revoked', c.revoked) ORDER BY g.number), '[]')
        FROM medzen.recording_segments g JOIN medzen.media_captures c ON c.id = g.capture_id
        WHERE g.recording_id = r.id)) ORDER BY r.began_at DESC, r.id), '[]')
    FROM recording AS r)
)::text
