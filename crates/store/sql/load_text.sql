-- A capture ($1) whose text is to be taken, with its call: the transcript, the beginning of the call, the attendees of its participants by
-- the events of its meeting, and the revocations of the transcription. Null where it has none, or where it was taken.
SELECT json_build_object(
  'captureId', c.id, 'recorded', c.recording_id IS NOT NULL OR c.purposes @> '{recording}', 'transcriptId', t.id,
  'sessionId', s.id, 'appointmentId', s.appointment_id, 'callBeganAt', coalesce(s.activated_at, s.created_at),
  'endedAt', c.ended_at,
  'revokedAt', CASE WHEN c.revoked @> '{transcription}' THEN c.stop_requested_at END,
  'language', (
    SELECT r.settings ->> 'language' FROM medzen.transcription_runs r WHERE r.session_id = s.id ORDER BY r.number DESC LIMIT 1),
  'attendees', (
    SELECT coalesce(json_agg(json_build_object('attendeeId', e.attendee_id, 'userId', p.user_id, 'role', p.role)), '[]')
    FROM (
      SELECT DISTINCT attendee_id, external_user_id FROM medzen.chime_events e
      WHERE e.meeting_id = s.meeting_id AND e.attendee_id IS NOT NULL AND e.external_user_id IS NOT NULL) AS e
    JOIN public.video_call_participants p ON p.video_call_id = s.id AND p.user_id::text = e.external_user_id))::text
FROM medzen.media_captures c
JOIN public.video_call_sessions s ON s.id = c.session_id
JOIN medzen.transcripts t ON t.session_id = s.id
WHERE c.id = $1 AND c.purposes @> '{transcription}' AND c.ended_at IS NOT NULL AND c.text_taken_at IS NULL
  AND t.deletion_requested_at IS NULL
