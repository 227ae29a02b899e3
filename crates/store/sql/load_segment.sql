-- A segment by its capture ($1), with what its concatenation and its verification need.
SELECT json_build_object(
  'captureId', c.id, 'recordingId', g.recording_id, 'number', g.number, 'layout', r.layout,
  'controlRegion', s.control_region, 'pipelineId', c.pipeline_id, 'pipelineArn', c.pipeline_arn,
  'captureBeganAt', c.began_at, 'captureEndedAt', c.ended_at, 'changedAt', g.changed_at,
  'status', g.status, 'concatenationId', g.concatenation_id, 'concatenations', g.concatenations,
  'textPending', c.purposes @> '{transcription}' AND c.text_taken_at IS NULL AND EXISTS (
    SELECT FROM medzen.transcripts t WHERE t.session_id = c.session_id AND t.deletion_requested_at IS NULL),
  'defect', g.defect, 'missingSeconds', g.missing_seconds)::text
FROM medzen.recording_segments g
JOIN medzen.media_captures c ON c.id = g.capture_id
JOIN medzen.recordings r ON r.id = g.recording_id
JOIN public.video_call_sessions s ON s.id = c.session_id
WHERE g.capture_id = $1
