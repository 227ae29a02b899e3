WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = $3
  WHERE s.id = $1 AND s.status = 'active'
  RETURNING s.*
), participant AS (
  INSERT INTO public.video_call_participants AS p (video_call_id, user_id, role, status, admitted_at)
  SELECT id, $2, $7, 'invited', $3 FROM live
  ON CONFLICT (video_call_id, user_id) DO UPDATE
  SET status = 'invited', admitted_at = $3, waiting_since = NULL, left_at = NULL
  WHERE p.admitted_at IS NULL AND p.status IN ('invited', 'waiting', 'left', 'turned_away')
  RETURNING user_id, role
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $6, 'role', 'provider', 'userId', participant.user_id, 'userRole', participant.role)), $3) AS seq
  FROM live, participant
)
SELECT 'true' FROM audited
