-- The life of a call: one row per session, one per person in it, and the join tokens apart.
--
-- States are text with CHECK, not enum types: a client must look up an enum by a named statement, which a transaction
-- pooler breaks.

CREATE TABLE public.video_call_sessions (
  id uuid PRIMARY KEY,
  appointment_id uuid NOT NULL,
  status text NOT NULL CHECK (status IN ('creating', 'active', 'ending', 'ended', 'failed')),
  -- Who makes the meeting now, and how many tried before: a request takes over by raising the attempt it saw.
  attempt integer NOT NULL DEFAULT 1,
  attempt_by text,
  control_region text NOT NULL,
  media_region text NOT NULL,
  meeting_id text UNIQUE,
  meeting jsonb,
  recording_enabled boolean NOT NULL DEFAULT false,
  transcription_enabled boolean NOT NULL DEFAULT false,
  transcription_language text,
  created_by uuid NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  activated_at timestamptz,
  checked_at timestamptz,
  ended_at timestamptz,
  -- Why it ended or failed, by whom (null: by the system), and how long it was active.
  end_reason text,
  ended_by uuid,
  duration_seconds integer CHECK (duration_seconds >= 0),
  max_participants_reached integer NOT NULL DEFAULT 0,
  CHECK (status <> 'active' OR (meeting_id IS NOT NULL AND meeting IS NOT NULL AND activated_at IS NOT NULL)),
  CHECK ((status IN ('ended', 'failed')) = (ended_at IS NOT NULL))
);

-- Two sides that start at once made two meetings; here the second finds the first.
CREATE UNIQUE INDEX video_call_sessions_one_open
  ON public.video_call_sessions (appointment_id) WHERE status IN ('creating', 'active', 'ending');
CREATE INDEX video_call_sessions_by_appointment ON public.video_call_sessions (appointment_id, created_at DESC);

CREATE TABLE public.video_call_participants (
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  user_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('provider', 'patient', 'observer')),
  status text NOT NULL CHECK (status IN ('invited', 'waiting', 'joined', 'left', 'removed', 'failed')),
  joined_at timestamptz,
  left_at timestamptz,
  duration_seconds integer NOT NULL DEFAULT 0 CHECK (duration_seconds >= 0),
  quality_metrics jsonb,
  PRIMARY KEY (session_id, user_id)
);
CREATE INDEX video_call_participants_by_user ON public.video_call_participants (user_id);

CREATE TABLE medzen.video_call_attendee_tokens (
  session_id uuid NOT NULL,
  user_id uuid NOT NULL,
  attendee_id text NOT NULL,
  -- Chime's Attendee object whole, join token included, as the client's SDK wants it.
  attendee jsonb NOT NULL,
  PRIMARY KEY (session_id, user_id),
  FOREIGN KEY (session_id, user_id) REFERENCES public.video_call_participants (session_id, user_id)
);
