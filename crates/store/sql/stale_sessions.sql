-- Sessions whose attendance must be projected again: at most $1 of those that were changed without it, at most $1 of those with
-- events that were received before $2 and not applied (their batch died, or the session was not known yet), and those of $3.
WITH changed AS (
  SELECT s.id FROM public.video_call_sessions s WHERE s.projection_stale ORDER BY s.updated_at, s.id LIMIT $1
), unapplied AS (
  SELECT s.id FROM medzen.chime_events e
  JOIN public.video_call_sessions s ON s.meeting_id = e.meeting_id
  WHERE e.session_id IS NULL AND e.received_at <= $2
  GROUP BY s.id ORDER BY min(e.received_at), s.id LIMIT $1
), session AS (
  SELECT s.* FROM public.video_call_sessions s
  WHERE s.id = ANY (ARRAY (SELECT id FROM changed UNION SELECT id FROM unapplied)) OR s.id = ANY ($3)
), event AS (
  SELECT e.event_id, e.meeting_id, e.kind, e.at_ms, e.attendee_id, e.external_user_id, e.received_at, e.session_id
  FROM medzen.chime_events e
  WHERE e.meeting_id IN (SELECT meeting_id FROM session)
    AND (e.session_id IS NULL
      OR e.kind IN ('AttendeeAdded', 'AttendeeAuthorized', 'AttendeeJoined', 'AttendeeLeft', 'AttendeeDropped', 'AttendeeDeleted', 'MeetingEnded'))
)
