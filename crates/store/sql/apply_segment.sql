-- Writes a segment ($2), if its status and the number of its concatenations are still those that were read ($3, $4), with the
-- operation that follows ($5, null for none), the audit entry of one that is finished, and the result of its recording. $1 capture,
-- $6 now, $7 origin, $8 audit event; the request publishes the result until $9.
WITH segment AS (
  UPDATE medzen.recording_segments g
  SET status = n.status, changed_at = $6, concatenation_id = n."concatenationId", concatenations = n.concatenations,
      defect = n.defect, missing_seconds = n."missingSeconds", started_at = coalesce(n."startedAt", g.started_at),
      duration_seconds = coalesce(n."durationSeconds", g.duration_seconds), sha256 = coalesce(n.sha256, g.sha256)
  FROM jsonb_to_record($2) AS n (
    status text, "concatenationId" text, concatenations integer, defect text, "missingSeconds" numeric, "startedAt" timestamptz,
    "durationSeconds" numeric, sha256 text)
  WHERE g.capture_id = $1 AND g.status = $3 AND g.concatenations = $4
  RETURNING g.*
), session AS (
  SELECT s.* FROM segment JOIN medzen.media_captures c ON c.id = segment.capture_id
  JOIN public.video_call_sessions s ON s.id = c.session_id
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation($5, segment.capture_id::text, session.id,
    jsonb_build_object('controlRegion', session.control_region), $6, NULL) AS operation
  FROM segment, session WHERE $5 IS NOT NULL
), held AS MATERIALIZED (
  -- Its concatenated file, or the copy, which may have begun before the hold was placed.
  SELECT medzen.enqueue_hold(session.appointment_id, $6) AS done
  FROM segment, session WHERE segment.status IN ('verifying', 'ready', 'incomplete', 'failed')
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(session.appointment_id), $7 || jsonb_strip_nulls(jsonb_build_object(
    'event', $8::text, 'appointmentId', session.appointment_id, 'sessionId', session.id, 'recordingId', segment.recording_id,
    'number', segment.number, 'state', segment.status, 'reason', segment.defect, 'missingSeconds', segment.missing_seconds,
    'sha256', segment.sha256)), $6) AS seq
  FROM segment, session WHERE segment.status IN ('ready', 'incomplete', 'failed') AND (SELECT count(done) FROM held) >= 0
), published AS MATERIALIZED (
  SELECT medzen.finish_recording(segment.recording_id, $6, $9) AS operation
  FROM segment WHERE (SELECT count(*) FROM audited) >= 0
)
SELECT json_build_object('event', (SELECT operation FROM published),
  'entries', (SELECT count(seq) FROM audited), 'operations', (SELECT count(operation) FROM enqueued),
  'passes', (SELECT count(done) FROM held))::text
FROM segment
