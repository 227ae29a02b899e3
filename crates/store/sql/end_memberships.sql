-- Ends the part of participants ($2: userId, reason) who are no members of the appointment any more: their join tokens are
-- deleted, and Chime deletes their attendees; the others are notified by an event ($6). The request executes the operations
-- until $7; null: the schedule does. Somebody who becomes a member again must be admitted again.
WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = $3
  WHERE s.id = $1 AND s.status = 'active'
  RETURNING s.*
), ended AS (
  SELECT * FROM jsonb_to_recordset($2) AS e ("userId" uuid, reason text)
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', admitted_at = NULL, waiting_since = NULL,
      left_at = CASE WHEN p.status IN ('joined', 'waiting') THEN $3 ELSE p.left_at END,
      duration_seconds = p.duration_seconds
        + CASE p.status WHEN 'joined' THEN medzen.seconds_between(p.joined_at, $3) ELSE 0 END
  FROM live, ended
  WHERE p.video_call_id = live.id AND p.user_id = ended."userId" AND (
    p.status IN ('invited', 'waiting', 'joined') OR p.status = 'left' AND p.admitted_at IS NOT NULL)
  RETURNING p.video_call_id, p.user_id, p.role, ended.reason
), revoked AS MATERIALIZED (
  SELECT participant.*, medzen.revoke_attendee(video_call_id, user_id, $3, $7) AS operation
  FROM (SELECT * FROM participant ORDER BY user_id) AS participant
), published AS MATERIALIZED (
  SELECT revoked.user_id, medzen.enqueue_event($6, live.id, jsonb_build_object(
    'appointmentId', live.appointment_id, 'sessionId', live.id, 'userId', revoked.user_id, 'role', revoked.role,
    'reason', revoked.reason,
    'userIds', medzen.call_member_ids(live.id, live.appointment_id) - revoked.user_id::text), $3, $3, $7) AS operation
  FROM live, revoked
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'userId', revoked.user_id, 'userRole', revoked.role, 'reason', revoked.reason,
    'attendeeId', revoked.operation ->> 'target')), $3) AS seq
  FROM live, revoked
)
SELECT json_build_object(
  'ended', (SELECT count(*) FROM audited WHERE seq > 0),
  'attendees', (SELECT coalesce(json_agg(operation) FILTER (WHERE operation IS NOT NULL), '[]') FROM revoked),
  'events', (SELECT coalesce(json_agg(operation), '[]') FROM published))::text
FROM live
