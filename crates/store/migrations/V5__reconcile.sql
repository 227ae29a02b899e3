-- The reconciler, which finishes what requests left behind, and the counting of refusals.

-- Work of which only one run may be at it. A lease is a row and not a session lock, because behind a transaction pooler a
-- session is nobody's; it lapses, so a run that died stands in nobody's way for long.
CREATE TABLE medzen.leases (
  name text PRIMARY KEY,
  -- The request id of the run that has it.
  holder text NOT NULL,
  until timestamptz NOT NULL
);

-- When a run last tried to mend the session and Chime did not let it: others come first then.
ALTER TABLE public.video_call_sessions ADD COLUMN tried_at timestamptz;

-- What is due must be found without reading what is not: nearly all sessions are over, and most of the others are well.
CREATE INDEX video_call_sessions_unfinished ON public.video_call_sessions (updated_at)
  WHERE status IN ('creating', 'ending');
CREATE INDEX video_call_sessions_unasked
  ON public.video_call_sessions ((greatest(activated_at, checked_at))) WHERE status = 'active';

-- How often someone was refused in the hour that began with `since`, so that a script that knocks for hours does not fill
-- the audit.
CREATE TABLE medzen.refusals (
  chain text PRIMARY KEY,
  since timestamptz NOT NULL,
  seen integer NOT NULL,
  -- Of the hour before: how many were counted and not written.
  untold integer NOT NULL,
  -- The last request that was counted: a statement that is sent again counts once.
  request_id text NOT NULL
);

CALL medzen.make_private('medzen.leases');
CALL medzen.make_private('medzen.refusals');
GRANT UPDATE (tried_at) ON public.video_call_sessions TO medzen_functions;
GRANT SELECT, INSERT, UPDATE (holder, until) ON medzen.leases TO medzen_functions;
CREATE POLICY functions ON medzen.leases TO medzen_functions USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (since, seen, untold, request_id) ON medzen.refusals TO medzen_functions;
CREATE POLICY functions ON medzen.refusals TO medzen_functions USING (true) WITH CHECK (true);
