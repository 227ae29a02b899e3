-- A job ($1) with its sound: the capture, and the file of its recording. Null for a job of something else.
SELECT json_build_object(
  'name', j.name, 'transcriptId', j.transcript_id, 'captureId', j.capture_id, 'attempt', j.attempt, 'settings', j.settings,
  'status', j.status, 'changedAt', j.changed_at, 'deadline', j.deadline, 'concatenation', k.concatenation,
  'capturedFrom', c.began_at, 'capturedUntil', c.ended_at, 'revokedAt', medzen.transcription_revoked_at(s.id),
  'soundBeganAt', j.sound_began_at, 'soundSeconds', j.sound_seconds,
  'controlRegion', s.control_region, 'pipelineArn', c.pipeline_arn, 'recordingId', c.recording_id,
  'file', (
    SELECT json_build_object('number', g.number, 'status', g.status, 'startedAt', g.started_at, 'durationSeconds', g.duration_seconds)
    FROM medzen.recording_segments g WHERE g.capture_id = c.id),
  'attendees', medzen.known_attendees(s.id))::text
FROM medzen.transcription_jobs j
-- A repetition takes the file of the attempt before it.
LEFT JOIN LATERAL (
  SELECT json_build_object('id', p.concatenation_id, 'attempt', p.attempt) AS concatenation FROM medzen.transcription_jobs p
  WHERE p.capture_id = j.capture_id AND p.attempt <= j.attempt AND p.concatenation_id IS NOT NULL
  ORDER BY p.attempt DESC LIMIT 1) AS k ON true
JOIN medzen.media_captures c ON c.id = j.capture_id
JOIN public.video_call_sessions s ON s.id = j.session_id
WHERE j.name = $1
