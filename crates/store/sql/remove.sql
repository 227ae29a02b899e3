WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = $3
  WHERE s.id = $1 AND s.status = 'active'
  RETURNING s.*
), participant AS (
  INSERT INTO public.video_call_participants AS p (video_call_id, user_id, role, status)
  SELECT id, $2, $7, 'removed' FROM live
  ON CONFLICT (video_call_id, user_id) DO UPDATE
  SET status = 'removed', admitted_at = NULL, waiting_since = NULL,
      left_at = CASE p.status WHEN 'joined' THEN $3 ELSE p.left_at END,
      duration_seconds = p.duration_seconds
        + CASE p.status WHEN 'joined' THEN medzen.seconds_between(p.joined_at, $3) ELSE 0 END
  WHERE p.status <> 'removed' AND p.user_id <> $6
  RETURNING video_call_id, user_id, role
), revoked AS MATERIALIZED (
  SELECT medzen.revoke_attendee(video_call_id, user_id, $3, $8) AS operation FROM participant
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $6, 'role', 'provider', 'userId', participant.user_id, 'userRole', participant.role)), $3) AS seq
  FROM live, participant
)
SELECT json_build_object('operation', revoked.operation)::text FROM revoked, audited
