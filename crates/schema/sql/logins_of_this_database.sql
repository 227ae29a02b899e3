-- The logins that keep the right to connect to this database: those that own or may use something in it, are connected to it,
-- or monitor the cluster, themselves or by a role that they are a member of. A membership of `anon` and `authenticated` says
-- nothing, because these roles belong to the whole cluster. The login of another deployment is never among them, and members of
-- the functions' role ($1) have the right by it.
WITH here AS (
  SELECT refobjid AS role FROM pg_shdepend
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND refclassid = 'pg_authid'::regclass
  UNION
  SELECT usesysid FROM pg_stat_activity WHERE datname = current_database() AND usesysid IS NOT NULL
  UNION
  SELECT oid FROM pg_roles WHERE rolname IN ('pg_monitor', 'pg_read_all_data', 'pg_write_all_data')
)
SELECT DISTINCT login.rolname::text
FROM pg_roles login
JOIN here ON here.role = login.oid
  OR (pg_has_role(login.oid, here.role, 'MEMBER') AND here.role::regrole::text NOT IN ('anon', 'authenticated'))
WHERE login.rolcanlogin AND NOT login.rolsuper AND NOT pg_has_role(login.oid, $1, 'USAGE') AND NOT EXISTS (
  SELECT FROM pg_roles other
  WHERE other.rolname LIKE 'medzen\_functions\_%' AND other.rolname <> $1 AND pg_has_role(login.oid, other.oid, 'MEMBER'))
ORDER BY 1
