-- Writes a run ($2) of a session ($1), if its status, its number of starts, its beginning and the reason of its end are still those that
-- were read ($3, $4, $14, $15), and Chime is asked to start only where the speech may be captured. With it what follows:
-- the operation $8 with the payload $9, leased by the request until $10, the audit event $11, and at its end the return of the
-- seconds that it did not use. $5 the run as it is from now on, $6 now, $7 origin; $12 actor and $13 role, null for the system.
WITH live AS MATERIALIZED (
  SELECT s.* FROM public.video_call_sessions s WHERE s.id = $1 FOR NO KEY UPDATE
), changed AS (
  UPDATE medzen.transcription_runs r
  SET status = n.status, attempt = n.attempt, confirmed_at = n."confirmedAt", started_at = n."startedAt", ended_at = n."endedAt",
      end_reason = n."endReason", message = coalesce(n.message, r.message),
      limit_at = CASE r.mode WHEN 'live' THEN n."startedAt" + r.reserved_seconds * interval '1 second' ELSE r.limit_at END
  FROM live, jsonb_to_record($5) AS n (
    status text, attempt integer, "confirmedAt" timestamptz, "startedAt" timestamptz, "endedAt" timestamptz, "endReason" text,
    message text)
  WHERE r.id = $2 AND r.session_id = live.id AND r.status = $3 AND r.attempt = $4
    AND r.started_at IS NOT DISTINCT FROM $14 AND r.end_reason IS NOT DISTINCT FROM $15
    AND ($8 IS DISTINCT FROM 'start_transcription' OR medzen.may_capture(live.id, '{transcription}'))
  RETURNING r.*
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation($8, changed.id::text, live.id, $9, $6, $10) AS operation
  FROM changed, live WHERE $8 IS NOT NULL
), finished AS MATERIALIZED (
  SELECT medzen.finish_run(changed.id, $6) AS done FROM changed WHERE changed.ended_at IS NOT NULL
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(live.appointment_id), $7 || jsonb_strip_nulls(jsonb_build_object(
    'event', $11::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $12::uuid, 'role', $13::text, 'transcriptId', changed.transcript_id, 'runId', changed.id,
    'reason', changed.end_reason)), $6) AS seq
  FROM changed, live WHERE $11 IS NOT NULL
)
SELECT json_build_object(
  'operation', (SELECT operation FROM enqueued),
  'ended', (SELECT count(done) FROM finished) > 0,
  'entries', (SELECT count(seq) FROM audited))::text
FROM changed
