-- Locks the session, so that the newest decision of a participant is known to be the newest. The session's own time is left as
-- it is: it says when its state changed. A refusal by a participant who may be in the call stops the open captures for that
-- purpose; one by somebody who may not come in yet does so when they join. Both are read once the lock is held: this statement's own
-- snapshot may be from before a join.
WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = s.updated_at
  WHERE s.id = $1 AND s.status IN ('creating', 'active')
  RETURNING s.*
), inserted AS MATERIALIZED (
  SELECT decision.kind, decision.granted FROM live, LATERAL medzen.insert_consent(live.id, $2, $3, $4) AS decision
), stopped AS MATERIALIZED (
  SELECT medzen.stop_refused_captures(live.id, $2, $4) AS captures FROM live
  WHERE EXISTS (SELECT FROM inserted WHERE NOT granted) AND medzen.may_be_in_call(live.id, $2)
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $5 || jsonb_strip_nulls(jsonb_build_object(
    'event', CASE WHEN inserted.granted THEN $6::text ELSE $7::text END,
    'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2, 'role', $8::text, 'kind', inserted.kind)), $4) AS seq
  FROM live, inserted
)
SELECT json_build_object(
  'new', (SELECT count(*) FROM audited WHERE seq > 0),
  'capturesStopped', (SELECT coalesce(sum(captures), 0)::bigint FROM stopped))::text
FROM live
