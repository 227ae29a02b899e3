-- The columns of the host's views that the statements use, and what is wrong with each; no row where nothing is. `types` are
-- names of base types; a domain counts as its base type. $1 is one of the views.
WITH expected (relation, name, types, cast_to) AS (VALUES
  ('medzen.call_users', 'id', '{uuid}'::name[], 'uuid'),
  ('medzen.call_users', 'firebase_uid', '{text,varchar,bpchar}', 'text'),
  ('medzen.call_users', 'display_name', '{text,varchar,bpchar}', 'text'),
  ('medzen.call_appointments', 'id', '{uuid}', 'uuid'),
  ('medzen.call_appointments', 'provider_user_id', '{uuid}', 'uuid'),
  ('medzen.call_appointments', 'patient_user_id', '{uuid}', 'uuid'),
  ('medzen.call_appointments', 'status', '{text,varchar,bpchar}', 'text'),
  ('medzen.call_appointments', 'video_enabled', '{bool}', 'boolean'),
  ('medzen.call_appointments', 'scheduled_start', '{timestamptz}', 'timestamptz'),
  ('medzen.call_appointments', 'scheduled_end', '{timestamptz}', 'timestamptz')
)
SELECT e.name::text, e.cast_to, a.attname IS NULL AS missing, format_type(a.atttypid, NULL) AS type
FROM expected e
LEFT JOIN pg_attribute a
  ON a.attrelid = to_regclass(e.relation) AND a.attname = e.name AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
WHERE e.relation = $1 AND (a.attname IS NULL OR base.typname <> ALL (e.types))
