-- Reads a call as load_call does, without a join token, and notes that the caller's client is alive ($6 now), where that may keep
-- the caller's part in the call: at most once in 20 seconds.
-- $1 subject of the token or null, $2 users.id or null; $3 appointment or null, $4 meeting or null; $5 session or null; $7 the
-- host's statuses that mean "cancelled".
WITH target AS (
  SELECT coalesce($3, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4)) AS id
), appointment AS (
  SELECT a.* FROM target, LATERAL medzen.call_appointment(target.id, $7) AS a
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), session AS (
  SELECT s.* FROM public.video_call_sessions s JOIN target ON s.appointment_id = target.id
  WHERE ($4 IS NULL OR s.meeting_id = $4) AND ($5 IS NULL OR s.id = $5)
  ORDER BY s.status IN ('creating', 'active', 'ending') DESC, s.created_at DESC, s.id
  LIMIT 1
), token AS MATERIALIZED (
  SELECT t.* FROM session, caller, LATERAL medzen.hand_out_token(session.id, caller.id, false) AS t
  WHERE session.status = 'active'
), seen AS (
  UPDATE public.video_call_participants p SET seen_at = $6
  FROM session, caller
  WHERE p.video_call_id = session.id AND p.user_id = caller.id AND session.status = 'active'
    AND p.status IN ('waiting', 'joined') AND (p.seen_at IS NULL OR p.seen_at <= $6 - interval '20 seconds')
)
