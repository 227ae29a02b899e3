SELECT coalesce(json_agg(json_build_object(
  'userId', guest.id, 'known', EXISTS (SELECT FROM medzen.call_users account WHERE account.id = guest.id),
  'role', p.role, 'status', p.status, 'attendeeId', token.attendee_id,
  'admitted', p.admitted_at IS NOT NULL, 'observerKind', p.observer_kind,
  'capabilities', CASE WHEN p.user_id IS NOT NULL
    THEN medzen.capabilities(p.audio, p.video, p.content) END) ORDER BY guest.id), '[]')::text
FROM unnest($2::uuid[]) AS guest (id)
LEFT JOIN public.video_call_participants p ON p.video_call_id = $1 AND p.user_id = guest.id
LEFT JOIN medzen.video_call_attendee_tokens token ON token.session_id = p.video_call_id AND token.user_id = p.user_id
