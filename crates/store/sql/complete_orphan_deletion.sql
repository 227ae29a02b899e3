-- Completes the deletion of an orphan meeting ($1 operation, $2 now). Where the session is known that it was created for, its
-- appointment's audit log has an entry; but not for the meeting that the session had: that ended with its call.
WITH completed AS (
  UPDATE medzen.pending_operations o SET completed_at = $2, leased_until = NULL
  WHERE o.id = $1 AND o.completed_at IS NULL
  RETURNING o.target, o.session_id
), meeting AS (
  UPDATE medzen.chime_meetings m SET ended_at = $2
  FROM completed WHERE m.meeting_id = completed.target AND m.ended_at IS NULL
), audited AS MATERIALIZED (
  SELECT count(medzen.audit_append(medzen.appointment_chain(s.appointment_id), $3 || jsonb_build_object(
    'event', $4::text, 'appointmentId', s.appointment_id, 'sessionId', s.id, 'meetingId', completed.target), $2)) AS entries
  FROM completed JOIN public.video_call_sessions s ON s.id = completed.session_id
  WHERE s.meeting_id IS DISTINCT FROM completed.target
)
SELECT (EXISTS (SELECT FROM completed))::text FROM audited
