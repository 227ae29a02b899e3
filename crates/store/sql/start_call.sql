-- Inserts a session, or returns the open one as it is. Only the provider of a video appointment that is not cancelled
-- inserts one (domain::start has the rule and its answers). $5 is the request that creates the meeting.
WITH appointment AS (
  SELECT a.id, a.provider_user_id, a.patient_user_id, coalesce(a.status, '') AS status,
    coalesce(a.video_enabled, false) AS video_enabled, a.scheduled_start, provider.display_name AS provider_name
  FROM medzen.call_appointments a
  LEFT JOIN medzen.call_users provider ON provider.id = a.provider_user_id
  WHERE a.id = coalesce($3, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4))
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), session AS (
  INSERT INTO public.video_call_sessions AS open (
    id, appointment_id, status, attempt_by, control_region, media_region,
    recording_enabled, transcription_enabled, transcription_language, created_by, created_at, updated_at)
  SELECT gen_random_uuid(), appointment.id, 'creating', $5, $6, $7, $8, $9, $10, caller.id, $11, $11
  FROM caller, appointment
  WHERE appointment.provider_user_id = caller.id
    AND appointment.video_enabled
    AND appointment.status <> ALL ('{cancelled,canceled}')
  ON CONFLICT (appointment_id) WHERE status IN ('creating', 'active', 'ending')
  DO UPDATE SET updated_at = open.updated_at
  RETURNING *
)
