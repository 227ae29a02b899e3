-- The columns of the host's views that the statements use, and those of a relation ($2) with the same names: the view itself, or
-- the table that a view is to be written for. `types` are names of base types; a domain counts as its base type. $1 is one of
-- the views.
WITH expected (relation, position, name, types, needed) AS (VALUES
  ('medzen.call_users', 1, 'id', '{uuid}'::name[], 'uuid'),
  ('medzen.call_users', 2, 'firebase_uid', '{text,varchar,bpchar}', 'text'),
  ('medzen.call_users', 3, 'display_name', '{text,varchar,bpchar}', 'text'),
  ('medzen.call_appointments', 1, 'id', '{uuid}', 'uuid'),
  ('medzen.call_appointments', 2, 'provider_user_id', '{uuid}', 'uuid'),
  ('medzen.call_appointments', 3, 'patient_user_id', '{uuid}', 'uuid'),
  ('medzen.call_appointments', 4, 'status', '{text,varchar,bpchar}', 'text'),
  ('medzen.call_appointments', 5, 'video_enabled', '{bool}', 'boolean'),
  ('medzen.call_appointments', 6, 'scheduled_start', '{timestamptz}', 'timestamptz'),
  ('medzen.call_appointments', 7, 'scheduled_end', '{timestamptz}', 'timestamptz')
)
SELECT e.name::text, e.needed, a.attname IS NULL AS missing, format_type(a.atttypid, NULL) AS type, base.typname::text AS base,
  coalesce(base.typname = ANY (e.types), false) AS fits
FROM expected e
LEFT JOIN pg_attribute a
  ON a.attrelid = to_regclass($2) AND a.attname = e.name AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
WHERE e.relation = $1
ORDER BY e.position
