WITH appointment AS (
  SELECT a.* FROM medzen.call_appointment($3, $4) AS a
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), session AS (
  SELECT s.* FROM public.video_call_sessions s WHERE s.appointment_id = $3
  ORDER BY s.status IN ('creating', 'active', 'ending') DESC, s.created_at DESC, s.id
  LIMIT 1
)
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'appointment', (
    SELECT json_build_object(
      'id', id, 'providerUserId', provider_user_id, 'patientUserId', patient_user_id, 'cancelled', cancelled,
      'videoEnabled', video_enabled)
    FROM appointment),
  -- An empty view is a fault of the view.
  'appointmentDeleted', EXISTS (SELECT FROM session) AND NOT EXISTS (SELECT FROM appointment)
    AND EXISTS (SELECT FROM medzen.call_appointments),
  'session', (SELECT json_build_object('id', id, 'status', status) FROM session),
  'attendees', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', p.user_id, 'displayName', account.display_name, 'role', p.role, 'status', p.status,
      'attendeeId', token.attendee_id, 'joinedAt', p.joined_at, 'leftAt', p.left_at,
      'durationSeconds', p.duration_seconds, 'connected', p.connected, 'connections', p.connections, 'drops', p.drops,
      'observerKind', p.observer_kind, 'admitted', p.admitted_at IS NOT NULL,
      'hasAccount', account.id IS NOT NULL OR NOT EXISTS (SELECT FROM medzen.call_users),
      'waitingSince', p.waiting_since,
      'capabilities', medzen.capabilities(p.audio, p.video, p.content))
      ORDER BY p.joined_at, p.waiting_since, p.user_id), '[]')
    FROM session
    JOIN public.video_call_participants p ON p.video_call_id = session.id
    LEFT JOIN medzen.call_users account ON account.id = p.user_id
    LEFT JOIN medzen.video_call_attendee_tokens token
      ON token.session_id = p.video_call_id AND token.user_id = p.user_id)
)::text
