-- Changes a job ($1), if its status is still the one that was read ($2), with what follows: the operation that checks it from $5 on, or
-- at its end the completion of its transcript, and the seconds of its sound in the ledger. $3 the job as it is from now on, $4 now.
WITH live AS MATERIALIZED (
  SELECT s.id FROM public.video_call_sessions s
  WHERE s.id = (SELECT j.session_id FROM medzen.transcription_jobs j WHERE j.name = $1) FOR NO KEY UPDATE
), changed AS (
  UPDATE medzen.transcription_jobs j
  SET status = n.status, changed_at = $4, concatenation_id = coalesce(n."concatenationId", j.concatenation_id),
      sound_began_at = coalesce(n."soundBeganAt", j.sound_began_at), sound_seconds = coalesce(n."soundSeconds", j.sound_seconds),
      reason = n.reason, message = n.message, ended_at = CASE WHEN n.status IN ('completed', 'failed') THEN $4 END
  FROM live, jsonb_to_record($3) AS n (
    status text, "concatenationId" text, "soundBeganAt" timestamptz, "soundSeconds" numeric, reason text, message text)
  WHERE j.name = $1 AND j.session_id = live.id AND j.status = $2
  RETURNING j.*
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation('check_batch_job', changed.name, changed.session_id, '{}', $5, NULL) AS operation
  FROM changed WHERE changed.status = 'running'
), used AS (
  INSERT INTO medzen.usage_ledger (kind, reference, session_id, quantity, used_at)
  SELECT 'batch_seconds', changed.capture_id, changed.session_id, ceil(changed.sound_seconds)::bigint, $4
  FROM changed WHERE changed.status = 'completed'
  ON CONFLICT (kind, reference) DO NOTHING
  RETURNING 1
), held AS MATERIALIZED (
  -- Its concatenated file and its output, which may be newer than the last pass of a hold.
  SELECT medzen.enqueue_hold(s.appointment_id, $4) AS done
  FROM changed JOIN public.video_call_sessions s ON s.id = changed.session_id WHERE changed.status <> 'waiting'
), completed AS MATERIALIZED (
  SELECT medzen.complete_transcript(changed.session_id, $4) AS operation FROM changed WHERE changed.ended_at IS NOT NULL
)
SELECT json_build_object(
  'changed', (SELECT count(*) FROM changed), 'operations', (SELECT count(operation) FROM enqueued),
  'used', (SELECT count(*) FROM used), 'completions', (SELECT count(operation) FROM completed),
  'passes', (SELECT count(done) FROM held))::text
FROM changed
