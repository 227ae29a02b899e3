-- Locks the session first, so that no join commits while an end does. No row comes back for a participant who has joined (and has
-- a stored attendee: whoever connects with a revoked one has none), was removed or turned away, has not been admitted where that is needed ($9), or whose capabilities are by now others than those
-- that a new attendee was created with ($10); nor where a stored attendee ($10 null) is not the participant's any more; nor while
-- a capture is open for a purpose to which the participant has not consented.
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $3
  WHERE id = $1 AND status = 'active'
  RETURNING *
), required AS MATERIALIZED (
  SELECT m.purpose FROM live, LATERAL medzen.missing_consents(live.id, $2) AS m
), participant AS (
  INSERT INTO public.video_call_participants AS p (
    video_call_id, user_id, role, status, joined_at, admitted_at, join_count, join_count_since)
  SELECT id, $2, $4, 'joined', $3, $3, 1, $3 FROM live
  WHERE NOT EXISTS (SELECT FROM required) AND (NOT $9 OR EXISTS (
    SELECT FROM public.video_call_participants own
    WHERE own.video_call_id = live.id AND own.user_id = $2 AND own.admitted_at IS NOT NULL))
  ON CONFLICT (video_call_id, user_id) DO UPDATE
  SET status = 'joined', joined_at = $3, left_at = NULL, waiting_since = NULL, admitted_at = coalesce(p.admitted_at, $3),
      join_count = CASE WHEN p.join_count_since > $3 - interval '1 minute' THEN p.join_count + 1 ELSE 1 END,
      join_count_since = CASE WHEN p.join_count_since > $3 - interval '1 minute' THEN p.join_count_since ELSE $3 END
  WHERE p.status NOT IN ('removed', 'turned_away')
    AND (p.status <> 'joined' OR NOT medzen.has_stored_attendee(p.video_call_id, p.user_id))
    AND (NOT $9 OR p.admitted_at IS NOT NULL)
    AND CASE WHEN $10::jsonb IS NULL THEN medzen.has_attendee(p.video_call_id, p.user_id, $5)
      ELSE $10 = medzen.capabilities(p.audio, p.video, p.content) END
  RETURNING video_call_id, user_id, role, medzen.capabilities(audio, video, content) AS capabilities
), token AS (
  INSERT INTO medzen.video_call_attendee_tokens AS t (session_id, user_id, attendee_id, attendee)
  SELECT video_call_id, user_id, $5, $6 FROM participant
  ON CONFLICT (session_id, user_id) DO UPDATE SET attendee_id = t.attendee_id
  RETURNING attendee_id, attendee
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $7 || jsonb_build_object(
    'event', $8::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2, 'role', participant.role, 'attendeeId', token.attendee_id), $3) AS seq
  FROM live, participant, token
)
SELECT json_build_object('attendee', token.attendee || jsonb_build_object('Capabilities', participant.capabilities))::text
FROM participant, token, audited
