-- Chime's events, each kept once, and what was read out of them. They come late, twice, out of order or never, so who is
-- in a call is read from all of them each time and never counted up.

CREATE TABLE medzen.chime_events (
  -- EventBridge's: the same however often it is delivered.
  event_id text PRIMARY KEY,
  meeting_id text NOT NULL,
  -- AttendeeJoined, without its chime:
  kind text NOT NULL,
  -- detail.timestamp, by Chime's clock.
  at_ms bigint NOT NULL,
  attendee_id text,
  external_user_id text,
  received_at timestamptz NOT NULL,
  -- The session that it was counted for; none while no session has this meeting.
  session_id uuid REFERENCES public.video_call_sessions (id)
);
CREATE INDEX chime_events_by_meeting ON medzen.chime_events (meeting_id);
CREATE INDEX chime_events_of_nobody ON medzen.chime_events (received_at) WHERE session_id IS NULL;

-- Our meetings, learnt from events: Chime cannot list them. What is not over and no open session owns is to be ended.
CREATE TABLE medzen.chime_meetings (
  meeting_id text PRIMARY KEY,
  -- Our prefix and the session it was made for, where an event has said so.
  external_meeting_id text,
  control_region text NOT NULL,
  heard_at timestamptz NOT NULL,
  over_at timestamptz,
  -- When a run last tried to end it and Chime did not let it.
  tried_at timestamptz
);
CREATE INDEX chime_meetings_not_over ON medzen.chime_meetings (heard_at) WHERE over_at IS NULL;
CREATE INDEX chime_meetings_over ON medzen.chime_meetings (over_at) WHERE over_at IS NOT NULL;

ALTER TABLE public.video_call_sessions
  -- Counts the readings of its events: who read an older state writes nothing.
  ADD COLUMN events_version integer NOT NULL DEFAULT 0,
  -- Whether the rows say what the events say. An end or an activation may come between.
  ADD COLUMN events_read boolean NOT NULL DEFAULT true,
  -- How many are connected, by Chime's word; when the last of them went; when Chime last told of the meeting at all.
  ADD COLUMN connected integer NOT NULL DEFAULT 0,
  ADD COLUMN emptied_at timestamptz,
  ADD COLUMN heard_at timestamptz;
CREATE INDEX video_call_sessions_unread ON public.video_call_sessions (updated_at) WHERE NOT events_read;

DROP INDEX public.video_call_sessions_unasked;
CREATE INDEX video_call_sessions_unasked
  ON public.video_call_sessions ((greatest(activated_at, checked_at, heard_at))) WHERE status = 'active';

ALTER TABLE public.video_call_participants
  -- Whether Chime sees them connected: who says that they leave, or is removed, may hear on until their connection ends.
  ADD COLUMN connected boolean NOT NULL DEFAULT false,
  ADD COLUMN connections integer NOT NULL DEFAULT 0,
  ADD COLUMN drops integer NOT NULL DEFAULT 0;

CALL medzen.make_private('medzen.chime_events');
CALL medzen.make_private('medzen.chime_meetings');

-- What an event said is never rewritten; only what belongs to no call is ever deleted.
GRANT SELECT, INSERT, UPDATE (session_id), DELETE ON medzen.chime_events TO medzen_functions;
CREATE POLICY functions_read ON medzen.chime_events FOR SELECT TO medzen_functions USING (true);
CREATE POLICY functions_keep ON medzen.chime_events FOR INSERT TO medzen_functions WITH CHECK (session_id IS NULL);
CREATE POLICY functions_count ON medzen.chime_events FOR UPDATE TO medzen_functions
  USING (session_id IS NULL) WITH CHECK (session_id IS NOT NULL);
CREATE POLICY functions_prune ON medzen.chime_events FOR DELETE TO medzen_functions USING (session_id IS NULL);

GRANT SELECT, INSERT, UPDATE (over_at, tried_at), DELETE ON medzen.chime_meetings TO medzen_functions;
CREATE POLICY functions ON medzen.chime_meetings TO medzen_functions USING (true) WITH CHECK (true);

GRANT UPDATE (events_version, events_read, connected, emptied_at, heard_at, max_participants_reached)
  ON public.video_call_sessions TO medzen_functions;
GRANT UPDATE (connected, connections, drops) ON public.video_call_participants TO medzen_functions;
GRANT SELECT (connected) ON public.video_call_sessions TO authenticated;
