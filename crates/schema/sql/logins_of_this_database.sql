-- The logins that keep the right to connect to this database: those that own or may use something in it, are connected to it,
-- or monitor the cluster, themselves or by a role that they are a member of. The roles `anon` and `authenticated` belong to the
-- whole cluster: they count where they have something besides what the migration gives them. The login of another deployment is
-- never among them, and members of the functions' role ($1) have the right by it.
WITH relation AS (
  SELECT oid FROM pg_class
  WHERE relnamespace = 'medzen'::regnamespace
    OR oid IN (to_regclass('public.video_call_sessions'), to_regclass('public.video_call_participants'),
               to_regclass('public.video_call_consents'), to_regclass('public.video_call_participants_view'))
    OR obj_description(oid, 'pg_class') LIKE 'Made by MedZen Meetings%'
), ours AS (
  SELECT 'pg_class'::regclass::oid AS classid, oid AS objid FROM relation
  UNION ALL
  SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN relation ON relation.oid = p.polrelid
  UNION ALL
  SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'medzen'::regnamespace
  UNION ALL
  SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname IN ('medzen', 'auth')
), here AS (
  SELECT d.refobjid AS role FROM pg_shdepend d
  WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND d.refclassid = 'pg_authid'::regclass
    AND NOT (d.refobjid::regrole::text IN ('anon', 'authenticated') AND (d.classid, d.objid) IN (SELECT * FROM ours))
  UNION
  SELECT usesysid FROM pg_stat_activity WHERE datname = current_database() AND usesysid IS NOT NULL
  UNION
  SELECT oid FROM pg_roles WHERE rolname IN ('pg_monitor', 'pg_read_all_data', 'pg_write_all_data')
)
SELECT DISTINCT login.rolname::text
FROM pg_roles login
JOIN here ON here.role = login.oid OR pg_has_role(login.oid, here.role, 'MEMBER')
WHERE login.rolcanlogin AND NOT login.rolsuper AND NOT pg_has_role(login.oid, $1, 'USAGE') AND NOT EXISTS (
  SELECT FROM pg_roles other
  -- USAGE: since PostgreSQL 16 whoever created a role is a MEMBER of it, and has none of its rights.
  WHERE other.rolname LIKE 'medzen\_functions\_%' AND other.rolname <> $1 AND pg_has_role(login.oid, other.oid, 'USAGE'))
ORDER BY 1
