-- The history of each session in `session`, with its events in `event`, as domain::presence::SessionHistory reads it.
, history AS (
  SELECT coalesce(json_agg(json_build_object(
    'id', session.id, 'status', session.status, 'version', session.projection_version, 'stale', session.projection_stale,
    'activatedAt', session.activated_at, 'checkedAt', session.checked_at,
    'endRequestedAt', CASE session.status WHEN 'ending' THEN session.updated_at END, 'endedAt', session.ended_at,
    'events', (
      SELECT coalesce(json_agg(json_build_object(
        'id', event.event_id, 'kind', event.kind, 'atMs', event.at_ms, 'attendeeId', event.attendee_id,
        'externalUserId', event.external_user_id,
        'receivedMs', floor(extract(epoch FROM event.received_at) * 1000)::bigint, 'applied', event.session_id IS NOT NULL)), '[]')
      FROM event WHERE event.meeting_id = session.meeting_id),
    'participants', (
      SELECT coalesce(json_agg(json_build_object(
        'userId', p.user_id, 'status', p.status, 'joinedAt', p.joined_at, 'leftAt', p.left_at,
        'durationSeconds', p.duration_seconds, 'connected', p.connected, 'connections', p.connections,
        'drops', p.drops,
        -- No EXISTS, for which PostgreSQL would hash the whole table.
        'hasAttendee', coalesce((
          SELECT true FROM medzen.video_call_attendee_tokens t
          WHERE t.session_id = p.video_call_id AND t.user_id = p.user_id), false))), '[]')
      FROM public.video_call_participants p WHERE p.video_call_id = session.id))), '[]') AS sessions
  FROM session
)
