-- Who may do what: the functions through a role of their own, signed-in clients by what they are in a call, nobody else.
--
-- Clients reach a database directly where the host offers that (Supabase: role `authenticated` with the token's claims in
-- the setting request.jwt.claims). A policy that was open to `auth.uid() IS NULL` once let anyone with the public key
-- read join tokens; so rows are given by policies, columns by grants, and what no client may ever see is in a schema that
-- clients cannot enter.

-- Roles belong to the cluster: another database of it may have made them, or makes them at this moment.
-- An installation's login role is a member of medzen_functions; the login itself is the operator's to make.
DO $roles$
DECLARE
  role record;
BEGIN
  FOR role IN
    SELECT * FROM (VALUES
      ('medzen_functions', 'NOLOGIN'), ('anon', 'NOLOGIN NOINHERIT'), ('authenticated', 'NOLOGIN NOINHERIT')
    ) AS wanted (name, attributes)
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role.name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I %s', role.name, role.attributes);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
    END IF;
  END LOOP;
END
$roles$;

-- The claims of the token that a client came with, as Supabase has it. Where it exists it is kept.
DO $jwt$
BEGIN
  IF to_regprocedure('auth.jwt()') IS NULL THEN
    CREATE SCHEMA IF NOT EXISTS auth;
    CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $body$
      SELECT coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), ''))::jsonb
    $body$;
    GRANT USAGE ON SCHEMA auth TO anon, authenticated;
  END IF;
END
$jwt$;

REVOKE ALL ON SCHEMA medzen FROM anon, authenticated;
CALL medzen.make_private('medzen.schema_history');
CALL medzen.make_private('public.video_call_sessions');
CALL medzen.make_private('public.video_call_participants');
CALL medzen.make_private('medzen.video_call_attendee_tokens');
CALL medzen.make_private('medzen.audit_heads');
CALL medzen.make_private('medzen.audit_outbox');
-- A join token is good for whoever holds it. So not even the tables' owner reads them, nor a view that the owner makes;
-- to back up the rest, use pg_dump --exclude-table-data=medzen.video_call_attendee_tokens.
ALTER TABLE medzen.video_call_attendee_tokens FORCE ROW LEVEL SECURITY;

-- The functions: what their statements need. What a session, a participant or an audit entry *is* cannot be changed, only
-- how it stands; nothing but an audit entry that is safe elsewhere is ever deleted.

GRANT USAGE ON SCHEMA medzen, public TO medzen_functions;
GRANT SELECT ON medzen.call_users, medzen.call_appointments TO medzen_functions;

GRANT SELECT, INSERT ON public.video_call_sessions TO medzen_functions;
GRANT UPDATE (status, attempt, attempt_by, meeting_id, meeting, updated_at, activated_at, checked_at,
              ended_at, end_reason, ended_by, duration_seconds)
  ON public.video_call_sessions TO medzen_functions;
CREATE POLICY functions ON public.video_call_sessions TO medzen_functions USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON public.video_call_participants TO medzen_functions;
GRANT UPDATE (status, joined_at, left_at, duration_seconds) ON public.video_call_participants TO medzen_functions;
CREATE POLICY functions ON public.video_call_participants TO medzen_functions USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.video_call_attendee_tokens TO medzen_functions;
GRANT UPDATE (attendee_id) ON medzen.video_call_attendee_tokens TO medzen_functions;
CREATE POLICY functions ON medzen.video_call_attendee_tokens TO medzen_functions USING (true) WITH CHECK (true);

GRANT EXECUTE ON FUNCTION medzen.audit_append(text, jsonb, timestamptz) TO medzen_functions;
GRANT SELECT, DELETE ON medzen.audit_outbox TO medzen_functions;
GRANT UPDATE (leased_until, shipped_at, conflict) ON medzen.audit_outbox TO medzen_functions;
CREATE POLICY functions_read ON medzen.audit_outbox FOR SELECT TO medzen_functions USING (true);
CREATE POLICY functions_ship ON medzen.audit_outbox FOR UPDATE TO medzen_functions USING (true) WITH CHECK (true);
CREATE POLICY functions_prune ON medzen.audit_outbox FOR DELETE TO medzen_functions USING (shipped_at IS NOT NULL);

-- Signed-in clients: their own calls, to read.

-- The sessions of the caller's appointments, and those that they take part in. It runs as its owner, because a policy on
-- sessions that reads participants, whose policy reads sessions, has no end. Clients may execute it as part of a policy;
-- by its name they cannot, having no way into this schema, and it would tell them nothing more.
CREATE FUNCTION medzen.own_sessions() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $own$
  WITH me AS (
    SELECT id FROM medzen.call_users WHERE firebase_uid = auth.jwt() ->> 'sub'
  ), appointment AS (
    SELECT a.id FROM me JOIN medzen.call_appointments a ON a.provider_user_id = me.id
    UNION
    SELECT a.id FROM me JOIN medzen.call_appointments a ON a.patient_user_id = me.id
  )
  SELECT s.id FROM appointment JOIN public.video_call_sessions s ON s.appointment_id = appointment.id
  UNION
  SELECT p.session_id FROM me JOIN public.video_call_participants p ON p.user_id = me.id WHERE p.status <> 'removed'
$own$;
REVOKE ALL ON FUNCTION medzen.own_sessions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION medzen.own_sessions() TO authenticated;

-- The names of the people in the caller's own calls, and of nobody else.
CREATE FUNCTION medzen.own_participant_names() RETURNS TABLE (session_id uuid, user_id uuid, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $names$
  SELECT p.session_id, p.user_id, person.display_name
  FROM medzen.own_sessions() AS own (id)
  JOIN public.video_call_participants p ON p.session_id = own.id
  JOIN medzen.call_users person ON person.id = p.user_id
$names$;
REVOKE ALL ON FUNCTION medzen.own_participant_names() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION medzen.own_participant_names() TO authenticated;

CREATE POLICY own_calls ON public.video_call_sessions FOR SELECT TO authenticated
  USING (id IN (SELECT medzen.own_sessions()));
CREATE POLICY own_calls ON public.video_call_participants FOR SELECT TO authenticated
  USING (session_id IN (SELECT medzen.own_sessions()));

-- How a call stands, and not: the meeting itself, who tries to make it, why it failed, whom it was ended by.
GRANT SELECT (id, appointment_id, status, recording_enabled, transcription_enabled, transcription_language, created_at,
              updated_at, activated_at, ended_at, duration_seconds, max_participants_reached)
  ON public.video_call_sessions TO authenticated;
GRANT SELECT (session_id, user_id, role, status, joined_at, left_at, duration_seconds)
  ON public.video_call_participants TO authenticated;

-- With the rights of whoever reads it, row-level security included; a view has its owner's rights otherwise.
CREATE VIEW public.video_call_participants_view WITH (security_invoker = true) AS
  SELECT p.session_id, s.appointment_id, s.status AS call_status,
         p.user_id, name.display_name, p.role, p.status, p.joined_at, p.left_at, p.duration_seconds
  FROM public.video_call_participants p
  JOIN public.video_call_sessions s ON s.id = p.session_id
  LEFT JOIN medzen.own_participant_names() AS name ON name.session_id = p.session_id AND name.user_id = p.user_id;
CALL medzen.make_private('public.video_call_participants_view');
GRANT SELECT ON public.video_call_participants_view TO authenticated;
