-- Requests the recording of an active call ($1), or withdraws the request ($2 false), with its audit entry ($6 event) by a participant
-- ($4) with a role ($5). $3 origin, $7 now. Nothing where it is so already, or a recording that has begun goes on.
WITH changed AS (
  UPDATE public.video_call_sessions s SET recording_requested = $2, recording_enabled = $2
  WHERE s.id = $1 AND s.status = 'active' AND s.recording_requested <> $2
    AND NOT EXISTS (SELECT FROM medzen.recordings r WHERE r.session_id = s.id AND r.ended_at IS NULL)
  RETURNING s.id, s.appointment_id, s.meeting_id
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(changed.appointment_id), $3 || jsonb_strip_nulls(jsonb_build_object(
    'event', $6::text, 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
    'actor', $4, 'role', $5::text)), $7) AS seq
  FROM changed
)
SELECT 'true' FROM audited WHERE seq > 0
