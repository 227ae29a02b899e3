-- $1 subject of the token or null, $2 users.id or null; $3 appointment or null, $4 meeting or null; $5 session or null; $6 the
-- host's statuses that mean "cancelled"; $7 whether the request hands out a join token; $8 now, where the request is a sign that the
-- caller's client is alive, and $9 before when such a sign does not count any more.
WITH sign AS (
  SELECT $8::timestamptz AS at, $9::timestamptz AS unseen
), target AS (
  SELECT coalesce($3, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4)) AS id
), appointment AS (
  SELECT a.* FROM target, LATERAL medzen.call_appointment(target.id, $6) AS a
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), session AS (
  SELECT s.* FROM public.video_call_sessions s JOIN target ON s.appointment_id = target.id
  WHERE ($4 IS NULL OR s.meeting_id = $4) AND ($5 IS NULL OR s.id = $5)
  ORDER BY s.status IN ('creating', 'active', 'ending') DESC, s.created_at DESC, s.id
  LIMIT 1
), token AS MATERIALIZED (
  SELECT t.* FROM session, caller, LATERAL medzen.hand_out_token(session.id, caller.id, $7) AS t
  WHERE session.status = 'active' AND (
    -- Nobody else waits for the session's lock, or takes it.
    EXISTS (SELECT FROM appointment a WHERE caller.id IN (a.provider_user_id, a.patient_user_id))
    OR EXISTS (
      SELECT FROM public.video_call_participants p WHERE p.video_call_id = session.id AND p.user_id = caller.id))
)
