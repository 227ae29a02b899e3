-- Finishes a transcript ($1) with its result ($2 outcome, $3 segments, $4 SHA-256, $10 gaps), unless a run has begun again, a job is open,
-- or its deletion was requested; the speech that was captured for its text alone is deleted, and with $11 its medical
-- entities are found. $5 now, $6 origin, $7 audit event, $8 the event's detail type;
-- the request publishes it until $9.
WITH live AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s
  WHERE s.id = (SELECT t.session_id FROM medzen.transcripts t WHERE t.id = $1) FOR NO KEY UPDATE
), finished AS (
  UPDATE medzen.transcripts t SET finished_at = $5, outcome = $2, segment_count = $3, sha256 = $4, gaps = $10
  FROM live
  WHERE t.id = $1 AND t.session_id = live.id AND t.finished_at IS NULL AND t.deletion_requested_at IS NULL
    -- Once the lock is held; text that came meanwhile is not in the SHA-256.
    AND medzen.is_text_complete(live.id) AND medzen.segment_count(t.id) = $3
    AND NOT EXISTS (SELECT FROM medzen.transcription_jobs j WHERE j.transcript_id = t.id AND j.ended_at IS NULL)
  RETURNING t.id, t.session_id, t.outcome, t.segment_count, t.sha256
), session AS (
  SELECT s.* FROM finished JOIN public.video_call_sessions s ON s.id = finished.session_id
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation('delete_chunks', c.id::text, session.id,
    jsonb_build_object('controlRegion', session.control_region), $5, NULL) AS operation
  FROM session JOIN medzen.media_captures c ON c.session_id = session.id
  WHERE c.purposes = '{transcription}' AND c.speech_deleted_at IS NULL
), stale AS (
  DELETE FROM medzen.transcript_entities e USING finished WHERE e.transcript_id = finished.id
), entities AS MATERIALIZED (
  SELECT medzen.enqueue_operation('find_entities', finished.id::text, finished.session_id, jsonb_build_object('at', $5), $5, NULL) AS operation
  FROM finished WHERE $11 AND finished.segment_count > 0
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(session.appointment_id), $6 || jsonb_strip_nulls(jsonb_build_object(
    'event', $7::text, 'appointmentId', session.appointment_id, 'sessionId', session.id, 'transcriptId', finished.id,
    'state', finished.outcome, 'segments', finished.segment_count, 'sha256', finished.sha256)), $5) AS seq
  FROM finished, session
), published AS MATERIALIZED (
  SELECT medzen.enqueue_event($8, session.id, jsonb_build_object(
    'appointmentId', session.appointment_id, 'sessionId', session.id, 'transcriptId', finished.id,
    'complete', CASE finished.outcome WHEN 'failed' THEN NULL ELSE finished.outcome = 'ready' END,
    -- Nobody where the host application deleted the appointment meanwhile.
    'userIds', (SELECT coalesce(jsonb_agg(a.provider_user_id), '[]') FROM medzen.call_appointment(session.appointment_id, '{}') AS a)),
    $5, $5, $9) AS operation
  FROM finished, session
)
SELECT json_build_object('event', (SELECT operation FROM published), 'entries', (SELECT count(seq) FROM audited),
  'deletions', (SELECT count(operation) FROM enqueued), 'entities', (SELECT count(operation) FROM entities))::text
FROM finished
