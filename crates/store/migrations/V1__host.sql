-- What the host application owns and we read: users and appointments, through two views that it may define itself.
--
-- The views live in a schema of their own, because a view bypasses row-level security and Supabase grants everything in
-- `public` to its client roles. A view that exists is kept. On a database without host tables, simple ones are made.
-- Each id must come once in its view; a null status or video_enabled counts as no video. Where the host has tables of its own, nobody but the host knows how they map (a provider_id that is a profile id made
-- nobody able to end a call), so the migration stops and shows the view to write.

REVOKE ALL ON SCHEMA medzen FROM PUBLIC;

-- Takes a table or view of ours from everybody but its owner, and turns row-level security on. Every migration calls it for
-- what it makes, before it grants: default privileges (Supabase's, or an operator's) have given it to others by then.
CREATE PROCEDURE medzen.make_private(relation regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $private$
DECLARE
  other record;
BEGIN
  FOR other IN
    SELECT DISTINCT given.grantee
    FROM pg_class c, aclexplode(c.relacl) AS given
    WHERE c.oid = relation AND given.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON %s FROM %s', relation,
                   CASE WHEN other.grantee = 0 THEN 'PUBLIC' ELSE other.grantee::regrole::text END);
  END LOOP;
  IF (SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = relation) THEN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
  END IF;
END
$private$;
REVOKE ALL ON PROCEDURE medzen.make_private(regclass) FROM PUBLIC;

DO $host$
BEGIN
  IF to_regclass('medzen.call_users') IS NULL THEN
    IF to_regclass('public.users') IS NOT NULL THEN
      RAISE EXCEPTION USING
        MESSAGE = 'this database has a users table of its own: define the view medzen.call_users, then migrate again',
        HINT = 'CREATE VIEW medzen.call_users AS SELECT id::uuid AS id, firebase_uid::text AS firebase_uid, '
            || 'display_name::text AS display_name FROM public.users;';
    END IF;
    CREATE TABLE public.users (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      firebase_uid text NOT NULL UNIQUE,
      display_name text NOT NULL
    );
    CREATE VIEW medzen.call_users AS SELECT id, firebase_uid, display_name FROM public.users;
    CALL medzen.make_private('public.users');
    CALL medzen.make_private('medzen.call_users');
  END IF;

  IF to_regclass('medzen.call_appointments') IS NULL THEN
    IF to_regclass('public.appointments') IS NOT NULL THEN
      RAISE EXCEPTION USING
        MESSAGE = 'this database has an appointments table of its own: define the view medzen.call_appointments, '
               || 'then migrate again',
        HINT = 'CREATE VIEW medzen.call_appointments AS SELECT id::uuid AS id, '
            || '<the provider''s users.id, not a profile id>::uuid AS provider_user_id, '
            || '<the patient''s users.id>::uuid AS patient_user_id, status::text AS status, '
            || 'video_enabled::boolean AS video_enabled, scheduled_start::timestamptz AS scheduled_start, '
            || 'scheduled_end::timestamptz AS scheduled_end FROM public.appointments;';
    END IF;
    CREATE TABLE public.appointments (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      provider_user_id uuid NOT NULL REFERENCES public.users (id),
      patient_user_id uuid NOT NULL REFERENCES public.users (id),
      status text NOT NULL DEFAULT 'scheduled',
      video_enabled boolean NOT NULL DEFAULT true,
      scheduled_start timestamptz,
      scheduled_end timestamptz
    );
    CREATE VIEW medzen.call_appointments AS
      SELECT id, provider_user_id, patient_user_id, status, video_enabled, scheduled_start, scheduled_end
      FROM public.appointments;
    CALL medzen.make_private('public.appointments');
    CALL medzen.make_private('medzen.call_appointments');
  END IF;
END
$host$;
