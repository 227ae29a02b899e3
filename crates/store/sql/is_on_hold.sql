-- Whether a legal hold stands on the appointment of a recording ($1), of a capture ($2), or of a transcript ($3).
SELECT medzen.is_on_hold(s.appointment_id)::text FROM public.video_call_sessions s
WHERE s.id = coalesce(
  (SELECT r.session_id FROM medzen.recordings r WHERE r.id = $1), (SELECT c.session_id FROM medzen.media_captures c WHERE c.id = $2),
  (SELECT t.session_id FROM medzen.transcripts t WHERE t.id = $3))
