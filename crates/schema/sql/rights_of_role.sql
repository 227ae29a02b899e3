-- Each right that a role ($1) has in this database, as statements that give it to another one ($2) and take it from the first.
-- DROP OWNED would take its right to connect to other databases as well.
WITH role AS (
  SELECT oid FROM pg_roles WHERE rolname = $1::text
), held (kind, object, owner, privilege) AS (
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, given.privilege_type
  FROM pg_class c, aclexplode(c.relacl) AS given WHERE given.grantee = (SELECT oid FROM role)
  UNION ALL
  SELECT 'TABLE', c.oid::regclass::text, c.relowner, format('%s (%I)', given.privilege_type, a.attname)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) AS given WHERE given.grantee = (SELECT oid FROM role)
  UNION ALL
  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, given.privilege_type
  FROM pg_proc p, aclexplode(p.proacl) AS given WHERE given.grantee = (SELECT oid FROM role)
  UNION ALL
  SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspowner, given.privilege_type
  FROM pg_namespace n, aclexplode(n.nspacl) AS given WHERE given.grantee = (SELECT oid FROM role)
  UNION ALL
  SELECT 'DATABASE', quote_ident(d.datname), d.datdba, given.privilege_type
  FROM pg_database d, aclexplode(d.datacl) AS given WHERE given.grantee = (SELECT oid FROM role) AND d.datname = current_database()
)
SELECT format('GRANT %1$s ON %2$s %3$s TO %4$I; REVOKE %1$s ON %2$s %3$s FROM %5$I;', privilege, kind, object, $2::text, $1::text) AS statement,
  pg_has_role(owner, 'USAGE') AS is_ours, owner::regrole::text AS owner
FROM held
