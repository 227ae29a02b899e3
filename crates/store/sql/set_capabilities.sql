-- Capabilities that are not named ($9, $10, $11 null) stay as they are at that moment. Where the participant has an
-- attendee, the update of it is enqueued.
WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = $3
  WHERE s.id = $1 AND s.status = 'active'
  RETURNING s.*
), participant AS (
  INSERT INTO public.video_call_participants AS p (video_call_id, user_id, role, status, audio, video, content)
  SELECT id, $2, $7, 'invited',
    coalesce($9, 'SendReceive'), coalesce($10, 'SendReceive'), coalesce($11, 'SendReceive') FROM live
  ON CONFLICT (video_call_id, user_id) DO UPDATE
  SET audio = coalesce($9, p.audio), video = coalesce($10, p.video), content = coalesce($11, p.content)
  WHERE p.status <> 'removed' AND p.user_id <> $6
    AND (coalesce($9, p.audio), coalesce($10, p.video), coalesce($11, p.content)) <> (p.audio, p.video, p.content)
    AND (coalesce($11, p.content) NOT IN ('SendReceive', 'Receive')
      OR coalesce($10, p.video) IN ('SendReceive', 'Receive'))
  RETURNING video_call_id, user_id, role, medzen.capabilities(audio, video, content) AS capabilities
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_capability_update(video_call_id, user_id, capabilities, $3, $8) AS operation FROM participant
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $6, 'role', 'provider', 'userId', participant.user_id, 'userRole', participant.role,
    'capabilities', participant.capabilities)), $3) AS seq
  FROM live, participant
)
SELECT json_build_object('operation', enqueued.operation)::text FROM enqueued, audited
