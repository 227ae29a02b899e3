-- Who is let into a call and with what: the waiting room, observers' kinds, capabilities, removal; and consent.

-- Turned away: came or was invited, and the provider said no. They may be let in later; who was removed may not.
ALTER TABLE public.video_call_participants
  DROP CONSTRAINT video_call_participants_status_check,
  ADD CONSTRAINT video_call_participants_status_check
    CHECK (status IN ('invited', 'waiting', 'joined', 'left', 'removed', 'turned_away', 'failed')),
  -- What an observer comes as; null where the invitation did not say, and for everyone else.
  ADD COLUMN observer_kind text
    CHECK (observer_kind IN ('interpreter', 'family', 'student') AND (observer_kind IS NULL OR role = 'observer')),
  -- Whoever was admitted stays so for the session, whether they leave and come again.
  ADD COLUMN admitted_at timestamptz,
  ADD COLUMN waiting_since timestamptz,
  -- What Chime is to let them send and receive. Content cannot be received without video: Chime refuses that.
  ADD COLUMN audio text NOT NULL DEFAULT 'SendReceive' CHECK (audio IN ('SendReceive', 'Send', 'Receive', 'None')),
  ADD COLUMN video text NOT NULL DEFAULT 'SendReceive' CHECK (video IN ('SendReceive', 'Send', 'Receive', 'None')),
  ADD COLUMN content text NOT NULL DEFAULT 'SendReceive' CHECK (content IN ('SendReceive', 'Send', 'Receive', 'None')),
  ADD CONSTRAINT video_call_participants_content_needs_video
    CHECK (content NOT IN ('SendReceive', 'Receive') OR video IN ('SendReceive', 'Receive')),
  ADD CONSTRAINT video_call_participants_waiting_since CHECK (status <> 'waiting' OR waiting_since IS NOT NULL);

-- There was no waiting room before: who had a place was admitted.
UPDATE public.video_call_participants p
SET admitted_at = coalesce(p.joined_at, s.activated_at, s.created_at)
FROM public.video_call_sessions s
WHERE s.id = p.session_id AND p.status IN ('invited', 'joined', 'left');

-- What Chime is still to be told of an attendee: written with the change that makes it owed, struck out when Chime has
-- answered. What a crash leaves here is paid by a repetition or by the reconciler.
CREATE TABLE medzen.attendee_debts (
  id uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  user_id uuid NOT NULL,
  attendee_id text NOT NULL,
  -- Whether the attendee is to be deleted, or to have the capabilities that its participant has by then.
  kind text NOT NULL CHECK (kind IN ('delete', 'capabilities')),
  since timestamptz NOT NULL,
  -- When a run last tried to pay it and Chime did not let it: others come first then.
  tried_at timestamptz
);
CREATE INDEX attendee_debts_by_person ON medzen.attendee_debts (session_id, user_id);
CREATE INDEX attendee_debts_due ON medzen.attendee_debts (since);

-- Consent, as it was given and taken back: a row is never changed, the newest of a person and a kind counts. The number is
-- taken under the session's lock, so that it tells the order. No sequence: it would have grants of its own, and tell none.
CREATE TABLE public.video_call_consents (
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  number integer NOT NULL,
  user_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('recording', 'transcription')),
  granted boolean NOT NULL,
  given_at timestamptz NOT NULL,
  PRIMARY KEY (session_id, number)
);
CREATE INDEX video_call_consents_newest ON public.video_call_consents (session_id, user_id, kind, number DESC);

CALL medzen.make_private('medzen.attendee_debts');
CALL medzen.make_private('public.video_call_consents');

-- The functions.

GRANT UPDATE (observer_kind, admitted_at, waiting_since, audio, video, content, quality_metrics)
  ON public.video_call_participants TO medzen_functions;
-- Whoever is removed or turned away loses their join token in the same statement.
GRANT DELETE ON medzen.video_call_attendee_tokens TO medzen_functions;
GRANT SELECT, INSERT, DELETE, UPDATE (tried_at) ON medzen.attendee_debts TO medzen_functions;
CREATE POLICY functions ON medzen.attendee_debts TO medzen_functions USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON public.video_call_consents TO medzen_functions;
CREATE POLICY functions ON public.video_call_consents TO medzen_functions USING (true) WITH CHECK (true);

-- Signed-in clients. Who waits, and who was turned away, is for the provider to know, and for that person.

CREATE FUNCTION medzen.own_user_id() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $me$
  SELECT id FROM medzen.call_users WHERE firebase_uid = auth.jwt() ->> 'sub'
$me$;
REVOKE ALL ON FUNCTION medzen.own_user_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION medzen.own_user_id() TO authenticated;

-- The sessions of the appointments that the caller holds.
CREATE FUNCTION medzen.own_consultations() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $held$
  SELECT s.id
  FROM medzen.call_users me
  JOIN medzen.call_appointments a ON a.provider_user_id = me.id
  JOIN public.video_call_sessions s ON s.appointment_id = a.id
  WHERE me.firebase_uid = auth.jwt() ->> 'sub'
$held$;
REVOKE ALL ON FUNCTION medzen.own_consultations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION medzen.own_consultations() TO authenticated;

ALTER POLICY own_calls ON public.video_call_participants
  USING (user_id = (SELECT medzen.own_user_id()) OR session_id IN (SELECT medzen.own_sessions()) AND (
    status NOT IN ('waiting', 'turned_away') OR session_id IN (SELECT medzen.own_consultations())));

-- As the API has it: an observer sees a call while it is on and they are let in; a part in a call alone, of somebody whose
-- appointment it is not any more, shows nothing.
CREATE OR REPLACE FUNCTION medzen.own_sessions() RETURNS SETOF uuid
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
  SELECT p.session_id
  FROM me
  JOIN public.video_call_participants p ON p.user_id = me.id
  JOIN public.video_call_sessions s ON s.id = p.session_id
  WHERE p.role = 'observer' AND p.admitted_at IS NOT NULL AND p.status NOT IN ('removed', 'turned_away')
    AND s.status IN ('creating', 'active', 'ending')
$own$;

CREATE POLICY own_consents ON public.video_call_consents FOR SELECT TO authenticated
  USING (user_id = (SELECT medzen.own_user_id()));
GRANT SELECT (session_id, user_id, kind, granted, given_at) ON public.video_call_consents TO authenticated;
