-- Whether a legal hold stands on the appointment of a recording ($1) or of a capture ($2).
SELECT medzen.is_on_hold(s.appointment_id)::text FROM public.video_call_sessions s
WHERE s.id = coalesce(
  (SELECT r.session_id FROM medzen.recordings r WHERE r.id = $1), (SELECT c.session_id FROM medzen.media_captures c WHERE c.id = $2))
