-- Reads the ended calls of an earlier system from the schema `earlier`. Its columns differ from one installation to the next, so
-- each row is read as JSON, by the names that were in use. Only what has ended is imported: a call in progress belongs to the
-- system that started it. Join tokens and Chime's objects are left where they are. A time that is there and cannot be read
-- (pg_temp.read_time) leaves its row out: another one in its place would change durations that are billed.
WITH row AS (
  SELECT to_jsonb(s) AS call FROM earlier.video_call_sessions s
), text AS (
  SELECT
    call ->> 'id' AS id, call ->> 'appointment_id' AS appointment_id, lower(call ->> 'status') AS status,
    coalesce(call ->> 'started_at', call ->> 'actual_start', call ->> 'call_started_at', call ->> 'activated_at') AS started,
    coalesce(call ->> 'ended_at', call ->> 'actual_end', call ->> 'call_ended_at') AS ended,
    call ->> 'created_at' AS created, call ->> 'updated_at' AS updated,
    coalesce(call ->> 'duration_seconds', call ->> 'duration_sec') AS seconds, call ->> 'duration_minutes' AS minutes,
    call ->> 'meeting_id' AS meeting_id, call ->> 'media_region' AS media_region,
    coalesce(call ->> 'created_by', call ->> 'started_by') AS created_by, call ->> 'max_participants_reached' AS most
  FROM row
), read AS (
  SELECT
    CASE WHEN id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN id::uuid END AS id,
    CASE WHEN appointment_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN appointment_id::uuid END AS appointment_id,
    CASE WHEN created_by ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN created_by::uuid END AS created_by,
    CASE WHEN meeting_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN lower(meeting_id) END AS meeting_id,
    status, media_region, pg_temp.read_time(coalesce(started, created)) AS started,
    coalesce(pg_temp.read_time(created), pg_temp.read_time(started)) AS created,
    CASE WHEN ended IS NOT NULL THEN pg_temp.read_time(ended)
         WHEN status IN ('ended', 'completed', 'finished', 'expired') THEN pg_temp.read_time(updated) END AS ended,
    CASE WHEN seconds ~ '^\d{1,9}(\.\d+)?$' THEN trunc(seconds::numeric)::integer
         WHEN minutes ~ '^\d{1,7}(\.\d+)?$' THEN trunc(minutes::numeric * 60)::integer END AS seconds,
    CASE WHEN most ~ '^\d{1,4}$' THEN most::integer ELSE 0 END AS most
  FROM text
), ended AS (
  SELECT read.*, greatest(read.ended, read.started) AS ended_at,
    coalesce(read.created_by, a.provider_user_id) AS starter,
    -- A meeting belongs to one call.
    CASE WHEN row_number() OVER (PARTITION BY read.meeting_id ORDER BY read.created, read.id) = 1
           AND NOT EXISTS (
             SELECT FROM public.video_call_sessions s WHERE s.meeting_id = read.meeting_id AND s.id <> read.id)
         THEN read.meeting_id END AS meeting
  FROM read LEFT JOIN medzen.call_appointments a ON a.id = read.appointment_id
  WHERE read.id IS NOT NULL AND read.appointment_id IS NOT NULL AND read.started IS NOT NULL AND read.ended IS NOT NULL
    AND coalesce(read.status, 'ended') NOT IN ('active', 'creating', 'pending', 'in_progress', 'ongoing')
    AND coalesce(read.created_by, a.provider_user_id) IS NOT NULL
), call AS (
  INSERT INTO public.video_call_sessions (
    id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at, activated_at,
    ended_at, end_reason, duration_seconds, max_participants_reached)
  SELECT id, appointment_id, 'ended', 'unknown', coalesce(media_region, 'unknown'), meeting, starter, created, ended_at, started,
    ended_at, 'imported', coalesce(seconds, medzen.seconds_between(started, ended_at)), most
  FROM ended
  ON CONFLICT DO NOTHING
  RETURNING id, ended_at, greatest(duration_seconds, medzen.seconds_between(activated_at, ended_at)) AS length
), part AS (
  SELECT
    lower(part ->> 'video_call_id') AS call_id,
    CASE WHEN part ->> 'user_id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (part ->> 'user_id')::uuid END AS user_id,
    part ->> 'role' AS role, pg_temp.read_time(part ->> 'joined_at') AS joined_at, pg_temp.read_time(part ->> 'left_at') AS left_at,
    part ->> 'joined_at' IS NOT NULL AND pg_temp.read_time(part ->> 'joined_at') IS NULL
      OR part ->> 'left_at' IS NOT NULL AND pg_temp.read_time(part ->> 'left_at') IS NULL AS unreadable,
    CASE WHEN part ->> 'duration_seconds' ~ '^\d{1,9}(\.\d+)?$' THEN trunc((part ->> 'duration_seconds')::numeric)::integer END AS seconds
  FROM (SELECT to_jsonb(p) AS part FROM earlier.video_call_participants p) AS json
), judged AS (
  -- Why a row is left out, by the first reason that applies. The rows of a call that an earlier import has read are not.
  SELECT part.*,
    CASE WHEN known.id IS NULL THEN 'call' WHEN user_id IS NULL THEN 'user' WHEN unreadable THEN 'time' END AS left_out
  FROM part LEFT JOIN (SELECT DISTINCT id::text AS id FROM ended) AS known ON known.id = part.call_id
), connection AS (
  -- A row is a person's connection, or the person. Without an end it lasted until the call ended.
  SELECT call.id, call.ended_at, call.length, judged.user_id, judged.role, judged.joined_at, lasted.until,
    coalesce(judged.seconds, medzen.seconds_between(judged.joined_at, lasted.until)) AS seconds
  FROM judged
  JOIN call ON call.id::text = judged.call_id
  CROSS JOIN LATERAL (
    SELECT CASE WHEN judged.joined_at IS NOT NULL THEN greatest(judged.joined_at, coalesce(judged.left_at, call.ended_at)) END AS until
  ) AS lasted
  WHERE judged.left_out IS NULL
), member AS (
  SELECT id, user_id, length, min(joined_at) AS joined_at, max(until) AS left_at, sum(seconds) AS seconds,
    range_agg(tstzrange(joined_at, until)) FILTER (WHERE joined_at IS NOT NULL) AS present,
    -- Whether all that `seconds` counts is in `present`: a duration may come without times, and one row may have the duration of
    -- all connections with the times of the last.
    count(*) > 1 AND bool_and(joined_at IS NOT NULL OR seconds = 0) AS is_timed,
    CASE WHEN bool_or(role = 'provider') THEN 'provider' WHEN bool_or(role = 'patient') THEN 'patient' ELSE 'observer' END AS role
  FROM connection
  GROUP BY id, user_id, length
), participant AS (
  INSERT INTO public.video_call_participants (video_call_id, user_id, role, status, joined_at, left_at, duration_seconds)
  SELECT id, user_id, role, CASE WHEN joined_at IS NULL THEN 'invited' ELSE 'left' END, joined_at, left_at,
    -- Of two connections at once each second counts once, and nobody was present for longer than the call lasted. A length of 0 is
    -- one that is not known: `least` leaves out null.
    least(
      seconds,
      CASE WHEN is_timed THEN
        (SELECT nullif(sum(medzen.seconds_between(lower(one), upper(one))), 0) FROM unnest(present) AS one) END,
      nullif(length, 0))::integer
  FROM member
  RETURNING 1
)
SELECT
  (SELECT count(*) FROM call), (SELECT count(*) FROM participant),
  (SELECT count(*) FROM row) - (SELECT count(DISTINCT id) FROM ended),
  count(*) FILTER (WHERE left_out = 'call'), count(*) FILTER (WHERE left_out = 'user'), count(*) FILTER (WHERE left_out = 'time')
FROM judged
