-- Changes a session's recording and captures, if they are still as they were read ($6), with the audit entries and operations that
-- follow. $1 session, $2 now, $3 origin, $4 actor and $5 role, null for the system; $7 the recording as it is from now on, $8 the
-- audit entries [{event, recordingId, reason, automatic}], $9 the capture to be opened, $10 the open capture as it is from now on, with
-- `began`, `stopping` and `ended` where that is new; null where there is none. The request executes the operations until $11. $12 to
-- $14 are the audit events of captures and the detail type of a recording that begins.
WITH live AS MATERIALIZED (
  SELECT s.* FROM public.video_call_sessions s WHERE s.id = $1 FOR NO KEY UPDATE
), current AS MATERIALIZED (
  SELECT live.* FROM live
  WHERE medzen.captures_unchanged(live.id, $6)
    -- Where a capture may not be opened any more, nothing is changed: neither its recording.
    AND ($9 IS NULL OR medzen.may_capture(live.id, ARRAY (SELECT jsonb_array_elements_text($9 -> 'purposes'))))
), recording AS (
  INSERT INTO medzen.recordings AS r (
    id, session_id, intent, automatic, layout, started_by, began_at, paused_at, pause_reason, ended_at, end_reason, ended_by)
  SELECT n.id, current.id, n.intent, n.automatic, n.layout, CASE WHEN NOT n.automatic THEN $4 END, n."beganAt", n."pausedAt",
    n."pauseReason", n."endedAt", n."endReason", CASE n."endReason" WHEN 'requested' THEN $4 END
  FROM current, jsonb_to_record($7) AS n (
    id uuid, intent text, automatic boolean, layout text, "beganAt" timestamptz, "pausedAt" timestamptz, "pauseReason" text,
    "endedAt" timestamptz, "endReason" text)
  WHERE n.id IS NOT NULL
  ON CONFLICT (id) DO UPDATE
  SET intent = excluded.intent, paused_at = excluded.paused_at, pause_reason = excluded.pause_reason,
      ended_at = excluded.ended_at, end_reason = excluded.end_reason, ended_by = excluded.ended_by
  RETURNING r.id, r.ended_at
), begun AS (
  -- It is not requested any more.
  UPDATE public.video_call_sessions s SET recording_requested = false
  FROM current WHERE s.id = current.id AND current.recording_requested AND EXISTS (SELECT FROM recording)
), changed AS (
  UPDATE medzen.media_captures c
  SET status = n.status, pipeline_id = n."pipelineId", pipeline_arn = coalesce(n."pipelineArn", c.pipeline_arn),
      confirmed_at = n."confirmedAt", began_at = n."beganAt", stop_requested_at = n."stopRequestedAt",
      stop_reason = n."stopReason", revoked = n.revoked, ended_at = n."endedAt"
  FROM current, jsonb_to_record($10) AS n (
    id uuid, status text, "pipelineId" text, "pipelineArn" text, "confirmedAt" timestamptz, "beganAt" timestamptz,
    "stopRequestedAt" timestamptz, "stopReason" text, revoked text[], "endedAt" timestamptz, began boolean, stopping boolean,
    ended boolean)
  WHERE c.id = n.id
  RETURNING c.*, n.began, n.stopping, n.ended
), opened AS MATERIALIZED (
  SELECT o.capture, current.id AS session_id, o.payload || jsonb_build_object('controlRegion', current.control_region) AS payload,
    medzen.open_capture(o.capture, current.id, o.purposes, $2, o.recording, o.gap) AS done
  FROM current, jsonb_to_record($9) AS o (capture uuid, purposes text[], recording uuid, gap text, payload jsonb)
  -- The recording that it belongs to may be inserted by this statement.
  WHERE o.capture IS NOT NULL AND (SELECT count(*) FROM recording) >= 0
), segment AS MATERIALIZED (
  SELECT medzen.insert_segment(changed.id, $2) AS done FROM changed WHERE changed.began AND changed.status = 'running'
), finished AS MATERIALIZED (
  SELECT medzen.finish_capture(changed.id, $2) AS done FROM changed WHERE changed.ended
), enqueued AS MATERIALIZED (
  SELECT medzen.enqueue_operation('start_capture', opened.capture::text, opened.session_id, opened.payload, $2, $11) AS operation
  FROM opened WHERE opened.done
  UNION ALL
  SELECT medzen.enqueue_operation('stop_capture', changed.id::text, changed.session_id, jsonb_build_object(
    'controlRegion', current.control_region, 'pipelineId', changed.pipeline_id), $2, $11)
  FROM changed, current WHERE changed.stopping
), entry AS (
  -- A consequence of a request is not the participant's own change.
  SELECT e.place, (e.value - 'own') || CASE WHEN (e.value ->> 'own')::boolean
    THEN jsonb_build_object('actor', $4, 'role', $5) ELSE '{}' END AS payload
  FROM jsonb_array_elements($8) WITH ORDINALITY AS e (value, place)
  UNION ALL
  SELECT 100, jsonb_build_object(
    'event', $12::text, 'captureId', changed.id, 'purposes', changed.purposes, 'recordingId', changed.recording_id)
  FROM changed WHERE changed.began
  UNION ALL
  SELECT 101, jsonb_build_object(
    'event', $13::text, 'captureId', changed.id, 'recordingId', changed.recording_id, 'reason', changed.stop_reason,
    'revoked', CASE WHEN changed.revoked <> '{}' THEN changed.revoked END)
  FROM changed WHERE changed.ended
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(current.appointment_id), $3 || jsonb_strip_nulls(jsonb_build_object(
    'appointmentId', current.appointment_id, 'sessionId', current.id, 'meetingId', current.meeting_id) || entry.payload), $2) AS seq
  FROM current, (SELECT * FROM entry ORDER BY place) AS entry
  -- The row of a legal hold is locked before the chain's head, as by the statement that lifts it.
  WHERE (SELECT count(*) FROM finished) >= 0
), published AS MATERIALIZED (
  SELECT medzen.enqueue_event($14, current.id, jsonb_build_object(
    'appointmentId', current.appointment_id, 'sessionId', current.id, 'recordingId', changed.recording_id,
    'userIds', medzen.call_member_ids(current.id, current.appointment_id)), changed.began_at, $2, $11) AS operation
  FROM changed, current
  WHERE changed.began AND changed.status = 'running' AND changed.recording_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM medzen.recording_segments s WHERE s.recording_id = changed.recording_id)
  UNION ALL
  SELECT medzen.finish_recording(r.id, $2, $11)
  FROM current, (
    SELECT id FROM recording UNION SELECT recording_id FROM changed WHERE recording_id IS NOT NULL) AS r
  WHERE (SELECT count(*) FROM segment) + (SELECT count(*) FROM finished) + (SELECT count(*) FROM opened) >= 0
)
SELECT json_build_object(
  'entries', (SELECT count(seq) FROM audited),
  'operations', (SELECT coalesce(json_agg(operation), '[]') FROM enqueued),
  'events', (SELECT coalesce(json_agg(operation) FILTER (WHERE operation IS NOT NULL), '[]') FROM published))::text
FROM current
