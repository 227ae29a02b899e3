-- The newest legal hold on what is kept of an appointment ($3), and how far it is applied; with the caller ($1 subject or $2 user), and
-- whether there is such an appointment: the host's, or one of which the host has deleted all but the calls.
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM medzen.caller($1, $2, $3) AS id),
  'appointmentExists', EXISTS (SELECT FROM medzen.call_appointments a WHERE a.id = $3)
    OR EXISTS (SELECT FROM public.video_call_sessions s WHERE s.appointment_id = $3),
  'recordings', (
    SELECT count(*) FROM public.video_call_sessions s JOIN medzen.recordings r ON r.session_id = s.id
    WHERE s.appointment_id = $3 AND r.deletion_requested_at IS NULL),
  'deletedRecordings', (
    SELECT count(*) FROM public.video_call_sessions s JOIN medzen.recordings r ON r.session_id = s.id
    WHERE s.appointment_id = $3 AND r.deletion_requested_at IS NOT NULL),
  'hold', (
    SELECT json_build_object(
      'reason', h.reason, 'placedAt', h.placed_at, 'placedBy', h.placed_by, 'liftedAt', h.lifted_at, 'liftedBy', h.lifted_by,
      -- Chunks of an open capture are added at any time.
      'filesApplied', h.files_applied = h.file_changes AND NOT EXISTS (
        SELECT FROM public.video_call_sessions s JOIN medzen.media_captures c ON c.session_id = s.id
        WHERE s.appointment_id = $3 AND c.status IN ('requested', 'starting', 'running', 'stopping')),
      'filesAppliedAt', h.files_applied_at, 'fileVersions', h.file_versions,
      'entriesApplied', CASE WHEN h.lifted_at IS NULL THEN h.entries_applied >= length.entries ELSE h.entries_applied_at IS NOT NULL END,
      'entriesAppliedAt', h.entries_applied_at, 'entries', h.entries_applied)
    FROM medzen.legal_holds h, LATERAL (SELECT medzen.chain_length(medzen.appointment_chain($3)) AS entries) AS length
    WHERE h.appointment_id = $3 ORDER BY h.id DESC LIMIT 1)
)::text
