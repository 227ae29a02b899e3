-- A participant who asks again within a minute publishes no second event: the provider has been notified.
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $3
  WHERE id = $1 AND status = 'active'
  RETURNING *
), participant AS (
  INSERT INTO public.video_call_participants AS p (
    video_call_id, user_id, role, status, waiting_since, join_count, join_count_since)
  SELECT id, $2, $4, 'waiting', $3, 1, $3 FROM live
  ON CONFLICT (video_call_id, user_id) DO UPDATE
  SET status = 'waiting', waiting_since = $3, left_at = NULL,
      join_count = CASE WHEN p.join_count_since > $3 - interval '1 minute' THEN p.join_count + 1 ELSE 1 END,
      join_count_since = CASE WHEN p.join_count_since > $3 - interval '1 minute' THEN p.join_count_since ELSE $3 END
  WHERE p.admitted_at IS NULL AND (p.status IN ('invited', 'left')
    OR p.status = 'joined' AND NOT medzen.has_stored_attendee(p.video_call_id, p.user_id))
  RETURNING role, join_count
), published AS MATERIALIZED (
  SELECT medzen.enqueue_event($7, live.id, jsonb_build_object(
    'appointmentId', live.appointment_id, 'sessionId', live.id, 'userId', $2, 'role', participant.role,
    'userIds', (SELECT jsonb_build_array(a.provider_user_id) FROM medzen.call_appointments a
                WHERE a.id = live.appointment_id AND a.provider_user_id IS NOT NULL)), $3, $3, $8) AS operation
  FROM live, participant WHERE participant.join_count = 1
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $5 || jsonb_build_object(
    'event', $6::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2, 'role', participant.role), $3) AS seq
  FROM live, participant
)
SELECT json_build_object('event', (SELECT operation FROM published))::text FROM audited
