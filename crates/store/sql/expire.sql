-- Ends what has expired ($1 now): participants who vanished, at most $7 in one run, and calls without participants or with one who
-- was forgotten, at most $7 too. $2 unseen before, $3 unconnected before, $4 empty before, $5 alone before, $6 origin, $8 and $9
-- audit events.
--
-- The rows that this statement reads may change until it holds a session's lock, so the conditions are checked again then: those of
-- participants by their own rows, those of a session by a function that reads anew. A call whose last participant expires here
-- is ended later, when it was empty for long enough.
WITH active AS MATERIALIZED (
  SELECT s.id, medzen.reason_to_end(s.id, $2, $4, $5) AS reason
  FROM public.video_call_sessions s WHERE s.status = 'active'
), gone AS MATERIALIZED (
  SELECT p.video_call_id, p.user_id
  FROM public.video_call_participants p
  WHERE p.video_call_id = ANY (ARRAY (SELECT id FROM active WHERE reason IS NULL)) AND (
    p.status = 'waiting' AND greatest(p.waiting_since, p.seen_at) <= $2
    OR p.status = 'joined' AND NOT p.connected AND p.joined_at <= $3 AND (p.seen_at IS NULL OR p.seen_at <= $2))
  ORDER BY p.video_call_id, p.user_id
  LIMIT $7
), due AS (
  SELECT id FROM active WHERE reason IS NOT NULL ORDER BY id LIMIT $7
), locked AS MATERIALIZED (
  SELECT s.* FROM public.video_call_sessions s
  WHERE s.id = ANY (ARRAY (SELECT id FROM due UNION SELECT video_call_id FROM gone)) AND s.status = 'active'
  ORDER BY s.id
  FOR UPDATE
), ending AS MATERIALIZED (
  SELECT locked.id, medzen.reason_to_end(locked.id, $2, $4, $5) AS reason FROM locked WHERE locked.id IN (SELECT id FROM due)
), changed AS (
  UPDATE public.video_call_sessions s SET status = 'ending', end_reason = ending.reason, updated_at = $1
  FROM ending WHERE s.id = ending.id AND ending.reason IS NOT NULL
  RETURNING s.id, s.appointment_id, s.meeting_id, s.control_region, s.end_reason
), enqueued AS MATERIALIZED (
  SELECT count(medzen.enqueue_operation('delete_meeting', meeting_id, id,
    jsonb_build_object('controlRegion', control_region, 'orphan', false), $1, NULL)) AS operations
  FROM (SELECT * FROM changed ORDER BY meeting_id) AS ordered
), before AS MATERIALIZED (
  SELECT p.video_call_id, p.user_id, p.status
  FROM public.video_call_participants p
  JOIN gone ON gone.video_call_id = p.video_call_id AND gone.user_id = p.user_id
  JOIN locked ON locked.id = p.video_call_id
), expired AS (
  UPDATE public.video_call_participants p SET status = 'left', left_at = $1, waiting_since = NULL
  FROM before
  WHERE p.video_call_id = before.video_call_id AND p.user_id = before.user_id AND (
    p.status = 'waiting' AND greatest(p.waiting_since, p.seen_at) <= $2
    OR p.status = 'joined' AND NOT p.connected AND p.joined_at <= $3 AND (p.seen_at IS NULL OR p.seen_at <= $2))
  RETURNING p.video_call_id, p.user_id, p.role,
    CASE before.status WHEN 'waiting' THEN 'not_seen' ELSE 'not_connected' END AS reason
), revoked AS MATERIALIZED (
  SELECT count(medzen.revoke_attendee(video_call_id, user_id, $1, NULL)) AS operations
  FROM (SELECT * FROM expired ORDER BY video_call_id, user_id) AS ordered
), entry AS (
  SELECT locked.appointment_id, expired.user_id, jsonb_build_object(
    'event', $8::text, 'appointmentId', locked.appointment_id, 'sessionId', locked.id, 'meetingId', locked.meeting_id,
    'userId', expired.user_id, 'userRole', expired.role, 'reason', expired.reason) AS payload
  FROM expired JOIN locked ON locked.id = expired.video_call_id
  UNION ALL
  SELECT appointment_id, NULL, jsonb_build_object(
    'event', $9::text, 'appointmentId', appointment_id, 'sessionId', id, 'meetingId', meeting_id, 'reason', end_reason)
  FROM changed
), audited AS MATERIALIZED (
  SELECT count(medzen.audit_append(medzen.appointment_chain(appointment_id), $6 || payload, $1)) AS entries
  FROM (SELECT * FROM entry ORDER BY appointment_id, user_id) AS ordered
)
SELECT json_build_object('participants', (SELECT count(*) FROM expired), 'calls', (SELECT count(*) FROM changed))::text
FROM audited, revoked, enqueued
