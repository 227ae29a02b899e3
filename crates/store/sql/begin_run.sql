-- Begins a run of a session's transcription ($1), if the speech may be captured and no run is open: with the seconds that it reserves of
-- the budget of its day ($7 day, $8 wanted, $9 least, $10 budget). $2 now, $3 origin, $4 actor and $5 role, null for the run that begins
-- by itself, which is the first of its session; $6 the run {id, transcriptId, mode, settings}, $11 the audit event.
WITH live AS MATERIALIZED (
  SELECT s.* FROM public.video_call_sessions s WHERE s.id = $1 FOR NO KEY UPDATE
), allowed AS MATERIALIZED (
  SELECT live.id, live.appointment_id, live.meeting_id, runs.total
  FROM live, LATERAL medzen.runs(live.id) AS runs
  WHERE medzen.may_capture(live.id, '{transcription}') AND NOT runs.open AND NOT runs.deleting
    AND ($4 IS NOT NULL OR runs.total = 0)
), granted AS MATERIALIZED (
  SELECT allowed.*, CASE $6 ->> 'mode' WHEN 'live' THEN medzen.reserve_transcription($7, $8, $9, $10) ELSE 0 END AS seconds
  FROM allowed
), transcript AS (
  INSERT INTO medzen.transcripts AS t (id, session_id, created_at)
  SELECT ($6 ->> 'transcriptId')::uuid, granted.id, $2 FROM granted WHERE granted.seconds IS NOT NULL
  -- Another run continues the transcript of the call.
  ON CONFLICT (session_id) DO UPDATE SET finished_at = NULL, outcome = NULL, segment_count = NULL, gaps = NULL, sha256 = NULL
  WHERE t.deletion_requested_at IS NULL
  RETURNING t.id
), run AS (
  INSERT INTO medzen.transcription_runs AS r (
    id, transcript_id, session_id, number, mode, settings, status, requested_by, requested_at, confirmed_at, budget_day,
    reserved_seconds)
  SELECT ($6 ->> 'id')::uuid, transcript.id, granted.id, granted.total + 1, $6 ->> 'mode', $6 -> 'settings', 'requested', $4, $2, $2,
    $7, granted.seconds
  FROM granted, transcript
  RETURNING r.id, r.transcript_id, r.mode
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(granted.appointment_id), $3 || jsonb_strip_nulls(jsonb_build_object(
    'event', $11::text, 'appointmentId', granted.appointment_id, 'sessionId', granted.id, 'meetingId', granted.meeting_id,
    'actor', $4::uuid, 'role', $5::text, 'transcriptId', run.transcript_id, 'runId', run.id, 'mode', run.mode,
    'language', $6 -> 'settings' ->> 'language', 'automatic', $4 IS NULL)), $2) AS seq
  FROM granted, run
)
SELECT json_build_object(
  'allowed', EXISTS (SELECT FROM allowed),
  'seconds', (SELECT seconds FROM granted),
  -- Once the day's lock is held, or was waited for.
  'left', (SELECT medzen.transcription_left($7, $10) WHERE (SELECT count(*) FROM granted) >= 0),
  'deleting', (SELECT runs.deleting FROM live, LATERAL medzen.runs(live.id) AS runs),
  'begun', (SELECT count(seq) FROM audited) > 0)::text
FROM live
