-- The functions' role ($1) in a migrated database, and the roles of other deployments that have policies on our tables: those of
-- the database that this one is a copy of, or of its former name.
WITH named AS (
  SELECT r.rolname, r.oid
  FROM pg_policy p
  JOIN pg_class c ON c.oid = p.polrelid
    AND (c.relnamespace = 'medzen'::regnamespace
         OR c.oid IN (to_regclass('public.video_call_sessions'), to_regclass('public.video_call_participants'),
                      to_regclass('public.video_call_consents')))
  JOIN pg_roles r ON r.oid = ANY (p.polroles)
  WHERE r.rolname LIKE 'medzen\_functions\_%'
)
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS exists,
  (SELECT has_schema_privilege(oid, 'medzen', 'USAGE') FROM pg_roles WHERE rolname = $1) AS uses_schema,
  (SELECT count(*) FROM named WHERE rolname = $1) AS policies,
  array(SELECT DISTINCT rolname::text FROM named WHERE rolname <> $1 ORDER BY 1) AS former
