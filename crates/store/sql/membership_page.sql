-- Active calls, at most $2, with a participant whose membership may have ended (domain::membership decides), or whose
-- appointment was deleted. The host's views are read by key, because they may be large. $1 the host's statuses that mean
-- "cancelled". $3 the sessions to read; null: all.
WITH host AS MATERIALIZED (
  SELECT EXISTS (SELECT FROM medzen.call_appointments) AS has_appointments, EXISTS (SELECT FROM medzen.call_users) AS has_users
), call AS MATERIALIZED (
  SELECT s.id, s.activated_at, to_jsonb(a) AS appointment, coalesce(a.cancelled OR NOT a.video_enabled, false) AS withdrawn,
    ARRAY [a.provider_user_id, a.patient_user_id] AS members
  FROM public.video_call_sessions s
  LEFT JOIN LATERAL medzen.call_appointment(s.appointment_id, $1) AS a ON true
  WHERE s.status = 'active' AND ($3::uuid[] IS NULL OR s.id = ANY ($3))
), standing AS MATERIALIZED (
  SELECT p.video_call_id, p.user_id, p.role, p.status,
    NOT host.has_users OR EXISTS (SELECT FROM medzen.caller(NULL, p.user_id, NULL)) AS has_account,
    -- No EXISTS, for which PostgreSQL would hash the whole table, with the tokens of calls that are over.
    coalesce((
      SELECT true FROM medzen.video_call_attendee_tokens t
      WHERE t.session_id = p.video_call_id AND t.user_id = p.user_id), false) AS has_attendee
  FROM host, call JOIN public.video_call_participants p ON p.video_call_id = call.id
  WHERE p.status IN ('invited', 'waiting', 'joined', 'left')
), due AS (
  SELECT call.*, call.appointment IS NULL AND host.has_appointments AS deleted
  FROM host, call
  WHERE call.appointment IS NULL AND host.has_appointments OR call.appointment IS NOT NULL AND EXISTS (
    SELECT FROM standing p
    WHERE p.video_call_id = call.id AND (p.status <> 'left' OR p.has_attendee) AND (
      NOT p.has_account
      OR p.role <> 'observer' AND (p.user_id = ANY (call.members)) IS NOT true
      OR p.status = 'waiting' AND call.withdrawn))
  ORDER BY call.activated_at, call.id
  LIMIT $2
)
SELECT coalesce(json_agg(json_build_object(
  'id', due.id, 'appointmentDeleted', due.deleted,
  'appointment', CASE WHEN due.appointment IS NOT NULL THEN json_build_object(
    'id', due.appointment -> 'id', 'providerUserId', due.appointment -> 'provider_user_id',
    'patientUserId', due.appointment -> 'patient_user_id', 'cancelled', due.appointment -> 'cancelled',
    'videoEnabled', due.appointment -> 'video_enabled') END,
  'participants', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', p.user_id, 'role', p.role, 'status', p.status, 'hasAccount', p.has_account, 'hasAttendee', p.has_attendee)), '[]')
    FROM standing p WHERE p.video_call_id = due.id))), '[]')::text
FROM due
