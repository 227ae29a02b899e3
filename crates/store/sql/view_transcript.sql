-- The transcript of an appointment ($3) and there of a session ($4), else the latest whose text is not deleted; or one transcript ($6), also
-- a deleted one. With the caller ($1 subject or $2 user) and the appointment, which decide who may read it. $5 the host's statuses that
-- mean "cancelled".
WITH target AS (
  SELECT coalesce($3, (
    SELECT s.appointment_id FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id
    WHERE t.id = $6)) AS id
), appointment AS (
  SELECT a.* FROM target, LATERAL medzen.call_appointment(target.id, $5) AS a
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), transcript AS (
  SELECT t.*, s.appointment_id
  FROM target JOIN public.video_call_sessions s ON s.appointment_id = target.id
  JOIN medzen.transcripts t ON t.session_id = s.id
  WHERE t.id = $6 OR ($6 IS NULL AND t.deleted_at IS NULL AND ($4 IS NULL OR s.id = $4))
  ORDER BY s.created_at DESC, s.id
  LIMIT 1
)
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'appointment', (
    SELECT json_build_object('id', id, 'providerUserId', provider_user_id, 'patientUserId', patient_user_id,
      'cancelled', cancelled, 'videoEnabled', video_enabled, 'providerName', NULL)
    FROM appointment),
  'transcript', (
    SELECT json_build_object('id', t.id, 'sessionId', t.session_id, 'appointmentId', t.appointment_id, 'finishedAt', t.finished_at,
      'outcome', t.outcome, 'sha256', t.sha256, 'segmentCount', coalesce(t.segment_count, 0),
      'gaps', coalesce(t.gaps, '[]'),
      'onHold', medzen.is_on_hold(t.appointment_id),
      'deletionRequested', t.deletion_requested_at IS NOT NULL, 'deleted', t.deleted_at IS NOT NULL,
      'language', (
        SELECT r.settings ->> 'language' FROM medzen.transcription_runs r
        WHERE r.transcript_id = t.id ORDER BY r.number DESC LIMIT 1),
      -- A run that never began left no text; that of a job is hidden whole.
      'marked', NOT EXISTS (
        SELECT FROM medzen.transcription_runs r
        WHERE r.transcript_id = t.id AND r.started_at IS NOT NULL AND r.mode = 'live'
          AND NOT coalesce((r.settings #>> '{live,identifyContent}')::boolean, false)))
    FROM transcript AS t)
)::text
