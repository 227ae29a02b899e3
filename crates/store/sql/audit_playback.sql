-- Appends the audit entry of links to a recording ($1) that are handed out to $2 with the role $3 until $7. $4 now, $5 origin, $6
-- audit event.
SELECT 'true' FROM (
  SELECT medzen.audit_append(medzen.appointment_chain(s.appointment_id), $5 || jsonb_build_object(
    'event', $6::text, 'appointmentId', s.appointment_id, 'sessionId', s.id, 'recordingId', r.id, 'actor', $2, 'role', $3::text,
    'expiresAt', to_char($7 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), $4) AS seq
  FROM medzen.recordings r JOIN public.video_call_sessions s ON s.id = r.session_id
  WHERE r.id = $1
) AS audited WHERE seq > 0
