-- Counts a denied request and, below the limit of an hour ($8), appends its audit entry. The counter's row is locked before
-- the chain's head. $13 the ids that the request names beside the call, of which only those of its appointment are audited.
WITH recording AS (
  SELECT r.id, s.appointment_id
  FROM medzen.recordings r JOIN public.video_call_sessions s ON s.id = r.session_id
  WHERE r.id = ($13 ->> 'recordingId')::uuid
), transcript AS (
  SELECT t.id, s.appointment_id
  FROM medzen.transcripts t JOIN public.video_call_sessions s ON s.id = t.session_id
  WHERE t.id = ($13 ->> 'transcriptId')::uuid
), appointment AS (
  SELECT id FROM medzen.call_appointments
  WHERE id = coalesce(
    $3, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4), (SELECT appointment_id FROM recording),
    (SELECT appointment_id FROM transcript))
), participant AS (
  SELECT p.user_id AS id
  FROM appointment JOIN public.video_call_sessions s ON s.appointment_id = appointment.id
  JOIN public.video_call_participants p ON p.video_call_id = s.id
  WHERE p.user_id = ($13 ->> 'participantId')::uuid
  LIMIT 1
), caller AS (
  SELECT id FROM medzen.caller($1, $2, (SELECT id FROM appointment)) AS id
), counted AS (
  INSERT INTO medzen.denial_rate_limits AS r (chain, since, seen, suppressed, request_id)
  VALUES (coalesce('ACTOR#' || (SELECT id FROM caller), $5), $6, 1, 0, $7)
  ON CONFLICT (chain) DO UPDATE SET
    since = CASE WHEN r.since <= $6 - interval '1 hour' THEN $6 ELSE r.since END,
    seen = CASE WHEN r.since <= $6 - interval '1 hour' THEN 1 ELSE r.seen + 1 END,
    suppressed = CASE WHEN r.since <= $6 - interval '1 hour' THEN greatest(0, r.seen - $8) ELSE r.suppressed END,
    request_id = $7
  WHERE r.request_id <> $7
  RETURNING r.chain, r.seen, r.suppressed
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(counted.chain, $9 || jsonb_strip_nulls(jsonb_build_object(
    'event', $10::text, 'actor', (SELECT id FROM caller), 'appointmentId', (SELECT id FROM appointment),
    'recordingId', (SELECT recording.id FROM recording JOIN appointment a ON a.id = recording.appointment_id),
    'transcriptId', (SELECT transcript.id FROM transcript JOIN appointment a ON a.id = transcript.appointment_id), 'participantId', (SELECT id FROM participant),
    'code', $11::text, 'route', $12::text,
    'suppressed', CASE WHEN counted.seen = 1 THEN nullif(counted.suppressed, 0) END)), $6) AS seq
  FROM counted WHERE counted.seen <= $8
)
SELECT 'true' FROM audited
