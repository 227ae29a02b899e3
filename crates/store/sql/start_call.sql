-- Inserts a session, or returns the open one as it is. Only the provider of a video appointment that is not cancelled, within
-- the join window, inserts one (domain::start has the rule and its answers); an open one is the provider's whatever became of
-- the appointment. $5 is the request that creates the meeting, $12 the host's statuses that mean "cancelled", $13 the latest
-- scheduled start and $14 the earliest scheduled end of the window, null without one. A start is a sign that the provider's
-- client is alive, which does not count any more when it was before $15.
WITH sign AS (
  SELECT $11::timestamptz AS at, $15::timestamptz AS unseen
), target AS (
  SELECT coalesce($3, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4)) AS id
), appointment AS (
  SELECT a.* FROM target, LATERAL medzen.call_appointment(target.id, $12) AS a
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), inserted AS (
  INSERT INTO public.video_call_sessions AS open (
    id, appointment_id, status, attempt_by, control_region, media_region,
    recording_enabled, recording_requested, transcription_enabled, transcription_language, created_by, created_at, updated_at)
  SELECT gen_random_uuid(), appointment.id, 'creating', $5, $6, $7, $8, $8, $9, $10, caller.id, $11, $11
  FROM caller, appointment
  WHERE appointment.provider_user_id = caller.id
    AND appointment.video_enabled AND NOT appointment.cancelled
    AND coalesce(appointment.scheduled_start <= $13, true)
    AND coalesce(appointment.scheduled_end >= $14, true)
  ON CONFLICT (appointment_id) WHERE status IN ('creating', 'active', 'ending')
  DO UPDATE SET updated_at = open.updated_at
  RETURNING *
), session AS (
  SELECT * FROM inserted
  UNION ALL
  SELECT s.* FROM public.video_call_sessions s JOIN target ON s.appointment_id = target.id
  WHERE s.status IN ('creating', 'active', 'ending') AND NOT EXISTS (SELECT FROM inserted)
), token AS MATERIALIZED (
  SELECT t.* FROM session, caller, LATERAL medzen.hand_out_token(session.id, caller.id, true) AS t
  WHERE session.status = 'active' AND (
    -- Nobody else waits for the session's lock, or takes it.
    EXISTS (SELECT FROM appointment a WHERE caller.id IN (a.provider_user_id, a.patient_user_id))
    OR EXISTS (
      SELECT FROM public.video_call_participants p WHERE p.video_call_id = session.id AND p.user_id = caller.id))
)
