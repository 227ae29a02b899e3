-- Locks the session first, as a join does. A removed participant is not invited again, nor one who was admitted meanwhile; of
-- two attendees that are created at once the first counts. The capabilities that an attendee was created with are stored, and the
-- role that was offered: a former provider is an observer.
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $2
  WHERE id = $1 AND status = 'active'
  RETURNING *
), guest AS (
  SELECT * FROM json_to_recordset($3)
    AS g ("userId" uuid, role text, kind text, audio text, video text, content text, "attendeeId" text, attendee jsonb)
), participant AS (
  INSERT INTO public.video_call_participants AS p (
    video_call_id, user_id, role, status, admitted_at, observer_kind, audio, video, content)
  SELECT live.id, guest."userId", guest.role, 'invited', $2, guest.kind, guest.audio, guest.video, guest.content
  FROM live, guest
  ORDER BY guest."userId"
  ON CONFLICT (video_call_id, user_id) DO UPDATE
  SET role = excluded.role, status = 'invited', admitted_at = $2, waiting_since = NULL, left_at = NULL,
      observer_kind = excluded.observer_kind,
      audio = excluded.audio, video = excluded.video, content = excluded.content
  WHERE p.status IN ('waiting', 'turned_away') OR (p.status IN ('invited', 'left') AND p.admitted_at IS NULL)
  RETURNING video_call_id, user_id, role, status, observer_kind,
    medzen.capabilities(audio, video, content) AS capabilities
), token AS (
  INSERT INTO medzen.video_call_attendee_tokens AS t (session_id, user_id, attendee_id, attendee)
  SELECT participant.video_call_id, participant.user_id, guest."attendeeId", guest.attendee
  FROM participant JOIN guest ON guest."userId" = participant.user_id
  ON CONFLICT (session_id, user_id) DO UPDATE SET attendee_id = t.attendee_id
  RETURNING user_id, attendee_id
), audited AS MATERIALIZED (
  SELECT participant.user_id, participant.role, participant.status, token.attendee_id,
    medzen.audit_append(medzen.appointment_chain(live.appointment_id), $4 || jsonb_strip_nulls(jsonb_build_object(
      'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
      'actor', $6, 'role', 'provider', 'userId', participant.user_id, 'userRole', participant.role,
      'attendeeId', token.attendee_id, 'observerKind', participant.observer_kind,
      'capabilities', participant.capabilities)), $2) AS seq
  FROM live, participant JOIN token ON token.user_id = participant.user_id
)
SELECT (
  SELECT coalesce(json_agg(json_build_object(
    'userId', user_id, 'role', role, 'status', status, 'attendeeId', attendee_id) ORDER BY user_id), '[]')
  FROM audited
)::text
FROM live
