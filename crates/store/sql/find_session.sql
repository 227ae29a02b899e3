-- The appointment of a session ($1).
SELECT json_build_object('sessionId', s.id, 'appointmentId', s.appointment_id)::text
FROM public.video_call_sessions s WHERE s.id = $1
