-- $1 session, $2 meeting id, $3 Meeting, $4 now, $5 provider, $6 attendee id, $7 Attendee, $8 origin, $9 audit event,
-- $10 detail type of the event, which the schedule or the next event batch publishes.
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'active', attempt_by = NULL, meeting_id = $2, activated_at = $4, updated_at = $4,
      projection_stale = EXISTS (SELECT FROM medzen.chime_events e WHERE e.meeting_id = $2)
  WHERE id = $1 AND status = 'creating'
  RETURNING *
), meeting AS (
  INSERT INTO medzen.call_meetings (session_id, meeting) SELECT id, $3 FROM changed
), participant AS (
  INSERT INTO public.video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
  SELECT id, $5, 'provider', 'joined', $4, $4 FROM changed
  RETURNING video_call_id, user_id
), token AS (
  INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
  SELECT video_call_id, user_id, $6, $7 FROM participant
), published AS MATERIALIZED (
  SELECT medzen.enqueue_event($10, changed.id, jsonb_build_object(
    'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'startedBy', $5,
    'userIds', medzen.call_member_ids(changed.id, changed.appointment_id) - $5::text), $4, $4, NULL) AS operation
  FROM changed
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(changed.appointment_id), $8 || jsonb_strip_nulls(jsonb_build_object(
    'event', $9::text, 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id,
    'actor', $5, 'role', 'provider', 'mediaRegion', changed.media_region)), $4) AS seq
  FROM changed
)
SELECT 'true' FROM published, audited
