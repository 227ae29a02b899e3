-- Reads the ended calls of an earlier system from the schema `earlier`. Its columns differ from one installation to the next, so
-- each row is read as JSON, by the names that were in use. Only what has ended is imported: a call in progress belongs to the
-- system that started it. Join tokens and Chime's objects are left where they are.
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
    status, media_region, coalesce(started, created)::timestamptz AS started, coalesce(created, started)::timestamptz AS created,
    CASE WHEN ended IS NOT NULL THEN ended::timestamptz
         WHEN status IN ('ended', 'completed', 'finished', 'expired') THEN updated::timestamptz END AS ended,
    CASE WHEN seconds ~ '^\d{1,9}(\.\d+)?$' THEN trunc(seconds::numeric)::integer
         WHEN minutes ~ '^\d{1,7}(\.\d+)?$' THEN trunc(minutes::numeric * 60)::integer END AS seconds,
    CASE WHEN most ~ '^\d{1,4}$' THEN most::integer ELSE 0 END AS most
  FROM text
), ended AS (
  SELECT read.*, greatest(read.ended, read.started) AS ended_at,
    coalesce(read.created_by, a.provider_user_id) AS starter,
    CASE WHEN row_number() OVER (PARTITION BY read.meeting_id ORDER BY read.created, read.id) = 1 THEN read.meeting_id END AS meeting
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
  RETURNING id
), part AS (
  SELECT to_jsonb(p) AS part FROM earlier.video_call_participants p
), member AS (
  SELECT DISTINCT ON (call.id, part ->> 'user_id') call.id, (part ->> 'user_id')::uuid AS user_id,
    CASE WHEN part ->> 'role' IN ('provider', 'patient') THEN part ->> 'role' ELSE 'observer' END AS role,
    (part ->> 'joined_at')::timestamptz AS joined_at, (part ->> 'left_at')::timestamptz AS left_at,
    CASE WHEN part ->> 'duration_seconds' ~ '^\d{1,9}$' THEN (part ->> 'duration_seconds')::integer END AS seconds
  FROM part JOIN call ON call.id::text = lower(part ->> 'video_call_id')
  WHERE part ->> 'user_id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
  ORDER BY call.id, part ->> 'user_id', part ->> 'joined_at'
), participant AS (
  INSERT INTO public.video_call_participants (video_call_id, user_id, role, status, joined_at, left_at, duration_seconds)
  SELECT m.id, m.user_id, m.role, CASE WHEN m.joined_at IS NULL THEN 'invited' ELSE 'left' END, m.joined_at,
    CASE WHEN m.joined_at IS NOT NULL THEN greatest(m.joined_at, coalesce(m.left_at, ended.ended_at)) END,
    coalesce(m.seconds, medzen.seconds_between(m.joined_at, coalesce(m.left_at, ended.ended_at)))
  FROM member m JOIN ended ON ended.id = m.id
  RETURNING 1
)
SELECT (SELECT count(*) FROM call), (SELECT count(*) FROM participant),
  (SELECT count(*) FROM row) - (SELECT count(*) FROM ended)
