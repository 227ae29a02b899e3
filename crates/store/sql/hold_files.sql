-- The recordings, captures and transcripts whose files the legal hold of an appointment ($1) is on, and where the pass of this change ($2) goes on, if one
-- was begun.
SELECT json_build_object(
  'recordings', (
    SELECT coalesce(json_agg(r.id ORDER BY r.id), '[]')
    FROM public.video_call_sessions s JOIN medzen.recordings r ON r.session_id = s.id WHERE s.appointment_id = $1),
  'captures', (
    SELECT coalesce(json_agg(c.id ORDER BY c.id), '[]')
    FROM public.video_call_sessions s JOIN medzen.media_captures c ON c.session_id = s.id WHERE s.appointment_id = $1),
  'transcripts', (
    SELECT coalesce(json_agg(t.id ORDER BY t.id), '[]')
    FROM public.video_call_sessions s JOIN medzen.transcripts t ON t.session_id = s.id WHERE s.appointment_id = $1),
  'pass', (
    SELECT h.file_pass FROM medzen.legal_holds h WHERE h.appointment_id = $1 AND (h.file_pass ->> 'change')::integer = $2
    ORDER BY h.id DESC LIMIT 1)
)::text
