-- The appointment and the session of a recording ($1).
SELECT json_build_object('appointmentId', s.appointment_id, 'sessionId', s.id)::text
FROM medzen.recordings r JOIN public.video_call_sessions s ON s.id = r.session_id
WHERE r.id = $1
