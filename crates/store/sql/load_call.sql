-- $1 subject of the token or null, $2 users.id or null; $3 appointment or null, $4 meeting or null; $5 session or null.
WITH appointment AS (
  SELECT a.id, a.provider_user_id, a.patient_user_id, coalesce(a.status, '') AS status,
    coalesce(a.video_enabled, false) AS video_enabled, a.scheduled_start, provider.display_name AS provider_name
  FROM medzen.call_appointments a
  LEFT JOIN medzen.call_users provider ON provider.id = a.provider_user_id
  WHERE a.id = coalesce($3, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4))
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), session AS (
  SELECT s.* FROM public.video_call_sessions s JOIN appointment ON s.appointment_id = appointment.id
  WHERE ($4 IS NULL OR s.meeting_id = $4) AND ($5 IS NULL OR s.id = $5)
  ORDER BY s.status IN ('creating', 'active', 'ending') DESC, s.created_at DESC, s.id
  LIMIT 1
)
