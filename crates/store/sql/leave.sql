WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $3
  WHERE id = $1 AND status = 'active' AND EXISTS (
    SELECT FROM public.video_call_participants p
    WHERE p.video_call_id = $1 AND p.user_id = $2 AND p.status IN ('joined', 'waiting'))
  RETURNING *
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', left_at = $3,
      duration_seconds = p.duration_seconds + medzen.seconds_between(p.joined_at, $3)
  FROM live
  WHERE p.video_call_id = live.id AND p.user_id = $2 AND p.status IN ('joined', 'waiting')
  RETURNING p.role
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $4 || jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2, 'role', participant.role), $3) AS seq
  FROM live, participant
)
SELECT 'true' FROM audited
