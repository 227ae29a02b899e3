-- A transcript ($1) with the runs and the captures that it is of.
SELECT json_build_object(
  'transcriptId', t.id, 'sessionId', s.id, 'appointmentId', s.appointment_id, 'controlRegion', s.control_region,
  'callBeganAt', coalesce(s.activated_at, s.created_at), 'callEndedAt', s.ended_at,
  'revokedAt', medzen.transcription_revoked_at(s.id), 'finishedAt', t.finished_at,
  'outcome', t.outcome, 'sha256', t.sha256, 'gaps', coalesce(t.gaps, '[]'),
  'language', (
    SELECT r.settings ->> 'language' FROM medzen.transcription_runs r WHERE r.transcript_id = t.id ORDER BY r.number DESC LIMIT 1),
  'deletionRequested', t.deletion_requested_at IS NOT NULL, 'deletedAt', t.deleted_at,
  'runs', (
    SELECT coalesce(json_agg(medzen.run_json(r) ORDER BY r.number), '[]') FROM medzen.transcription_runs r WHERE r.transcript_id = t.id),
  'interruptions', (
    SELECT coalesce(json_agg(json_build_object('beganAt', g.began_at, 'endedAt', g.ended_at) ORDER BY g.began_at), '[]')
    FROM medzen.transcription_gaps g JOIN medzen.transcription_runs r ON r.id = g.run_id
    WHERE r.transcript_id = t.id AND g.began_at IS DISTINCT FROM g.ended_at),
  'captures', (
    SELECT coalesce(json_agg(json_build_object('captureId', c.id, 'recorded', c.recording_id IS NOT NULL,
      'captured', c.pipeline_id IS NOT NULL, 'beganAt', c.began_at,
      'endedAt', c.ended_at, 'stopReason', c.stop_reason, 'revoked', c.revoked @> '{transcription}',
      'stopRequestedAt', c.stop_requested_at, 'speaking', coalesce(c.speaking, '[]')) ORDER BY c.opened_at), '[]')
    FROM medzen.media_captures c WHERE c.session_id = s.id AND c.purposes @> '{transcription}'),
  'jobs', (
    SELECT coalesce(json_agg(json_build_object('name', j.name, 'captureId', j.capture_id, 'attempt', j.attempt, 'status', j.status,
      'reason', j.reason) ORDER BY j.requested_at, j.name), '[]')
    FROM medzen.transcription_jobs j WHERE j.transcript_id = t.id))::text
FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id
WHERE t.id = $1
