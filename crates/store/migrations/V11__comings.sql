-- How often someone has come since `comings_since`, within a minute of it: who comes and goes all the time would fill the audit.
ALTER TABLE public.video_call_participants
  ADD COLUMN comings integer NOT NULL DEFAULT 0,
  ADD COLUMN comings_since timestamptz;
GRANT UPDATE (comings, comings_since) ON public.video_call_participants TO medzen_functions;
