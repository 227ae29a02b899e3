-- The session of a meeting ($1).
SELECT json_build_object('sessionId', s.id, 'appointmentId', s.appointment_id)::text
FROM public.video_call_sessions s WHERE s.meeting_id = $1
