-- Everything that a decision needs, as domain::call::View reads it, over `caller`, `appointment`, `session`,
-- `token` and `sign`.
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'appointment', (
    SELECT json_build_object(
      'id', id, 'providerUserId', provider_user_id, 'patientUserId', patient_user_id, 'cancelled', cancelled,
      'videoEnabled', video_enabled, 'scheduledStart', scheduled_start, 'scheduledEnd', scheduled_end,
      'providerName', (SELECT u.display_name FROM medzen.call_users u WHERE u.id = provider_user_id))
    FROM appointment),
  -- An empty view is a fault of the view.
  'appointmentDeleted', EXISTS (SELECT FROM session) AND NOT EXISTS (SELECT FROM appointment)
    AND EXISTS (SELECT FROM medzen.call_appointments),
  'session', (
    SELECT json_build_object(
      'id', id, 'status', status, 'attempt', attempt, 'attemptBy', attempt_by, 'controlRegion', control_region,
      'mediaRegion', media_region, 'meetingId', meeting_id,
      'meeting', medzen.call_meeting(id),
      'recordingEnabled', recording_enabled, 'recordingRequested', recording_requested, 'transcriptionEnabled', transcription_enabled,
      'transcriptionLanguage', transcription_language,
      'createdAt', created_at, 'activatedAt', activated_at, 'checkedAt', checked_at, 'endedAt', ended_at,
      'durationSeconds', duration_seconds, 'connectedCount', connected_count, 'lastLeftAt', last_left_at,
      'endReported', EXISTS (
        SELECT FROM medzen.pending_operations o
        WHERE o.session_id = session.id AND o.operation = 'verify_meeting' AND o.completed_at IS NULL),
      'aloneSince', CASE status WHEN 'active' THEN medzen.alone_since(id, (SELECT unseen FROM sign)) END,
      'present', (
        SELECT coalesce(json_agg(user_id ORDER BY joined_at, user_id), '[]')
        FROM public.video_call_participants p
        WHERE p.video_call_id = session.id AND (p.status = 'joined' OR p.connected)))
    FROM session),
  'me', (
    SELECT json_build_object(
      'role', p.role, 'status', p.status, 'joinCount', p.join_count, 'joinCountSince', p.join_count_since,
      -- As Chime returned it, with the capabilities that it has now.
      'attendee', (SELECT attendee FROM token)
        || jsonb_build_object('Capabilities', medzen.capabilities(p.audio, p.video, p.content)))
    FROM session
    JOIN caller ON true
    JOIN public.video_call_participants p ON p.video_call_id = session.id AND p.user_id = caller.id),
  'participants', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', p.user_id, 'displayName', account.display_name, 'role', p.role, 'observerKind', p.observer_kind,
      'status', p.status, 'connected', p.connected, 'admitted', p.admitted_at IS NOT NULL,
      'hasJoined', p.joined_at IS NOT NULL, 'waitingSince', p.waiting_since,
      'hasAccount', account.id IS NOT NULL OR NOT EXISTS (SELECT FROM medzen.call_users),
      'attendeeId', (
        SELECT t.attendee_id FROM medzen.video_call_attendee_tokens t
        WHERE t.session_id = p.video_call_id AND t.user_id = p.user_id),
      'holdsToken', medzen.holds_token(p.video_call_id, p.user_id),
      'capabilities', medzen.capabilities(p.audio, p.video, p.content))
      ORDER BY p.joined_at, p.waiting_since, p.user_id), '[]')
    FROM session
    JOIN public.video_call_participants p ON p.video_call_id = session.id
    LEFT JOIN medzen.call_users account ON account.id = p.user_id),
  'consents', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', user_id, 'kind', kind, 'granted', granted, 'changes', changes)), '[]')
    FROM (
      SELECT DISTINCT ON (c.user_id, c.kind) c.user_id, c.kind, c.granted,
        count(*) OVER (PARTITION BY c.user_id, c.kind) AS changes
      FROM session JOIN public.video_call_consents c ON c.session_id = session.id
      ORDER BY c.user_id, c.kind, c.number DESC) AS newest),
  'consentRequired', coalesce((SELECT consent_required FROM token), '[]'),
  'captures', coalesce((SELECT medzen.capture_state(id) FROM session), '{"hasRecording": false, "ended": []}')
)::text
