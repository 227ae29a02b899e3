-- Begins a run of a session's transcription ($1), if the speech may be captured and no run is open: with the seconds that it reserves of
-- the budget of its day ($7 day, $8 wanted, $9 least, $10 budget). $2 now, $3 origin, $4 actor and $5 role, null for the run that begins
-- by itself, which is the first of its session; $6 the run {id, transcriptId, mode, settings, refusal}, $11 the audit event.
-- A run that was to begin by itself and may not, for its refusal {reason, message} or for the budget, is stored as failed, so that the call
-- shows why, and is not tried again.
WITH live AS MATERIALIZED (
  SELECT s.* FROM public.video_call_sessions s WHERE s.id = $1 FOR NO KEY UPDATE
), allowed AS MATERIALIZED (
  SELECT live.id, live.appointment_id, live.meeting_id, runs.total
  FROM live, LATERAL medzen.runs(live.id) AS runs
  WHERE medzen.may_capture(live.id, '{transcription}') AND NOT runs.open AND NOT runs.deleting
    AND ($4 IS NOT NULL OR runs.total = 0)
), granted AS MATERIALIZED (
  SELECT allowed.*, CASE
      WHEN $6 -> 'refusal' ->> 'reason' IS NULL AND $6 ->> 'mode' = 'live' THEN medzen.reserve_transcription($7, $8, $9, $10)
      ELSE 0 END AS seconds
  FROM allowed
), accepted AS (
  SELECT granted.*, coalesce($6 -> 'refusal' ->> 'reason', CASE WHEN granted.seconds IS NULL THEN 'budget_used' END) AS refusal
  FROM granted WHERE granted.seconds IS NOT NULL OR $4 IS NULL
), transcript AS (
  INSERT INTO medzen.transcripts AS t (id, session_id, created_at)
  SELECT ($6 ->> 'transcriptId')::uuid, accepted.id, $2 FROM accepted
  -- Another run continues the transcript of the call.
  ON CONFLICT (session_id) DO UPDATE SET finished_at = NULL, outcome = NULL, segment_count = NULL, gaps = NULL, sha256 = NULL
  WHERE t.deletion_requested_at IS NULL
  RETURNING t.id
), run AS (
  INSERT INTO medzen.transcription_runs AS r (
    id, transcript_id, session_id, number, mode, settings, status, requested_by, requested_at, confirmed_at, budget_day,
    reserved_seconds, limit_at, ended_at, end_reason, message)
  SELECT ($6 ->> 'id')::uuid, transcript.id, accepted.id, accepted.total + 1, $6 ->> 'mode', $6 -> 'settings',
    CASE WHEN accepted.refusal IS NULL THEN 'requested' ELSE 'failed' END, $4, $2, $2, $7, coalesce(accepted.seconds, 0),
    -- That of a live run counts from its beginning. No job takes more than 4 hours.
    CASE $6 ->> 'mode' WHEN 'batch' THEN $2 + least($8, 4 * 3600) * interval '1 second' END,
    CASE WHEN accepted.refusal IS NOT NULL THEN $2 END, accepted.refusal,
    CASE accepted.refusal WHEN 'budget_used' THEN 'the minutes of the day are used up' ELSE $6 -> 'refusal' ->> 'message' END
  FROM accepted, transcript
  RETURNING r.id, r.session_id, r.transcript_id, r.mode, r.end_reason
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(accepted.appointment_id), $3 || jsonb_strip_nulls(jsonb_build_object(
    'event', $11::text, 'appointmentId', accepted.appointment_id, 'sessionId', accepted.id, 'meetingId', accepted.meeting_id,
    'actor', $4::uuid, 'role', $5::text, 'transcriptId', run.transcript_id, 'runId', run.id, 'mode', run.mode,
    'language', $6 -> 'settings' ->> 'language', 'automatic', $4 IS NULL, 'reason', run.end_reason)), $2) AS seq
  FROM accepted, run
), completed AS MATERIALIZED (
  SELECT medzen.complete_transcript(run.session_id, $2) AS operation FROM run WHERE run.end_reason IS NOT NULL
)
SELECT json_build_object(
  'allowed', EXISTS (SELECT FROM allowed),
  'seconds', (SELECT seconds FROM granted),
  -- Once the day's lock is held, or was waited for.
  'left', (SELECT medzen.transcription_left($7, $10) WHERE (SELECT count(*) FROM granted) >= 0),
  'deleting', (SELECT runs.deleting FROM live, LATERAL medzen.runs(live.id) AS runs),
  'refused', (SELECT run.end_reason FROM run),
  'completions', (SELECT count(operation) FROM completed),
  'begun', (SELECT count(seq) FROM audited) > 0)::text
FROM live
