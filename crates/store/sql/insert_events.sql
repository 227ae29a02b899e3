-- Inserts a batch of events ($1) and returns the history of the sessions that they belong to.
--
-- Rows that this statement inserts are not visible to its own reads, so `inserted` is added to them. Events that another batch
-- inserts at this moment are missing; then that batch writes its projection later, or this one finds that it did. A known
-- meeting is not updated, so that batches about it do not wait for each other.
--
-- Tables are read for an array of keys and not joined to the batch: PostgreSQL expects 100 rows of anything that comes as
-- JSON, and for so many it reads thousands from end to end. Events that do not change attendance are read once, for their
-- audit entry, so a camera that is switched all day costs nothing.
--
-- A meeting whose session has ended is gone, or its deletion is enqueued. An event that claims its end before proves nothing, and
-- an orphan is deleted whatever events claim.
WITH batch AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1) AS b (
    event_id text, meeting_id text, external_meeting_id text, control_region text, kind text, at_ms bigint,
    attendee_id text, external_user_id text)
), inserted AS (
  INSERT INTO medzen.chime_events (
    event_id, meeting_id, kind, at_ms, attendee_id, external_user_id, received_at)
  SELECT event_id, meeting_id, kind, at_ms, attendee_id, external_user_id, $2 FROM batch ORDER BY event_id
  ON CONFLICT (event_id) DO NOTHING
  RETURNING event_id, meeting_id, kind, at_ms, attendee_id, external_user_id, received_at, session_id
), session AS MATERIALIZED (
  SELECT s.* FROM public.video_call_sessions s WHERE s.meeting_id = ANY (ARRAY (SELECT meeting_id FROM batch))
), known AS MATERIALIZED (
  SELECT m.meeting_id FROM medzen.chime_meetings m WHERE m.meeting_id = ANY (ARRAY (SELECT meeting_id FROM batch))
), meeting AS (
  INSERT INTO medzen.chime_meetings AS m (
    meeting_id, external_meeting_id, control_region, first_seen_at, ended_at)
  SELECT meeting_id, max(external_meeting_id), max(control_region), $2,
    CASE WHEN meeting_id IN (SELECT meeting_id FROM session WHERE status = 'ended') THEN $2 END
  FROM batch
  WHERE external_meeting_id IS NOT NULL AND meeting_id NOT IN (SELECT meeting_id FROM known)
  GROUP BY meeting_id ORDER BY meeting_id
  ON CONFLICT (meeting_id) DO NOTHING
), event AS (
  SELECT e.event_id, e.meeting_id, e.kind, e.at_ms, e.attendee_id, e.external_user_id, e.received_at, e.session_id
  FROM medzen.chime_events e
  WHERE e.meeting_id IN (SELECT meeting_id FROM session)
    AND (e.session_id IS NULL
      OR e.kind IN ('AttendeeAdded', 'AttendeeAuthorized', 'AttendeeJoined', 'AttendeeLeft', 'AttendeeDropped', 'AttendeeDeleted', 'MeetingEnded'))
  UNION ALL
  SELECT * FROM inserted
)
