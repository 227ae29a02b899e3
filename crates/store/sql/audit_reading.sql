-- Appends the audit entry of a transcript ($1) that is given to $2 with the role $3 in the format $7 and the view $8. $4 now, $5 origin, $6
-- audit event.
SELECT 'true' FROM (
  SELECT medzen.audit_append(medzen.appointment_chain(s.appointment_id), $5 || jsonb_build_object(
    'event', $6::text, 'appointmentId', s.appointment_id, 'sessionId', s.id, 'transcriptId', t.id, 'actor', $2, 'role', $3::text,
    'format', $7::text, 'view', $8::text), $4) AS seq
  FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id
  WHERE t.id = $1
) AS audited WHERE seq > 0
