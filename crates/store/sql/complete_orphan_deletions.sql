-- Completes the deletion of orphan meetings ($1 operations, $2 now). Where the session is known that a meeting was created for,
-- its appointment's audit log has an entry; but not for the meeting that the session had: that ended with its call. Meetings are
-- locked in the order of their ids, as by the events.
WITH completed AS (
  UPDATE medzen.pending_operations o SET completed_at = $2, leased_until = NULL
  WHERE o.id = ANY ($1) AND o.completed_at IS NULL
  RETURNING o.target, o.session_id
), locked AS MATERIALIZED (
  SELECT m.meeting_id FROM medzen.chime_meetings m JOIN completed ON completed.target = m.meeting_id
  WHERE m.ended_at IS NULL
  ORDER BY m.meeting_id
  FOR UPDATE OF m
), meeting AS (
  UPDATE medzen.chime_meetings m SET ended_at = $2 FROM locked WHERE m.meeting_id = locked.meeting_id
), orphan AS (
  SELECT s.id, s.appointment_id, completed.target
  FROM completed JOIN public.video_call_sessions s ON s.id = completed.session_id
  WHERE s.meeting_id IS DISTINCT FROM completed.target
  ORDER BY s.appointment_id, completed.target
), audited AS MATERIALIZED (
  SELECT count(medzen.audit_append(medzen.appointment_chain(appointment_id), $3 || jsonb_build_object(
    'event', $4::text, 'appointmentId', appointment_id, 'sessionId', id, 'meetingId', target), $2)) AS entries
  FROM orphan
)
SELECT (SELECT count(*) FROM completed)::text FROM audited
