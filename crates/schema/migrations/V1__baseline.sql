-- The schema of MedZen Meetings, as one baseline: edited in place until the first release, by further migrations afterwards.
--
-- `{functions_role}` is replaced by the name of this deployment's role when the migration runs.

REVOKE ALL ON SCHEMA medzen FROM PUBLIC;

-- Roles belong to the cluster, so the functions' role carries the name of this deployment; another database of the cluster may
-- have created the others, or creates them at this moment. The login that is a member of the role is the operator's to create.
DO $roles$
DECLARE
  role record;
BEGIN
  FOR role IN
    SELECT * FROM (VALUES
      ('{functions_role}', 'NOLOGIN'), ('anon', 'NOLOGIN NOINHERIT'), ('authenticated', 'NOLOGIN NOINHERIT')
    ) AS wanted (name, attributes)
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role.name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I %s', role.name, role.attributes);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN
          NULL;
        WHEN insufficient_privilege THEN
          RAISE insufficient_privilege USING
            MESSAGE = format('this login may not create the role %s', role.name),
            HINT = format('Give the login CREATEROLE, or have an administrator run: CREATE ROLE %I %s;', role.name, role.attributes);
      END;
    END IF;
  END LOOP;
END
$roles$;

-- The claims of the client's token, as Supabase has it. Where it exists it is kept.
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

-- Revokes a table or view from everybody but its owner and enables row-level security. Every migration calls it for what it
-- creates, before it grants: default privileges (Supabase's, or an operator's) have granted it to others by then.
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

-- The host application owns users and appointments; they are read through two views that it may define itself.
--
-- The views are in a schema of their own, because a view bypasses row-level security and Supabase grants everything in
-- `public` to its client roles. A view that exists is kept. On a database without host tables, simple ones are created. Where
-- the host has tables of its own, only the host knows how they map (a provider_id that is a profile id kept providers from
-- ending their calls), so the migration stops, and the check of the database prints the view to write. Each id must occur
-- once in its view; a null status or video_enabled counts as no video.
DO $host$
BEGIN
  IF to_regclass('medzen.call_users') IS NULL THEN
    IF to_regclass('public.users') IS NOT NULL THEN
      RAISE EXCEPTION USING
        MESSAGE = 'this database has a users table of its own: define the view medzen.call_users, then migrate again',
        HINT = 'make check-database prints the view to write.';
    END IF;
    CREATE TABLE public.users (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      firebase_uid text NOT NULL UNIQUE,
      display_name text NOT NULL
    );
    COMMENT ON TABLE public.users IS 'Made by MedZen Meetings: the database had no users.';
    CREATE VIEW medzen.call_users AS SELECT id, firebase_uid, display_name FROM public.users;
    CALL medzen.make_private('public.users');
    CALL medzen.make_private('medzen.call_users');
  END IF;

  IF to_regclass('medzen.call_appointments') IS NULL THEN
    IF to_regclass('public.appointments') IS NOT NULL THEN
      RAISE EXCEPTION USING
        MESSAGE = 'this database has an appointments table of its own: define the view medzen.call_appointments, '
               || 'then migrate again',
        HINT = 'make check-database prints the view to write.';
    END IF;
    CREATE TABLE public.appointments (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      provider_user_id uuid NOT NULL,
      patient_user_id uuid NOT NULL,
      status text NOT NULL DEFAULT 'scheduled',
      video_enabled boolean NOT NULL DEFAULT true,
      scheduled_start timestamptz,
      scheduled_end timestamptz
    );
    -- A host's users may have ids of another type, or be elsewhere.
    IF obj_description(to_regclass('public.users'), 'pg_class') LIKE 'Made by MedZen Meetings%' THEN
      ALTER TABLE public.appointments
        ADD FOREIGN KEY (provider_user_id) REFERENCES public.users (id),
        ADD FOREIGN KEY (patient_user_id) REFERENCES public.users (id);
    END IF;
    COMMENT ON TABLE public.appointments IS 'Made by MedZen Meetings: the database had no appointments.';
    CREATE VIEW medzen.call_appointments AS
      SELECT id, provider_user_id, patient_user_id, status, video_enabled, scheduled_start, scheduled_end
      FROM public.appointments;
    CALL medzen.make_private('public.appointments');
    CALL medzen.make_private('medzen.call_appointments');
  END IF;
END
$host$;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Calls: one row per session, one per participant, and the join tokens apart.
--
-- States are text with CHECK, not enum types: a client must look up an enum by a named statement, which a transaction pooler
-- breaks. A table in `public` holds only what the members of a call may read, so that a signed-in client's `SELECT *` works;
-- join tokens, Chime's Meeting object and connection quality are in `medzen`, which clients cannot enter.

CREATE TABLE public.video_call_sessions (
  id uuid PRIMARY KEY,
  appointment_id uuid NOT NULL,
  status text NOT NULL CHECK (status IN ('creating', 'active', 'ending', 'ended', 'failed')),
  -- The number of attempts to create the meeting, and the request that makes the current one. A request takes over by
  -- incrementing the attempt that it read.
  attempt integer NOT NULL DEFAULT 1,
  attempt_by text,
  control_region text NOT NULL,
  media_region text NOT NULL,
  meeting_id text UNIQUE,
  recording_enabled boolean NOT NULL DEFAULT false,
  -- Whether a recording is requested that has not begun, because consent is missing. Ends when one begins, or the provider withdraws
  -- the request, which ends recording_enabled too.
  recording_requested boolean NOT NULL DEFAULT false,
  transcription_enabled boolean NOT NULL DEFAULT false,
  transcription_language text,
  created_by uuid NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  activated_at timestamptz,
  -- When GetMeeting last confirmed the meeting.
  checked_at timestamptz,
  ended_at timestamptz,
  -- Why an ended session ended and by which user (null: by the system); for a failed session, why it failed.
  end_reason text,
  ended_by uuid,
  error_message text,
  duration_seconds integer CHECK (duration_seconds >= 0),
  max_participants_reached integer NOT NULL DEFAULT 0,
  -- When the reconciler last tried to repair the session without success: it tries others first then.
  last_attempt_at timestamptz,
  -- Counts the projections of the session's events: a writer that read an older version writes nothing.
  projection_version integer NOT NULL DEFAULT 0,
  -- Whether the rows have yet to be projected from the events again: after an end or an activation that came between.
  projection_stale boolean NOT NULL DEFAULT false,
  -- Participants that Chime reports as connected; when the last of them left; the time of Chime's newest event.
  connected_count integer NOT NULL DEFAULT 0,
  last_left_at timestamptz,
  last_event_at timestamptz,
  -- When a participant who was alone in the call last confirmed that it is to go on.
  stay_confirmed_at timestamptz,
  CHECK (status <> 'active' OR (meeting_id IS NOT NULL AND activated_at IS NOT NULL)),
  CHECK ((status IN ('ended', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((status = 'failed') = (error_message IS NOT NULL))
);

-- At most one open session per appointment: of two starts at once the second finds the first.
CREATE UNIQUE INDEX video_call_sessions_one_open
  ON public.video_call_sessions (appointment_id) WHERE status IN ('creating', 'active', 'ending');
CREATE INDEX video_call_sessions_by_appointment ON public.video_call_sessions (appointment_id, created_at DESC);
-- Reports by day.
CREATE INDEX video_call_sessions_by_time ON public.video_call_sessions (created_at);
-- Due sessions are found without reading the rest: nearly all sessions are ended, and most of the others need nothing.
CREATE INDEX video_call_sessions_unfinished ON public.video_call_sessions (updated_at)
  WHERE status IN ('creating', 'ending');
CREATE INDEX video_call_sessions_unverified
  ON public.video_call_sessions ((greatest(activated_at, checked_at, last_event_at))) WHERE status = 'active';
CREATE INDEX video_call_sessions_empty
  ON public.video_call_sessions (last_left_at) WHERE status = 'active' AND connected_count = 0;
CREATE INDEX video_call_sessions_stale ON public.video_call_sessions (updated_at) WHERE projection_stale;

-- Chime's Meeting object, as the client's SDK takes it. Inserted with the activation of the session.
CREATE TABLE medzen.call_meetings (
  session_id uuid PRIMARY KEY REFERENCES public.video_call_sessions (id),
  meeting jsonb NOT NULL
);

CREATE TABLE public.video_call_participants (
  video_call_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  user_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('provider', 'patient', 'observer')),
  -- An observer's kind; null where the invitation names none, and for everyone else.
  observer_kind text CHECK (observer_kind IN ('interpreter', 'family', 'student') AND (observer_kind IS NULL OR role = 'observer')),
  -- turned_away: the provider refused; may be admitted later. removed: may not join this session again.
  status text NOT NULL CHECK (status IN ('invited', 'waiting', 'joined', 'left', 'removed', 'turned_away')),
  joined_at timestamptz,
  left_at timestamptz,
  duration_seconds integer NOT NULL DEFAULT 0 CHECK (duration_seconds >= 0),
  -- Set once for the session: an admitted participant may leave and join again.
  admitted_at timestamptz,
  waiting_since timestamptz,
  -- When the participant's client last sent a request that shows it to be alive, to within 20 seconds.
  seen_at timestamptz,
  -- The directions in which Chime lets the participant send and receive. Chime rejects receiving content without video.
  audio text NOT NULL DEFAULT 'SendReceive' CHECK (audio IN ('SendReceive', 'Send', 'Receive', 'None')),
  video text NOT NULL DEFAULT 'SendReceive' CHECK (video IN ('SendReceive', 'Send', 'Receive', 'None')),
  content text NOT NULL DEFAULT 'SendReceive' CHECK (content IN ('SendReceive', 'Send', 'Receive', 'None')),
  -- Whether Chime reports the participant as connected. A participant who left or was removed by request may still be
  -- connected for a moment.
  connected boolean NOT NULL DEFAULT false,
  connections integer NOT NULL DEFAULT 0,
  drops integer NOT NULL DEFAULT 0,
  -- Joins within one minute from join_count_since: the rate limit of joins.
  join_count integer NOT NULL DEFAULT 0,
  join_count_since timestamptz,
  PRIMARY KEY (video_call_id, user_id),
  CONSTRAINT video_call_participants_content_needs_video
    CHECK (content NOT IN ('SendReceive', 'Receive') OR video IN ('SendReceive', 'Receive')),
  CONSTRAINT video_call_participants_waiting_since CHECK (status <> 'waiting' OR waiting_since IS NOT NULL)
);
CREATE INDEX video_call_participants_by_user ON public.video_call_participants (user_id);

-- The summary of a participant's connection quality.
CREATE TABLE medzen.participant_quality (
  session_id uuid NOT NULL,
  user_id uuid NOT NULL,
  summary jsonb NOT NULL,
  PRIMARY KEY (session_id, user_id),
  FOREIGN KEY (session_id, user_id) REFERENCES public.video_call_participants (video_call_id, user_id)
);

CREATE TABLE medzen.video_call_attendee_tokens (
  session_id uuid NOT NULL,
  user_id uuid NOT NULL,
  attendee_id text NOT NULL,
  -- Chime's Attendee object, join token included, as the client's SDK takes it.
  attendee jsonb NOT NULL,
  PRIMARY KEY (session_id, user_id),
  FOREIGN KEY (session_id, user_id) REFERENCES public.video_call_participants (video_call_id, user_id)
);

-- Consent, as it was granted and revoked: a row is never changed, the newest row of a user and a purpose counts. The number
-- is assigned under the session's lock, so it gives the order.
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

-- ---------------------------------------------------------------------------------------------------------------------------
-- Recording: captures of a call's media, the recordings that a provider starts and stops, and their segments. Their states and
-- deadlines are in domain::recording. None of it is a member's to read directly: the rights are a parameter of the deployment.

CREATE TABLE medzen.recordings (
  -- Also the prefix of its files.
  id uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  -- The provider's intent. The state that is shown follows from it and from the segments.
  intent text NOT NULL CHECK (intent IN ('recording', 'paused', 'ended')),
  -- Whether it started by itself when everyone had consented.
  automatic boolean NOT NULL,
  layout text NOT NULL CHECK (layout IN ('audio_only', 'active_speaker', 'grid')),
  -- The user who started it; null where it started by itself.
  started_by uuid,
  began_at timestamptz NOT NULL,
  -- Its last pause.
  paused_at timestamptz,
  pause_reason text CHECK (pause_reason IN ('requested', 'consent_missing')),
  ended_at timestamptz,
  end_reason text CHECK (end_reason IN (
    'requested', 'consent_revoked', 'call_ended', 'everyone_left', 'capture_failed', 'capacity')),
  -- The user who stopped it; null where it ended by itself.
  ended_by uuid,
  -- When its last segment was verified or given up, which publishes its result.
  finished_at timestamptz,
  deletion_requested_at timestamptz,
  deleted_at timestamptz,
  CHECK ((intent = 'ended') = (ended_at IS NOT NULL)),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK ((paused_at IS NULL) = (pause_reason IS NULL)),
  CHECK (intent <> 'paused' OR paused_at IS NOT NULL),
  CHECK (automatic = (started_by IS NULL)),
  CHECK (deleted_at IS NULL OR deletion_requested_at IS NOT NULL),
  CHECK (deletion_requested_at IS NULL OR ended_at IS NOT NULL)
);
CREATE UNIQUE INDEX recordings_one_open ON medzen.recordings (session_id) WHERE ended_at IS NULL;
-- It starts by itself once per call.
CREATE UNIQUE INDEX recordings_one_automatic ON medzen.recordings (session_id) WHERE automatic;
CREATE INDEX recordings_by_session ON medzen.recordings (session_id, began_at);
-- Those that are not finished or not deleted, by the time at which their state began.
CREATE INDEX recordings_unfinished ON medzen.recordings ((coalesce(deletion_requested_at, ended_at, began_at)))
  WHERE deleted_at IS NULL AND (finished_at IS NULL OR deletion_requested_at IS NOT NULL);
-- Those whose retention may have ended.
CREATE INDEX recordings_kept ON medzen.recordings (ended_at, id)
  WHERE ended_at IS NOT NULL AND finished_at IS NOT NULL AND deletion_requested_at IS NULL;

-- A capture of a call's media: one pipeline of Chime, which keeps its purposes for life. While a capture is open, a participant
-- gets a join token only with consent to each of its purposes (medzen.missing_consents), and it is opened only with the consent
-- of everyone who holds a token (medzen.open_capture). Both hold the session's lock.
CREATE TABLE medzen.media_captures (
  -- Also Chime's ClientRequestToken and the last part of the SinkArn.
  id uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  purposes text[] NOT NULL CHECK (purposes <> '{}' AND purposes <@ '{recording,transcription}'),
  -- The recording whose segment it becomes.
  recording_id uuid REFERENCES medzen.recordings (id),
  -- Why nothing was recorded before it; null for a recording's first capture.
  gap_reason text CHECK (gap_reason IN ('paused', 'consent_missing', 'capture_changed', 'capture_failed')),
  status text NOT NULL DEFAULT 'requested'
    CHECK (status IN ('requested', 'starting', 'running', 'stopping', 'stopped', 'failed')),
  -- The pipeline, once its id is known; its ARN is the source of a concatenation.
  pipeline_id text UNIQUE,
  pipeline_arn text,
  opened_at timestamptz NOT NULL,
  -- When the status last changed, or Chime last confirmed it: its deadline counts from then.
  confirmed_at timestamptz NOT NULL,
  -- When Chime reported that it captures.
  began_at timestamptz,
  -- When its stop was requested, which enqueued the operation `stop_capture`, and why. After a revocation: the beginning of the
  -- tail that nobody may hear or see, for these purposes.
  stop_requested_at timestamptz,
  stop_reason text CHECK (stop_reason IN (
    'requested', 'paused', 'consent_revoked', 'purposes_changed', 'call_ended', 'everyone_left', 'pipeline_failed',
    'never_started', 'ended_by_chime', 'refused', 'capacity')),
  revoked text[] NOT NULL DEFAULT '{}' CHECK (revoked <@ purposes),
  ended_at timestamptz,
  -- When the text in its files was taken into the transcript.
  text_taken_at timestamptz CHECK (text_taken_at IS NULL OR ended_at IS NOT NULL),
  -- The times at which each attendee spoke, by its files: [[start, end, attendee id], ...] in milliseconds from the beginning of the call.
  speaking jsonb,
  -- When the files of a capture that served the text alone were deleted.
  speech_deleted_at timestamptz CHECK (speech_deleted_at IS NULL OR purposes = '{transcription}'),
  CHECK ((status IN ('stopped', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((stop_requested_at IS NULL) = (stop_reason IS NULL)),
  CHECK (status IN ('requested', 'starting', 'running') = (stop_requested_at IS NULL)),
  CHECK ((stop_reason IS NOT DISTINCT FROM 'consent_revoked') = (revoked <> '{}')),
  CHECK (status NOT IN ('starting', 'running') OR pipeline_id IS NOT NULL),
  CHECK (status <> 'running' OR began_at IS NOT NULL),
  CHECK ((recording_id IS NULL) <= (gap_reason IS NULL)),
  CHECK (recording_id IS NULL OR purposes @> '{recording}')
);
-- At most one open capture per session: Chime has at most one per meeting.
CREATE UNIQUE INDEX media_captures_one_open ON medzen.media_captures (session_id)
  WHERE status IN ('requested', 'starting', 'running', 'stopping');
CREATE INDEX media_captures_by_recording ON medzen.media_captures (recording_id) WHERE recording_id IS NOT NULL;
CREATE INDEX media_captures_by_session ON medzen.media_captures (session_id, opened_at);
-- Due captures are found without reading the rest.
CREATE INDEX media_captures_unfinished ON medzen.media_captures (confirmed_at)
  WHERE status IN ('requested', 'starting', 'running', 'stopping');

-- A segment of a recording: the file that Chime concatenates from the chunks of one capture. Inserted when the capture runs.
CREATE TABLE medzen.recording_segments (
  capture_id uuid PRIMARY KEY REFERENCES medzen.media_captures (id),
  recording_id uuid NOT NULL REFERENCES medzen.recordings (id),
  -- Its place in the recording, from 1, and the name of its file.
  number integer NOT NULL CHECK (number > 0),
  status text NOT NULL CHECK (status IN (
    'waiting', 'concatenating', 'verifying', 'ready', 'incomplete', 'failed', 'deleted')),
  -- When the status last changed.
  changed_at timestamptz NOT NULL,
  concatenation_id text UNIQUE,
  concatenations integer NOT NULL DEFAULT 0 CHECK (concatenations >= 0),
  -- The defect of the best file, and how much of it is missing.
  defect text CHECK (defect IN ('short', 'last_chunk_missing', 'tracks_apart', 'unverifiable', 'no_file', 'no_chunks')),
  missing_seconds numeric(9, 3) CHECK (missing_seconds >= 0),
  -- When the first chunk began, by its name, and the duration of the verified file with its checksum.
  started_at timestamptz,
  duration_seconds numeric(9, 3) CHECK (duration_seconds >= 0),
  sha256 text,
  chunks_deleted_at timestamptz,
  UNIQUE (recording_id, number),
  CHECK ((defect IS NULL) = (missing_seconds IS NULL)),
  CHECK (status <> 'concatenating' OR concatenation_id IS NOT NULL),
  CHECK (status <> 'ready' OR (defect IS NULL AND started_at IS NOT NULL AND duration_seconds IS NOT NULL AND sha256 IS NOT NULL)),
  -- No chunk is deleted before its file was verified.
  CHECK (chunks_deleted_at IS NULL OR status IN ('ready', 'failed', 'deleted'))
);
-- The calls' use of Chime, by kind: each row once.
CREATE TABLE medzen.usage_ledger (
  -- Of captures: of those that are recorded, and of those whose speech is captured for its text alone; of runs of the transcription; of the
  -- sound of jobs.
  kind text NOT NULL CHECK (kind IN ('capture_seconds', 'speech_capture_seconds', 'transcription_seconds', 'batch_seconds')),
  -- The capture; the run of the transcription.
  reference uuid NOT NULL,
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  quantity bigint NOT NULL CHECK (quantity >= 0),
  used_at timestamptz NOT NULL,
  PRIMARY KEY (kind, reference)
);

CREATE INDEX recording_segments_unfinished ON medzen.recording_segments (changed_at)
  WHERE status IN ('waiting', 'concatenating', 'verifying');

-- Searches through more than one run can look at, as the last run left them.
CREATE TABLE medzen.searches (
  name text PRIMARY KEY,
  began_at timestamptz NOT NULL,
  -- Where it continues; empty at its beginning.
  position text NOT NULL DEFAULT '',
  found bigint NOT NULL DEFAULT 0 CHECK (found >= 0),
  finished_at timestamptz
);

-- ---------------------------------------------------------------------------------------------------------------------------
-- Transcription: the transcript of a call, its runs, and its text. States and deadlines are in domain::transcript::live. None of it is
-- a member's to read directly, as with recordings.

-- The transcript of a call, inserted by its first run.
CREATE TABLE medzen.transcripts (
  id uuid PRIMARY KEY,
  session_id uuid NOT NULL UNIQUE REFERENCES public.video_call_sessions (id),
  created_at timestamptz NOT NULL,
  -- When its text was complete or given up, with the result; another run of the same call opens it again.
  finished_at timestamptz,
  outcome text CHECK (outcome IN ('ready', 'incomplete', 'failed')),
  segment_count integer,
  -- The times without text, [{start, end, reason}] (domain::transcript::gaps).
  gaps jsonb,
  -- Over the canonical JSON (domain::transcript::export), in hex.
  sha256 text,
  deletion_requested_at timestamptz,
  deleted_at timestamptz,
  CHECK ((finished_at IS NULL) = (outcome IS NULL)),
  CHECK (outcome IS NULL OR outcome = 'failed' OR (sha256 IS NOT NULL AND segment_count IS NOT NULL)),
  CHECK (deleted_at IS NULL OR deletion_requested_at IS NOT NULL)
);
-- Those whose retention may have ended.
CREATE INDEX transcripts_kept ON medzen.transcripts (finished_at, id) WHERE finished_at IS NOT NULL AND deletion_requested_at IS NULL;
-- Those that may never finish, whose speech has a retention of its own.
CREATE INDEX transcripts_unfinished ON medzen.transcripts (created_at) WHERE finished_at IS NULL;

-- A run: from the provider's request to its end. Its settings are what was resolved at the request (domain::transcript::language).
CREATE TABLE medzen.transcription_runs (
  id uuid PRIMARY KEY,
  transcript_id uuid NOT NULL REFERENCES medzen.transcripts (id),
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  number integer NOT NULL,
  mode text NOT NULL CHECK (mode IN ('live', 'batch')),
  -- The language that was asked for, and what Chime or Transcribe is asked for.
  settings jsonb NOT NULL,
  status text NOT NULL CHECK (status IN ('requested', 'starting', 'running', 'stopping', 'stopped', 'failed')),
  -- How often Chime was asked to start.
  attempt integer NOT NULL DEFAULT 0,
  -- The user who started it; null where it started by itself, which it does once per call.
  requested_by uuid,
  requested_at timestamptz NOT NULL,
  confirmed_at timestamptz NOT NULL,
  started_at timestamptz,
  ended_at timestamptz,
  end_reason text CHECK (end_reason IN (
    'requested', 'consent_revoked', 'call_ended', 'everyone_left', 'limit_reached', 'no_capture', 'refused', 'chime_failed',
    'no_confirmation', 'stopped_by_chime', 'budget_used', 'language_unsupported')),
  -- Chime's reason for a failure, or ours for a run that could not begin.
  message text,
  -- The UTC day whose budget it uses, and the seconds that it has reserved of it. Its end returns what it did not use.
  budget_day date NOT NULL,
  reserved_seconds bigint NOT NULL CHECK (reserved_seconds >= 0),
  limit_at timestamptz,
  UNIQUE (transcript_id, number),
  CHECK ((status IN ('stopped', 'failed')) = (ended_at IS NOT NULL)),
  CHECK (ended_at IS NULL OR end_reason IS NOT NULL),
  CHECK (status <> 'stopping' OR end_reason IS NOT NULL),
  CHECK (status <> 'running' OR started_at IS NOT NULL)
);
CREATE UNIQUE INDEX transcription_runs_one_open ON medzen.transcription_runs (session_id)
  WHERE status IN ('requested', 'starting', 'running', 'stopping');
CREATE UNIQUE INDEX transcription_runs_one_automatic ON medzen.transcription_runs (session_id) WHERE requested_by IS NULL;
CREATE INDEX transcription_runs_by_session ON medzen.transcription_runs (session_id, number);
CREATE INDEX transcription_runs_unfinished ON medzen.transcription_runs (confirmed_at)
  WHERE status IN ('requested', 'starting', 'running', 'stopping');

-- Times of a call of which there is no text although a run was open: each with its reason. Null: it goes on. One without length is the end of
-- an interruption, which may be known before its beginning is.
CREATE TABLE medzen.transcription_gaps (
  run_id uuid NOT NULL REFERENCES medzen.transcription_runs (id),
  began_at timestamptz NOT NULL,
  ended_at timestamptz CHECK (ended_at >= began_at),
  reason text NOT NULL CHECK (reason IN ('interrupted')),
  PRIMARY KEY (run_id, began_at)
);

-- The seconds of a UTC day that runs have reserved or used.
CREATE TABLE medzen.transcription_budgets (
  day date PRIMARY KEY,
  reserved_seconds bigint NOT NULL CHECK (reserved_seconds >= 0)
);

-- The results of attempts with a language in a region: a language that Chime's model does not list is attempted where the operator
-- allows it, and its result is remembered.
CREATE TABLE medzen.transcription_languages (
  engine text NOT NULL CHECK (engine IN ('standard', 'medical')),
  code text NOT NULL,
  region text NOT NULL,
  confirmed boolean NOT NULL,
  -- Chime's reason for a failure.
  message text,
  at timestamptz NOT NULL,
  PRIMARY KEY (engine, code, region)
);

-- The words of one speaker without another between: a place in a result of Chime's, or of a batch job. A result is replaced as a whole by
-- one of a higher rank (domain::transcript::segments), so that it does not matter in which order, and how often, text is taken.
CREATE TABLE medzen.transcript_segments (
  transcript_id uuid NOT NULL REFERENCES medzen.transcripts (id),
  result_id text NOT NULL,
  place integer NOT NULL,
  rank text NOT NULL,
  source text NOT NULL CHECK (source IN ('live', 'batch')),
  -- Milliseconds from the beginning of the call.
  start_ms bigint NOT NULL CHECK (start_ms >= 0),
  end_ms bigint NOT NULL CHECK (end_ms >= start_ms),
  -- The participant who speaks, or shares what is heard (`content`); else what the source calls the speaker.
  user_id uuid,
  role text,
  content boolean NOT NULL,
  speaker text,
  body text NOT NULL,
  language text NOT NULL,
  confidence double precision,
  spans jsonb NOT NULL,
  unfinished boolean NOT NULL,
  revoked boolean NOT NULL,
  search tsvector NOT NULL,
  CHECK ((user_id IS NULL) = (speaker IS NOT NULL)),
  CHECK ((user_id IS NULL) = (role IS NULL)),
  PRIMARY KEY (transcript_id, result_id, place)
);
CREATE INDEX transcript_segments_in_order ON medzen.transcript_segments (transcript_id, start_ms, result_id, place);
CREATE INDEX transcript_segments_search ON medzen.transcript_segments USING gin (search);

-- A job of Transcribe on the sound of a capture, which makes the text after the call or fills the gaps of the live text. States and
-- reasons are in domain::transcript::batch::job.
CREATE TABLE medzen.transcription_jobs (
  -- Also Transcribe's name of it, so that a start that is repeated is the same job.
  name text PRIMARY KEY,
  transcript_id uuid NOT NULL REFERENCES medzen.transcripts (id),
  session_id uuid NOT NULL REFERENCES public.video_call_sessions (id),
  capture_id uuid NOT NULL REFERENCES medzen.media_captures (id),
  attempt integer NOT NULL CHECK (attempt > 0),
  kind text NOT NULL CHECK (kind IN ('standard', 'medical')),
  -- The request to Transcribe (domain::transcript::settings).
  settings jsonb NOT NULL,
  status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'completed', 'failed')),
  requested_at timestamptz NOT NULL,
  -- When the status, or the concatenation, last changed.
  changed_at timestamptz NOT NULL,
  -- It is given up after it.
  deadline timestamptz NOT NULL,
  -- The concatenation of speech that is not recorded.
  concatenation_id text UNIQUE,
  -- When the sound of its file began, and how long it is.
  sound_began_at timestamptz,
  sound_seconds numeric(9, 3) CHECK (sound_seconds >= 0),
  ended_at timestamptz,
  reason text CHECK (reason IN (
    'no_file', 'too_large', 'consent_revoked', 'refused', 'transcribe_failed', 'unreadable', 'overdue')),
  -- Transcribe's reason for a failure.
  message text,
  UNIQUE (capture_id, attempt),
  CHECK ((status IN ('completed', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((status = 'failed') = (reason IS NOT NULL)),
  CHECK (status <> 'running' OR (sound_began_at IS NOT NULL AND sound_seconds IS NOT NULL))
);
CREATE INDEX transcription_jobs_by_transcript ON medzen.transcription_jobs (transcript_id);

-- The medical entities of a finished transcript, by the pieces of its text that Comprehend Medical was asked about
-- (domain::transcript::entities): a row says that its piece is done.
CREATE TABLE medzen.transcript_entities (
  transcript_id uuid NOT NULL REFERENCES medzen.transcripts (id),
  kind text NOT NULL CHECK (kind IN ('entities', 'icd10_cm')),
  piece integer NOT NULL CHECK (piece >= 0),
  -- [{segment, start, end, category, type, score, traits, concepts}]
  entities jsonb NOT NULL,
  found_at timestamptz NOT NULL,
  PRIMARY KEY (transcript_id, kind, piece)
);

-- ---------------------------------------------------------------------------------------------------------------------------
-- Chime's events, each stored once. EventBridge delivers late, twice, out of order or never, so attendance is projected from
-- all events of a meeting each time and never counted up.

CREATE TABLE medzen.chime_events (
  -- EventBridge's id: the same for every delivery of the event.
  event_id text PRIMARY KEY,
  meeting_id text NOT NULL,
  -- detail.eventType without its prefix `chime:`.
  kind text NOT NULL,
  -- detail.timestamp, the time that the event claims, in milliseconds. The projection clamps it.
  at_ms bigint NOT NULL,
  attendee_id text,
  external_user_id text,
  received_at timestamptz NOT NULL,
  -- The session whose projection includes the event; null until then.
  session_id uuid REFERENCES public.video_call_sessions (id)
);
CREATE INDEX chime_events_by_meeting ON medzen.chime_events (meeting_id);
CREATE INDEX chime_events_unapplied ON medzen.chime_events (received_at) WHERE session_id IS NULL;

-- Our meetings, learnt from events, because Chime cannot list them. A meeting that has not ended and belongs to no open
-- session is an orphan and is deleted.
CREATE TABLE medzen.chime_meetings (
  meeting_id text PRIMARY KEY,
  -- The deployment's prefix and the id of the session that it was created for, where an event named it.
  external_meeting_id text,
  control_region text NOT NULL,
  first_seen_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX chime_meetings_open ON medzen.chime_meetings (first_seen_at) WHERE ended_at IS NULL;
CREATE INDEX chime_meetings_ended ON medzen.chime_meetings (ended_at) WHERE ended_at IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Unfinished work: each row is an operation that a committed change made necessary. The request that inserted it executes it
-- at once where its function may; the executor's schedule executes what is left.

CREATE TABLE medzen.pending_operations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  operation text NOT NULL,
  -- The object that it acts on: an attendee id, a meeting id, the event's own id.
  target text NOT NULL,
  session_id uuid REFERENCES public.video_call_sessions (id),
  payload jsonb NOT NULL,
  -- The function whose schedule executes the operation.
  executor text NOT NULL,
  created_at timestamptz NOT NULL,
  not_before timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  last_attempt_at timestamptz,
  -- Until then one execution holds the operation and no other may take it.
  leased_until timestamptz,
  -- An earlier execution that sent an older payload may be in flight until then: completion repeats the operation afterwards.
  superseded_until timestamptz,
  last_error text,
  completed_at timestamptz
);
CREATE UNIQUE INDEX pending_operations_open ON medzen.pending_operations (operation, target) WHERE completed_at IS NULL;
CREATE INDEX pending_operations_due ON medzen.pending_operations (executor, not_before) WHERE completed_at IS NULL;
CREATE INDEX pending_operations_of_session ON medzen.pending_operations (session_id) WHERE completed_at IS NULL;
CREATE INDEX pending_operations_completed ON medzen.pending_operations (completed_at) WHERE completed_at IS NOT NULL;

-- Work of which one run at a time may execute. A lease is a row and not a session lock, because a transaction pooler shares
-- sessions; it expires, so a run that died blocks others only for a moment.
CREATE TABLE medzen.leases (
  name text PRIMARY KEY,
  -- The request id of the run that holds it.
  holder text NOT NULL,
  expires_at timestamptz NOT NULL
);

-- Denied requests of an actor in the hour that began at `since`: a script that repeats a denied request for hours does not
-- fill the audit log.
CREATE TABLE medzen.denial_rate_limits (
  chain text PRIMARY KEY,
  since timestamptz NOT NULL,
  seen integer NOT NULL,
  -- Denials of the hour before that were counted and have no entry.
  suppressed integer NOT NULL,
  -- The last request that was counted: a repeated statement counts once.
  request_id text NOT NULL
);
CREATE INDEX denial_rate_limits_by_age ON medzen.denial_rate_limits (since);

-- ---------------------------------------------------------------------------------------------------------------------------
-- The audit chain: its heads, the entries on their way to DynamoDB, and the one function that assigns a number and a hash.

CREATE TABLE medzen.audit_heads (
  chain text PRIMARY KEY,
  seq bigint NOT NULL,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL
);

CREATE TABLE medzen.audit_outbox (
  chain text NOT NULL,
  seq bigint NOT NULL,
  -- Exactly the text that was hashed.
  payload text NOT NULL,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL,
  at timestamptz NOT NULL,
  leased_until timestamptz,
  delivered_at timestamptz,
  -- Set when the audit table already holds another entry under this number: nothing is overwritten, a person must look.
  conflict boolean NOT NULL DEFAULT false,
  PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_outbox_undelivered ON medzen.audit_outbox (at, chain, seq)
  WHERE delivered_at IS NULL AND NOT conflict;
CREATE INDEX audit_outbox_delivered ON medzen.audit_outbox (delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX audit_outbox_conflicts ON medzen.audit_outbox (chain, seq) WHERE conflict;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Legal holds on what is kept of an appointment: its recordings, its transcripts, and its audit entries. The auditor alone places and
-- lifts them; rows stay. While one stands, nothing of the appointment is deleted (medzen.is_on_hold).

CREATE TABLE medzen.legal_holds (
  -- The newest of an appointment is the one with the greatest id.
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  appointment_id uuid NOT NULL,
  -- A case number or a code.
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
  placed_at timestamptz NOT NULL,
  -- The auditor: a user's id, or `sub:` with the SHA-256 of the token's subject for one without an account.
  placed_by text NOT NULL,
  lifted_at timestamptz,
  lifted_by text,
  -- Counts what may have added files to those under hold or freed them, the hold itself and its end included. The hold is on all files,
  -- or on none any more, when a pass over them was completed that began after the last of these changes.
  file_changes integer NOT NULL DEFAULT 0,
  files_applied integer NOT NULL DEFAULT 0,
  files_applied_at timestamptz,
  -- The versions that the last pass changed, and where a pass goes on that was not completed: {"change", "prefix", "marker", "versions"}.
  file_versions bigint NOT NULL DEFAULT 0,
  file_pass jsonb,
  -- The audit entries of the appointment's chain up to this number have the expiry of a hold, or the usual one again; when a pass last
  -- reached the chain's end, and until when a run of audit holds the next one.
  entries_applied bigint NOT NULL DEFAULT 0,
  entries_applied_at timestamptz,
  entries_leased_until timestamptz,
  CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
  CHECK (files_applied <= file_changes)
);
-- At most one stands.
CREATE UNIQUE INDEX legal_holds_standing ON medzen.legal_holds (appointment_id) WHERE lifted_at IS NULL;
CREATE INDEX legal_holds_by_appointment ON medzen.legal_holds (appointment_id, id DESC);
-- Those whose audit entries may have to be changed.
CREATE INDEX legal_holds_entries ON medzen.legal_holds (id) WHERE lifted_at IS NULL OR entries_applied_at IS NULL;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Functions that several statements share.

-- The name of an appointment's audit chain.
CREATE FUNCTION medzen.appointment_chain(appointment uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $chain$ SELECT 'APPT#' || $1 $chain$;

-- Whole seconds from one time to another, never negative; 0 where a time is unknown.
CREATE FUNCTION medzen.seconds_between(since timestamptz, until timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $seconds$ SELECT coalesce(greatest(0, floor(extract(epoch FROM $2 - $1))), 0)::integer $seconds$;

-- Capabilities as Chime's API spells them.
CREATE FUNCTION medzen.capabilities(audio text, video text, content text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $capabilities$ SELECT jsonb_build_object('Audio', $1, 'Video', $2, 'Content', $3) $capabilities$;

-- The user that a request names: by the subject of a token, or by id for a direct invocation. Where the host has several
-- accounts with that subject, the person is the one that the appointment names, else the one with a part in its call.
CREATE FUNCTION medzen.caller(subject text, user_id uuid, appointment uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $caller$
  WITH account AS (
    SELECT id, count(*) OVER () > 1 AS ambiguous
    FROM (
      SELECT id FROM medzen.call_users WHERE firebase_uid = $1
      UNION ALL
      SELECT id FROM medzen.call_users WHERE id = $2
    ) AS named
  )
  SELECT account.id FROM account
  ORDER BY
    CASE WHEN account.ambiguous THEN (
      SELECT account.id = a.provider_user_id OR account.id = a.patient_user_id FROM medzen.call_appointments a
      WHERE a.id = $3) END DESC NULLS LAST,
    CASE WHEN account.ambiguous THEN EXISTS (
      SELECT FROM public.video_call_participants p JOIN public.video_call_sessions s ON s.id = p.video_call_id
      WHERE s.appointment_id = $3 AND p.user_id = account.id) END DESC NULLS LAST,
    account.id
  LIMIT 1
$caller$;

-- Appends an entry to a chain and returns its number. The row of audit_heads is the chain's lock: the upsert takes it, and
-- the number and hash are computed from the locked row, because reading the head first forks the chain under load. The hash
-- is domain::audit::entry_hash: SHA-256 over previous hash, chain, number (8 bytes, big-endian) and payload.
--
-- It runs as its owner, so that the functions' role can append and nothing else: it never writes a number, a hash or a payload.
CREATE FUNCTION medzen.audit_append(chain text, entry jsonb, at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $append$
  WITH written AS (
    SELECT $1 AS chain, $2::text AS payload, $3 AS at
  ), head AS (
    INSERT INTO medzen.audit_heads AS head (chain, seq, previous_hash, hash)
    SELECT chain, 1, genesis,
           sha256(genesis || convert_to(chain, 'UTF8') || int8send(1::bigint) || convert_to(payload, 'UTF8'))
    FROM written, (SELECT decode(repeat('00', 32), 'hex') AS genesis) AS start
    ON CONFLICT (chain) DO UPDATE
    SET seq = head.seq + 1,
        previous_hash = head.hash,
        hash = sha256(head.hash || convert_to($1, 'UTF8') || int8send(head.seq + 1) || convert_to($2::text, 'UTF8'))
    RETURNING head.seq, head.previous_hash, head.hash
  )
  INSERT INTO medzen.audit_outbox (chain, seq, payload, previous_hash, hash, at)
  SELECT written.chain, head.seq, written.payload, head.previous_hash, head.hash, written.at
  FROM head, written
  RETURNING seq
$append$;

-- An appointment as the host application has it now; no row for one that it does not have. `cancelled_statuses` are in lower
-- case: the host's status is compared without case and surrounding spaces. A time that the calendar does not know (`infinity`) is no time.
CREATE FUNCTION medzen.call_appointment(appointment uuid, cancelled_statuses text[])
RETURNS TABLE (
  id uuid, provider_user_id uuid, patient_user_id uuid, cancelled boolean, video_enabled boolean, scheduled_start timestamptz,
  scheduled_end timestamptz)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $appointment$
  SELECT a.id, a.provider_user_id, a.patient_user_id,
    coalesce(lower(btrim(a.status, E' \t\r\n\u00a0')) = ANY ($2), false), coalesce(a.video_enabled, false),
    CASE WHEN a.scheduled_start BETWEEN '0001-01-01Z' AND '9999-12-31Z' THEN a.scheduled_start END,
    CASE WHEN a.scheduled_end BETWEEN '0001-01-01Z' AND '9999-12-31Z' THEN a.scheduled_end END
  FROM medzen.call_appointments a WHERE a.id = $1
$appointment$;

-- The users of a call: the appointment's provider and patient, and every participant but those removed or turned away and
-- former providers and patients. Of a deleted appointment nobody is a former one: they are notified that the call ended.
CREATE FUNCTION medzen.call_member_ids(session uuid, appointment uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $members$
  SELECT coalesce(jsonb_agg(member ORDER BY member), '[]')
  FROM (
    SELECT provider_user_id AS member FROM medzen.call_appointments WHERE id = $2
    UNION
    SELECT patient_user_id FROM medzen.call_appointments WHERE id = $2
    UNION
    SELECT user_id FROM public.video_call_participants
    WHERE video_call_id = $1
      AND (role = 'observer' OR NOT EXISTS (SELECT FROM medzen.call_appointments WHERE id = $2))
  ) AS members
  WHERE member IS NOT NULL AND NOT EXISTS (
    SELECT FROM public.video_call_participants p
    WHERE p.video_call_id = $1 AND p.user_id = member AND p.status IN ('removed', 'turned_away'))
$members$;

-- The function whose schedule executes an operation (domain::operation::Operation::executor).
CREATE FUNCTION medzen.operation_executor(operation text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $executor$
  SELECT CASE
    WHEN $1 IN ('delete_attendee', 'update_capabilities', 'delete_meeting', 'verify_meeting', 'publish_event')
      THEN 'meeting-manager'
    WHEN $1 IN (
      'start_capture', 'stop_capture', 'concatenate', 'verify_segment', 'delete_chunks', 'delete_recording', 'apply_hold')
      THEN 'recording'
    WHEN $1 IN ('start_transcription', 'stop_transcription', 'take_text', 'complete_transcript', 'delete_transcript',
      'start_batch_job', 'check_batch_job', 'find_entities') THEN 'transcript'
  END
$executor$;

-- Inserts an operation, or gives the open one of the same target the new payload, and returns it. The caller holds the lease
-- until `leased_until`; null: the schedule executes it.
--
-- It runs as its owner, so that the functions' role can insert no operation but through the functions here.
CREATE FUNCTION medzen.enqueue_operation(
  operation text, target text, session uuid, payload jsonb, at timestamptz, leased_until timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $enqueue$
  INSERT INTO medzen.pending_operations AS o (
    operation, target, session_id, payload, executor, created_at, not_before, leased_until)
  VALUES ($1, $2, $3, $4, medzen.operation_executor($1), $5, $5, $6)
  ON CONFLICT (operation, target) WHERE completed_at IS NULL DO UPDATE
  SET payload = excluded.payload, not_before = least(o.not_before, excluded.not_before), leased_until = excluded.leased_until,
      superseded_until = CASE WHEN o.payload <> excluded.payload
        THEN greatest(o.superseded_until, o.leased_until) ELSE o.superseded_until END
  RETURNING jsonb_build_object('id', o.id, 'operation', o.operation, 'target', o.target, 'payload', o.payload)
$enqueue$;

-- Inserts an event for the host application and returns its operation. `eventId` in the detail is the operation's id;
-- `occurred_at` is the time of what the event is about, which may lie ahead by Chime's clock.
CREATE FUNCTION medzen.enqueue_event(
  detail_type text, session uuid, detail jsonb, occurred_at timestamptz, at timestamptz, leased_until timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $event$
  INSERT INTO medzen.pending_operations AS o (
    id, operation, target, session_id, payload, executor, created_at, not_before, leased_until)
  SELECT id, 'publish_event', id, $2, jsonb_build_object('detailType', $1, 'detail', jsonb_build_object(
      'version', '1', 'eventId', id,
      'occurredAt', to_char($4 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) || jsonb_strip_nulls($3)),
    medzen.operation_executor('publish_event'), $5, $5, $6
  FROM gen_random_uuid() AS id
  RETURNING jsonb_build_object('id', o.id, 'operation', o.operation, 'target', o.target, 'payload', o.payload)
$event$;

-- The number of a chain's last entry; 0 for a chain without entries.
CREATE FUNCTION medzen.chain_length(chain text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $length$
  SELECT coalesce((SELECT head.seq FROM medzen.audit_heads head WHERE head.chain = $1), 0)
$length$;

-- Each query of a VOLATILE function has a snapshot of its own (https://www.postgresql.org/docs/15/xfunc-volatility.html). A
-- statement that waits for a lock continues with the snapshot from before it waited, so what a session's lock protects is
-- read by these functions, which are called once the lock is held.

-- Whether a legal hold stands on an appointment. A statement that deletes what is kept, or enqueues its deletion, asks it under the lock of
-- one of the appointment's sessions: the statement that places a hold takes the locks of all of them, so that of the two the later one
-- sees the earlier. An appointment without a session has nothing to delete.
CREATE FUNCTION medzen.is_on_hold(appointment uuid) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $hold$
  SELECT EXISTS (SELECT FROM medzen.legal_holds h WHERE h.appointment_id = $1 AND h.lifted_at IS NULL)
$hold$;

-- Enqueues a pass over all files of an appointment, which places the legal hold on them, or takes it off after the hold was lifted: to be
-- called when one of the two was done, and when files may have been added. Returns whether it did: nothing is done for an appointment
-- that has never been on hold or never captured. Each pass has a number of its own, so that one that is under way is followed by
-- another.
CREATE FUNCTION medzen.enqueue_hold(appointment uuid, at timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $enqueue$
  WITH changed AS (
    UPDATE medzen.legal_holds h SET file_changes = h.file_changes + 1
    WHERE h.id = (SELECT max(newest.id) FROM medzen.legal_holds newest WHERE newest.appointment_id = $1)
      -- Files that are added after a lifted hold was taken off have none.
      AND (h.lifted_at IS NULL OR h.lifted_at = $2 OR h.files_applied < h.file_changes)
      AND EXISTS (
        SELECT FROM public.video_call_sessions s JOIN medzen.media_captures c ON c.session_id = s.id WHERE s.appointment_id = $1)
    RETURNING h.id, h.lifted_at IS NULL AS stands, h.file_changes
  )
  SELECT count(medzen.enqueue_operation('apply_hold', $1::text, NULL, jsonb_build_object(
    'hold', changed.id, 'on', changed.stands, 'change', changed.file_changes), $2, NULL)) > 0
  FROM changed
$enqueue$;

-- Deletes a participant's join token and enqueues the deletion of the attendee. Returns the operation; null without a token.
CREATE FUNCTION medzen.revoke_attendee(session uuid, participant uuid, at timestamptz, leased_until timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $revoke$
  WITH token AS (
    DELETE FROM medzen.video_call_attendee_tokens t WHERE t.session_id = $1 AND t.user_id = $2
    RETURNING t.session_id, t.user_id, t.attendee_id
  )
  SELECT medzen.enqueue_operation('delete_attendee', token.attendee_id, s.id, jsonb_build_object(
    'userId', token.user_id, 'controlRegion', s.control_region, 'meetingId', s.meeting_id), $3, $4)
  FROM token JOIN public.video_call_sessions s ON s.id = token.session_id
$revoke$;

-- Enqueues the update of the attendee's capabilities to those that the participant has now. Returns the operation; null where
-- the participant has no attendee.
CREATE FUNCTION medzen.enqueue_capability_update(
  session uuid, participant uuid, capabilities jsonb, at timestamptz, leased_until timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $update$
  SELECT medzen.enqueue_operation('update_capabilities', t.attendee_id, s.id, jsonb_build_object(
    'userId', t.user_id, 'controlRegion', s.control_region, 'meetingId', s.meeting_id, 'capabilities', $3), $4, $5)
  FROM medzen.video_call_attendee_tokens t JOIN public.video_call_sessions s ON s.id = t.session_id
  WHERE t.session_id = $1 AND t.user_id = $2
$update$;

-- Chime's Meeting object of a session. A start that waits for another one's row returns the session as that one left it, active,
-- while the statement's own snapshot is from before: only a new snapshot has the meeting that came with it.
CREATE FUNCTION medzen.call_meeting(session uuid) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $meeting$
  SELECT m.meeting FROM medzen.call_meetings m WHERE m.session_id = $1
$meeting$;

-- Whether a participant's stored attendee is this one.
CREATE FUNCTION medzen.has_attendee(session uuid, participant uuid, attendee text) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $has$
  SELECT EXISTS (
    SELECT FROM medzen.video_call_attendee_tokens t
    WHERE t.session_id = $1 AND t.user_id = $2 AND t.attendee_id = $3)
$has$;

-- Whether an attendee is stored for a participant: without one, whoever is connected has an attendee that was revoked.
CREATE FUNCTION medzen.has_stored_attendee(session uuid, participant uuid) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $stored$
  SELECT EXISTS (
    SELECT FROM medzen.video_call_attendee_tokens t WHERE t.session_id = $1 AND t.user_id = $2)
$stored$;

-- When a session's meeting ended according to an event that has not been verified; null where there is none.
CREATE FUNCTION medzen.reported_end(session uuid) RETURNS timestamptz
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $reported$
  SELECT min((o.payload ->> 'endedAt')::timestamptz) FROM medzen.pending_operations o
  WHERE o.session_id = $1 AND o.operation = 'verify_meeting' AND o.completed_at IS NULL
$reported$;

-- The participants of a session: whether each is in the call, and when those who are not were last in it. A leave request of an
-- old device may be later than the connection of the new one, so a participant who left by request is in the call while Chime
-- reports a connection and the client has sent a request since, after `unseen`.
CREATE FUNCTION medzen.presence(session uuid, unseen timestamptz)
RETURNS TABLE (status text, present boolean, last_present_at timestamptz)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $presence$
  SELECT p.status,
    p.status = 'joined' OR coalesce(p.status = 'left' AND p.connected AND p.seen_at > p.left_at AND p.seen_at > $2, false),
    greatest(p.left_at, CASE p.status WHEN 'left' THEN p.seen_at END)
  FROM public.video_call_participants p WHERE p.video_call_id = $1
$presence$;

-- Since when one participant has been alone in a session; null where none or several are in it, or someone waits to be admitted.
CREATE FUNCTION medzen.alone_since(session uuid, unseen timestamptz) RETURNS timestamptz
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $alone$
  SELECT CASE WHEN count(*) FILTER (WHERE p.present) = 1 AND count(*) FILTER (WHERE p.status = 'waiting') = 0
    THEN greatest(s.activated_at, s.stay_confirmed_at, max(p.last_present_at) FILTER (WHERE NOT p.present)) END
  FROM public.video_call_sessions s, LATERAL medzen.presence(s.id, $2) AS p
  WHERE s.id = $1
  GROUP BY s.id
$alone$;

-- Why an active session is to be ended: every participant left before `empty` and Chime has confirmed the meeting since, or one has
-- been alone since before `alone`. Null where it goes on, or where an event claims its end: that is verified first.
CREATE FUNCTION medzen.reason_to_end(session uuid, unseen timestamptz, empty timestamptz, alone timestamptz) RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $reason$
  SELECT CASE
    WHEN medzen.reported_end(s.id) IS NOT NULL THEN NULL
    WHEN count(*) FILTER (WHERE p.present) = 0 AND greatest(s.activated_at, max(p.last_present_at)) <= $3
      AND s.checked_at >= greatest(s.activated_at, max(p.last_present_at)) THEN 'everyone_left'
    WHEN medzen.alone_since(s.id, $2) <= $4 THEN 'forgotten'
  END
  FROM public.video_call_sessions s, LATERAL medzen.presence(s.id, $2) AS p
  WHERE s.id = $1 AND s.status = 'active'
  GROUP BY s.id
$reason$;

-- Inserts a participant's decisions on consent, [{"kind": ..., "granted": ...}], and returns those that change something: a
-- decision equal to the newest of its purpose is not inserted.
CREATE FUNCTION medzen.insert_consent(session uuid, participant uuid, decisions jsonb, at timestamptz)
RETURNS TABLE (kind text, granted boolean)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $consent$
  INSERT INTO public.video_call_consents AS inserted (session_id, number, user_id, kind, granted, given_at)
  SELECT $1,
    (SELECT coalesce(max(c.number), 0) FROM public.video_call_consents c WHERE c.session_id = $1)
      + row_number() OVER (ORDER BY decision.kind),
    $2, decision.kind, decision.granted, $4
  FROM jsonb_to_recordset($3) AS decision (kind text, granted boolean)
  WHERE decision.granted IS DISTINCT FROM (
    SELECT c.granted FROM public.video_call_consents c
    WHERE c.session_id = $1 AND c.user_id = $2 AND c.kind = decision.kind
    ORDER BY c.number DESC LIMIT 1)
  RETURNING inserted.kind, inserted.granted
$consent$;

-- Whether a participant may hold a join token that works: one was handed out, which sets `joined_at`, and Chime has not deleted
-- the attendee yet.
CREATE FUNCTION medzen.holds_token(session uuid, participant uuid) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $holds$
  SELECT EXISTS (
    SELECT FROM medzen.video_call_attendee_tokens t
    JOIN public.video_call_participants p ON p.video_call_id = t.session_id AND p.user_id = t.user_id
    WHERE t.session_id = $1 AND t.user_id = $2 AND p.joined_at IS NOT NULL
  ) OR EXISTS (
    SELECT FROM medzen.pending_operations o
    WHERE o.session_id = $1 AND o.operation = 'delete_attendee' AND o.completed_at IS NULL
      AND o.payload ->> 'userId' = $2::text)
$holds$;

-- Whether a participant's newest decision on a purpose is a grant; null before the first.
CREATE FUNCTION medzen.newest_decision(session uuid, participant uuid, purpose text) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $newest$
  SELECT c.granted FROM public.video_call_consents c
  WHERE c.session_id = $1 AND c.user_id = $2 AND c.kind = $3
  ORDER BY c.number DESC LIMIT 1
$newest$;

-- The purposes of open captures, and of a transcription that Chime was asked for, to which a participant has not consented, with whether
-- the stop of each was requested.
CREATE FUNCTION medzen.missing_consents(session uuid, participant uuid) RETURNS TABLE (purpose text, stopping boolean)
LANGUAGE sql VOLATILE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $missing$
  SELECT used.purpose, bool_and(used.stopping)
  FROM (
    SELECT purpose, c.stop_requested_at IS NOT NULL AS stopping
    FROM medzen.media_captures c, unnest(c.purposes) AS purpose
    WHERE c.session_id = $1 AND c.status IN ('requested', 'starting', 'running', 'stopping')
    UNION ALL
    -- Between two captures Chime transcribes all the same.
    SELECT 'transcription', r.status = 'stopping'
    FROM medzen.transcription_runs r
    WHERE r.session_id = $1 AND r.mode = 'live' AND r.status IN ('starting', 'running', 'stopping')) AS used
  WHERE medzen.newest_decision($1, $2, used.purpose) IS DISTINCT FROM true
  GROUP BY used.purpose ORDER BY used.purpose
$missing$;

-- The consents that a participant lacks, and with `hand_out` the stored attendee, join token included: null where there is none
-- or a consent is missing. A token is handed out under the session's lock, so that no capture is opened at the same time.
CREATE FUNCTION medzen.hand_out_token(session uuid, participant uuid, hand_out boolean)
RETURNS TABLE (attendee jsonb, consent_required jsonb)
LANGUAGE sql VOLATILE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $token$
  SELECT FROM public.video_call_sessions s WHERE s.id = $1 AND $3 FOR NO KEY UPDATE;
  SELECT CASE WHEN $3 AND required.consents = '[]' THEN (
      SELECT t.attendee FROM medzen.video_call_attendee_tokens t WHERE t.session_id = $1 AND t.user_id = $2) END,
    required.consents
  FROM (
    SELECT coalesce(jsonb_agg(jsonb_build_object('purpose', m.purpose, 'stopping', m.stopping)), '[]') AS consents
    FROM medzen.missing_consents($1, $2) AS m) AS required;
$token$;

-- Whether a call may be captured for these purposes: it is active, somebody is in it, and everyone who is or who holds a join token has
-- consented to each. The caller holds the session's lock.
CREATE FUNCTION medzen.may_capture(session uuid, purposes text[]) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $may$
  SELECT EXISTS (
    SELECT FROM public.video_call_sessions s
    WHERE s.id = $1 AND s.status = 'active'
      AND EXISTS (
        SELECT FROM public.video_call_participants p
        WHERE p.video_call_id = s.id AND (p.status = 'joined' OR p.connected))
      AND NOT EXISTS (
        SELECT FROM public.video_call_participants p, unnest($2) AS purpose
        WHERE p.video_call_id = s.id
          AND (p.status = 'joined' OR p.connected OR medzen.holds_token(s.id, p.user_id))
          AND medzen.newest_decision(s.id, p.user_id, purpose) IS DISTINCT FROM true))
$may$;

-- Opens a capture with its purposes and returns whether it did: the session is active and has no open capture, somebody is in the
-- call, and everyone who is or who holds a join token has consented to each purpose. Takes the session's lock. To be called
-- before media is captured.
CREATE FUNCTION medzen.open_capture(
  capture uuid, session uuid, purposes text[], at timestamptz, recording uuid DEFAULT NULL, gap text DEFAULT NULL) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $open$
  SELECT FROM public.video_call_sessions s WHERE s.id = $2 FOR NO KEY UPDATE;
  WITH opened AS (
    INSERT INTO medzen.media_captures (id, session_id, purposes, opened_at, confirmed_at, recording_id, gap_reason)
    SELECT $1, $2, $3, $4, $4, $5, $6 WHERE medzen.may_capture($2, $3)
    ON CONFLICT (session_id) WHERE status IN ('requested', 'starting', 'running', 'stopping') DO NOTHING
    RETURNING id
  )
  SELECT EXISTS (SELECT FROM opened);
$open$;

-- Whether a participant may be in the call, admitted or connected.
CREATE FUNCTION medzen.may_be_in_call(session uuid, participant uuid) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $may$
  SELECT EXISTS (
    SELECT FROM public.video_call_participants p
    WHERE p.video_call_id = $1 AND p.user_id = $2 AND (p.admitted_at IS NOT NULL OR p.connected))
$may$;

-- Requests the stop of a session's transcription, if the participant has refused it, and returns how many stops were requested. A run
-- that Chime was not asked to start is ended by the function transcript. The caller holds the session's lock.
CREATE FUNCTION medzen.stop_refused_run(session uuid, participant uuid, at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $stop$
  WITH stopping AS (
    UPDATE medzen.transcription_runs r SET status = 'stopping', end_reason = 'consent_revoked', confirmed_at = $3
    WHERE r.session_id = $1 AND r.mode = 'live' AND r.status IN ('starting', 'running')
      AND NOT medzen.newest_decision($1, $2, 'transcription')
    RETURNING r.id
  )
  SELECT count(medzen.enqueue_operation('stop_transcription', stopping.id::text, $1, jsonb_build_object(
    'controlRegion', s.control_region, 'meetingId', s.meeting_id), $3, NULL))
  FROM stopping JOIN public.video_call_sessions s ON s.id = $1
$stop$;

-- Requests the stop of the open capture, if it has a purpose that the participant has refused, and returns how many stops were
-- requested. One that is stopping for another reason gets its tail marked from here on (domain::recording::capture::request_stop).
-- The caller holds the session's lock.
CREATE FUNCTION medzen.stop_refused_captures(session uuid, participant uuid, at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $stop$
  WITH refused AS (
    SELECT c.id, c.status, ARRAY (
      SELECT purpose FROM unnest(c.purposes) AS purpose
      WHERE NOT medzen.newest_decision($1, $2, purpose) ORDER BY purpose) AS purposes
    FROM medzen.media_captures c
    WHERE c.session_id = $1 AND c.status IN ('requested', 'starting', 'running', 'stopping')
  ), stopping AS (
    UPDATE medzen.media_captures c
    SET status = 'stopping',
        confirmed_at = CASE c.status WHEN 'stopping' THEN c.confirmed_at ELSE $3 END,
        stop_requested_at = CASE c.stop_reason WHEN 'consent_revoked' THEN c.stop_requested_at ELSE $3 END,
        stop_reason = 'consent_revoked',
        revoked = ARRAY (SELECT purpose FROM unnest(c.purposes) AS purpose WHERE purpose = ANY (c.revoked || refused.purposes))
    FROM refused
    WHERE c.id = refused.id AND NOT refused.purposes <@ c.revoked
    RETURNING c.id, c.pipeline_id, refused.status
  )
  SELECT (
    SELECT count(medzen.enqueue_operation('stop_capture', stopping.id::text, $1, jsonb_build_object(
      'controlRegion', s.control_region, 'pipelineId', stopping.pipeline_id), $3, NULL))
    FROM stopping JOIN public.video_call_sessions s ON s.id = $1
    WHERE stopping.status <> 'stopping') + medzen.stop_refused_run($1, $2, $3)
$stop$;

-- A run, as domain::transcript::live::Run reads it.
CREATE FUNCTION medzen.run_json(run medzen.transcription_runs) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $run$
  SELECT jsonb_build_object('id', $1.id, 'transcriptId', $1.transcript_id, 'mode', $1.mode, 'status', $1.status,
    'attempt', $1.attempt, 'requestedAt', $1.requested_at, 'confirmedAt', $1.confirmed_at, 'startedAt', $1.started_at,
    'endedAt', $1.ended_at, 'endReason', $1.end_reason, 'limitAt', $1.limit_at, 'message', $1.message, 'settings', $1.settings)
$run$;

-- The captures, the recording and the last run of a session, as domain::recording::state reads them.
CREATE FUNCTION medzen.capture_state(session uuid) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $state$
  WITH open AS (
    SELECT r.* FROM medzen.recordings r WHERE r.session_id = $1 AND r.ended_at IS NULL
  ), ended AS (
    SELECT c.* FROM medzen.media_captures c
    WHERE c.session_id = $1 AND c.ended_at IS NOT NULL AND c.recording_id IS NOT DISTINCT FROM (SELECT id FROM open)
    ORDER BY c.ended_at DESC, c.opened_at DESC LIMIT 4
  )
  SELECT CASE
    -- Most calls have none of it: the rest would be a fifth of what the load of a call reads.
    WHEN NOT EXISTS (SELECT FROM medzen.recordings r WHERE r.session_id = $1)
      AND NOT EXISTS (SELECT FROM medzen.media_captures c WHERE c.session_id = $1)
      AND NOT EXISTS (SELECT FROM medzen.transcription_runs r WHERE r.session_id = $1)
    THEN '{"hasRecording": false, "ended": []}'::jsonb
    ELSE jsonb_build_object(
    'recording', (SELECT jsonb_build_object('id', id, 'intent', intent, 'layout', layout, 'beganAt', began_at,
      'pausedAt', paused_at, 'pauseReason', pause_reason) FROM open),
    'hasRecording', EXISTS (SELECT FROM medzen.recordings r WHERE r.session_id = $1),
    'previous', (SELECT jsonb_build_object('requestedAt', opened_at, 'stop', stop_reason, 'revoked', revoked)
      FROM ended WHERE began_at IS NOT NULL AND recording_id IS NOT NULL ORDER BY ended_at DESC LIMIT 1),
    'capture', (SELECT jsonb_build_object('id', c.id, 'purposes', c.purposes, 'recordingId', c.recording_id,
        'status', c.status, 'pipelineId', c.pipeline_id, 'requestedAt', c.opened_at, 'confirmedAt', c.confirmed_at,
        'beganAt', c.began_at, 'stopRequestedAt', c.stop_requested_at, 'stopReason', c.stop_reason, 'revoked', c.revoked)
      FROM medzen.media_captures c
      WHERE c.session_id = $1 AND c.status IN ('requested', 'starting', 'running', 'stopping')),
    'ended', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'failed', status = 'failed', 'beganAt', began_at, 'endedAt', ended_at) ORDER BY ended_at DESC, opened_at DESC), '[]')
      FROM ended),
    'run', (SELECT medzen.run_json(r) || jsonb_build_object('capturedUntil', (
        SELECT max(c.ended_at) FROM medzen.media_captures c WHERE c.session_id = $1 AND c.purposes @> '{transcription}'))
      FROM medzen.transcription_runs r WHERE r.session_id = $1 ORDER BY r.number DESC LIMIT 1)) END
$state$;

-- Whether a session's captures and recording are still as a decision read them: the recording that has not ended and its intent, the
-- open capture, its status and its revoked purposes. The caller holds the session's lock.
CREATE FUNCTION medzen.captures_unchanged(session uuid, expected jsonb) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $unchanged$
  SELECT jsonb_build_array(
      (SELECT jsonb_build_array(r.id, r.intent) FROM medzen.recordings r WHERE r.session_id = $1 AND r.ended_at IS NULL),
      (SELECT jsonb_build_array(c.id, c.status, c.revoked) FROM medzen.media_captures c
        WHERE c.session_id = $1 AND c.status IN ('requested', 'starting', 'running', 'stopping')))
    = $2
$unchanged$;

-- Reserves seconds of a day's budget for a run and returns how many: $2, or what is left of the budget $4, if that is at least $3;
-- null where less is left. A budget of 0 has no end. The row of the day is locked until the transaction ends.
CREATE FUNCTION medzen.reserve_transcription(day date, wanted bigint, minimum bigint, budget bigint) RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $reserve$
  INSERT INTO medzen.transcription_budgets (day, reserved_seconds) VALUES ($1, 0) ON CONFLICT (day) DO NOTHING;
  SELECT FROM medzen.transcription_budgets b WHERE b.day = $1 FOR NO KEY UPDATE;
  WITH granted AS (
    SELECT CASE WHEN $4 = 0 THEN $2 WHEN $4 - b.reserved_seconds >= least($3, $2) THEN least($2, $4 - b.reserved_seconds) END AS seconds
    FROM medzen.transcription_budgets b WHERE b.day = $1
  )
  UPDATE medzen.transcription_budgets b SET reserved_seconds = b.reserved_seconds + granted.seconds
  FROM granted WHERE b.day = $1 AND granted.seconds IS NOT NULL
  RETURNING granted.seconds
$reserve$;

-- Whether the text of a session is complete: no run is open, no capture with the purpose is, and the text of each was taken.
CREATE FUNCTION medzen.is_text_complete(session uuid) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $complete$
  SELECT NOT EXISTS (
      SELECT FROM medzen.transcription_runs r
      WHERE r.session_id = $1 AND r.status IN ('requested', 'starting', 'running', 'stopping'))
    AND NOT EXISTS (
      SELECT FROM medzen.media_captures c
      WHERE c.session_id = $1 AND c.purposes @> '{transcription}'
        AND (c.status IN ('requested', 'starting', 'running', 'stopping') OR c.pipeline_id IS NOT NULL AND c.text_taken_at IS NULL))
$complete$;

-- When a consent to the transcription of a session was last withdrawn; null: never. A capture was stopped for it, or between two captures
-- the run, or somebody who had agreed refused when neither was open any more.
CREATE FUNCTION medzen.transcription_revoked_at(session uuid) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $revoked$
  SELECT greatest(
    (SELECT max(c.stop_requested_at) FROM medzen.media_captures c WHERE c.session_id = $1 AND c.revoked @> '{transcription}'),
    (SELECT max(r.ended_at) FROM medzen.transcription_runs r WHERE r.session_id = $1 AND r.end_reason = 'consent_revoked'),
    (SELECT max(c.given_at) FROM public.video_call_consents c
     WHERE c.session_id = $1 AND c.kind = 'transcription' AND NOT c.granted AND EXISTS (
       SELECT FROM public.video_call_consents e
       WHERE e.session_id = c.session_id AND e.user_id = c.user_id AND e.kind = c.kind AND e.granted AND e.number < c.number)))
$revoked$;

-- The attendees of a session's participants, by the events of its meeting.
CREATE FUNCTION medzen.known_attendees(session uuid) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $attendees$
  SELECT coalesce(jsonb_agg(jsonb_build_object('attendeeId', e.attendee_id, 'userId', p.user_id, 'role', p.role)), '[]')
  FROM (
    SELECT DISTINCT e.attendee_id, e.external_user_id
    FROM public.video_call_sessions s JOIN medzen.chime_events e ON e.meeting_id = s.meeting_id
    WHERE s.id = $1 AND e.attendee_id IS NOT NULL AND e.external_user_id IS NOT NULL) AS e
  JOIN public.video_call_participants p ON p.video_call_id = $1 AND p.user_id::text = e.external_user_id
$attendees$;

-- The number of a transcript's segments.
CREATE FUNCTION medzen.segment_count(transcript uuid) RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $count$
  SELECT count(*) FROM medzen.transcript_segments g WHERE g.transcript_id = $1
$count$;

-- Enqueues the completion of a session's transcript, if its text is complete. Returns the operation; null where something is missing.
-- The time in its payload keeps one open that is enqueued while it is executed. The caller holds the session's lock.
CREATE FUNCTION medzen.complete_transcript(session uuid, at timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $complete$
  SELECT medzen.enqueue_operation('complete_transcript', t.id::text, t.session_id, jsonb_build_object('at', $2), $2, NULL)
  FROM medzen.transcripts t
  WHERE t.session_id = $1 AND t.finished_at IS NULL AND t.deletion_requested_at IS NULL AND medzen.is_text_complete($1)
$complete$;

-- The rest of a day's budget of $2 seconds; null without a budget.
CREATE FUNCTION medzen.transcription_left(day date, budget bigint) RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $left$
  SELECT greatest(0, $2 - coalesce((SELECT b.reserved_seconds FROM medzen.transcription_budgets b WHERE b.day = $1), 0)) WHERE $2 > 0
$left$;

-- Follows the end of a run: it returns the seconds that it did not use, the used ones are in the ledger, its operations are void, and
-- an interruption that went on has ended.
CREATE FUNCTION medzen.finish_run(run uuid, at timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $finish$
  UPDATE medzen.pending_operations o SET completed_at = $2
  WHERE o.target = $1::text AND o.operation IN ('start_transcription', 'stop_transcription') AND o.completed_at IS NULL;
  UPDATE medzen.transcription_gaps g SET ended_at = greatest(g.began_at, r.ended_at)
  FROM medzen.transcription_runs r WHERE r.id = $1 AND g.run_id = r.id AND g.ended_at IS NULL;
  UPDATE medzen.transcription_budgets b
  SET reserved_seconds = greatest(0, b.reserved_seconds - r.reserved_seconds
    + CASE r.mode WHEN 'live' THEN coalesce(medzen.seconds_between(r.started_at, r.ended_at), 0) ELSE 0 END)
  FROM medzen.transcription_runs r WHERE r.id = $1 AND b.day = r.budget_day;
  INSERT INTO medzen.usage_ledger (kind, reference, session_id, quantity, used_at)
  SELECT 'transcription_seconds', r.id, r.session_id, medzen.seconds_between(r.started_at, r.ended_at), $2
  FROM medzen.transcription_runs r WHERE r.id = $1 AND r.mode = 'live' AND r.started_at IS NOT NULL
  ON CONFLICT (kind, reference) DO NOTHING;
  SELECT count(medzen.complete_transcript(r.session_id, $2)) >= 0 FROM medzen.transcription_runs r WHERE r.id = $1;
$finish$;

-- The runs of a session: how many there were, whether one is open, and whether the transcript is to be deleted.
CREATE FUNCTION medzen.runs(session uuid) RETURNS TABLE (total integer, open boolean, deleting boolean)
LANGUAGE sql VOLATILE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $runs$
  SELECT count(*)::integer, count(*) FILTER (WHERE r.status IN ('requested', 'starting', 'running', 'stopping')) > 0,
    EXISTS (SELECT FROM medzen.transcripts t WHERE t.session_id = $1 AND t.deletion_requested_at IS NOT NULL)
  FROM medzen.transcription_runs r WHERE r.session_id = $1
$runs$;

-- The text search configuration of a language tag: `simple` for those that PostgreSQL does not know
-- (https://www.postgresql.org/docs/15/textsearch-dictionaries.html).
CREATE FUNCTION medzen.search_configuration(language text) RETURNS regconfig
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $configuration$
  SELECT CASE split_part(lower($1), '-', 1)
    WHEN 'ar' THEN 'arabic' WHEN 'hy' THEN 'armenian' WHEN 'eu' THEN 'basque' WHEN 'ca' THEN 'catalan' WHEN 'da' THEN 'danish'
    WHEN 'nl' THEN 'dutch' WHEN 'en' THEN 'english' WHEN 'fi' THEN 'finnish' WHEN 'fr' THEN 'french' WHEN 'de' THEN 'german'
    WHEN 'el' THEN 'greek' WHEN 'hi' THEN 'hindi' WHEN 'hu' THEN 'hungarian' WHEN 'id' THEN 'indonesian' WHEN 'ga' THEN 'irish'
    WHEN 'it' THEN 'italian' WHEN 'lt' THEN 'lithuanian' WHEN 'ne' THEN 'nepali' WHEN 'no' THEN 'norwegian' WHEN 'pt' THEN 'portuguese'
    WHEN 'ro' THEN 'romanian' WHEN 'ru' THEN 'russian' WHEN 'sr' THEN 'serbian' WHEN 'es' THEN 'spanish' WHEN 'sv' THEN 'swedish'
    WHEN 'ta' THEN 'tamil' WHEN 'tr' THEN 'turkish' WHEN 'yi' THEN 'yiddish' ELSE 'simple'
  END::regconfig
$configuration$;

-- The queries of a search, by the text search configuration in which each is read; with a language ($2) that of this language alone. One that
-- names no word to find, such as `-cough` or `the`, cannot be answered by an index and is left out.
CREATE FUNCTION medzen.search_queries(query text, language text) RETURNS TABLE (configuration regconfig, words tsquery)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $queries$
  SELECT known.configuration, websearch_to_tsquery(known.configuration, $1)
  FROM (
    SELECT DISTINCT medzen.search_configuration(code) AS configuration
    FROM unnest('{ar,hy,eu,ca,da,nl,en,fi,fr,de,el,hi,hu,id,ga,it,lt,ne,no,pt,ro,ru,sr,es,sv,ta,tr,yi,zz}'::text[]) AS code
    WHERE $2 IS NULL
    UNION
    SELECT medzen.search_configuration($2) WHERE $2 IS NOT NULL
  ) AS known
  WHERE querytree(websearch_to_tsquery(known.configuration, $1)) NOT IN ('', 'T')
$queries$;

-- The segments of these transcripts in which the words of a query are found, in the order of the transcripts and in each of the call, at
-- most $8; in the first transcript only those after ($4, $5, $6), and in no other language than $7.
--
-- It runs as the tables' owner: a policy would be evaluated before `@@`, which is not leakproof, and so would keep it from its index
-- (https://www.postgresql.org/docs/current/ddl-rowsecurity.html). The function's role may read every segment anyway.
--
-- A word that is in every call would be found by its index in all of them, to be thrown away but for one page. So the newest transcripts
-- are read as they are, until the page is full; where 20 of them do not fill it the word is rare, and the rest is found by the index.
CREATE FUNCTION medzen.search_segments(
  transcripts uuid[], query text, language text, after_start bigint, after_result text, after_place integer, most integer)
RETURNS TABLE (transcript_id uuid, result_id text, place integer, nth bigint, words tsquery, configuration regconfig)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- The plan depends on how frequent the words are.
SET plan_cache_mode = force_custom_plan
AS $search$
DECLARE
  newest CONSTANT integer := 20;
  configurations regconfig[];
  queries tsquery[];
  anyone tsquery;
  spoken text := split_part(lower($3), '-', 1);
  read integer;
  listed integer := 0;
BEGIN
  SELECT array_agg(q.configuration), array_agg(q.words), string_agg(DISTINCT '(' || q.words::text || ')', ' | ')::tsquery
  INTO configurations, queries, anyone
  FROM medzen.search_queries($2, $3) AS q;
  IF anyone IS NULL OR transcripts IS NULL THEN
    RETURN;
  END IF;
  FOR i IN 1 .. least(newest, cardinality(transcripts)) LOOP
    RETURN QUERY
      SELECT s.transcript_id, s.result_id, s.place, i::bigint, queries[array_position(configurations, medzen.search_configuration(s.language))],
        medzen.search_configuration(s.language)
      FROM (
        SELECT g.* FROM (
          -- Without the condition on words, so that the transcript's own index is used.
          SELECT t.* FROM medzen.transcript_segments t WHERE t.transcript_id = transcripts[i] OFFSET 0
        ) AS g
        WHERE g.search @@ anyone AND (spoken IS NULL OR split_part(lower(g.language), '-', 1) = spoken)
          AND (i > 1 OR $4 IS NULL OR (g.start_ms, g.result_id, g.place) > ($4, $5, $6))
        ORDER BY g.start_ms, g.result_id, g.place OFFSET 0
      ) AS s
      WHERE s.search @@ queries[array_position(configurations, medzen.search_configuration(s.language))]
      ORDER BY s.start_ms, s.result_id, s.place
      LIMIT most - listed;
    GET DIAGNOSTICS read = ROW_COUNT;
    listed := listed + read;
    IF listed >= most THEN
      RETURN;
    END IF;
  END LOOP;
  IF cardinality(transcripts) <= newest THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT s.transcript_id, s.result_id, s.place, s.nth, queries[array_position(configurations, medzen.search_configuration(s.language))],
      medzen.search_configuration(s.language)
    FROM (
      -- In order, so that the configuration, which takes some 50 us, is that of the rows of the page alone.
      SELECT t.*, r.nth
      FROM unnest(transcripts) WITH ORDINALITY AS r (id, nth) JOIN medzen.transcript_segments t ON t.transcript_id = r.id
      WHERE r.nth > newest AND t.search @@ anyone AND (spoken IS NULL OR split_part(lower(t.language), '-', 1) = spoken)
      ORDER BY r.nth, t.start_ms, t.result_id, t.place OFFSET 0
    ) AS s
    WHERE s.search @@ queries[array_position(configurations, medzen.search_configuration(s.language))]
    ORDER BY s.nth, s.start_ms, s.result_id, s.place
    LIMIT most - listed;
END
$search$;

-- Inserts the segment of a capture that runs, with its concatenation as an operation. A capture that serves only the text has none.
CREATE FUNCTION medzen.insert_segment(capture uuid, at timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $segment$
  WITH inserted AS (
    INSERT INTO medzen.recording_segments (capture_id, recording_id, number, status, changed_at)
    SELECT c.id, c.recording_id,
      1 + (SELECT count(*) FROM medzen.recording_segments s WHERE s.recording_id = c.recording_id), 'waiting', $2
    FROM medzen.media_captures c WHERE c.id = $1 AND c.recording_id IS NOT NULL
    ON CONFLICT (capture_id) DO NOTHING
    RETURNING capture_id
  )
  SELECT count(medzen.enqueue_operation('concatenate', c.id::text, c.session_id,
    jsonb_build_object('controlRegion', s.control_region), $2, NULL)) > 0
  FROM inserted JOIN medzen.media_captures c ON c.id = inserted.capture_id
  JOIN public.video_call_sessions s ON s.id = c.session_id
$segment$;

-- Follows the end of a capture: its operations are void and its seconds are in the ledger. Where no event had reported that it
-- captures, it gets its segment now: whatever Chime captured is verified before anything is deleted.
CREATE FUNCTION medzen.finish_capture(capture uuid, at timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $finish$
  UPDATE medzen.pending_operations o SET completed_at = $2
  WHERE o.target = $1::text AND o.operation IN ('start_capture', 'stop_capture') AND o.completed_at IS NULL;
  INSERT INTO medzen.usage_ledger (kind, reference, session_id, quantity, used_at)
  SELECT CASE WHEN c.recording_id IS NULL THEN 'speech_capture_seconds' ELSE 'capture_seconds' END, c.id, c.session_id,
    medzen.seconds_between(c.began_at, c.ended_at), $2
  FROM medzen.media_captures c WHERE c.id = $1 AND c.began_at IS NOT NULL
  ON CONFLICT (kind, reference) DO NOTHING;
  -- Its chunks.
  SELECT medzen.enqueue_hold(s.appointment_id, $2)
  FROM medzen.media_captures c JOIN public.video_call_sessions s ON s.id = c.session_id WHERE c.id = $1;
  -- Its text is complete now.
  SELECT count(medzen.enqueue_operation('take_text', c.id::text, c.session_id, '{}', $2, NULL))
  FROM medzen.media_captures c WHERE c.id = $1 AND c.pipeline_id IS NOT NULL AND c.purposes @> '{transcription}';
  SELECT count(medzen.complete_transcript(c.session_id, $2)) FROM medzen.media_captures c WHERE c.id = $1;
  SELECT medzen.insert_segment(c.id, $2) FROM medzen.media_captures c WHERE c.id = $1 AND c.pipeline_id IS NOT NULL;
$finish$;

-- Publishes the result of a recording once: it has ended, it has no open capture, and no segment is unfinished. Returns the operation;
-- null where it is not finished.
CREATE FUNCTION medzen.finish_recording(recording uuid, at timestamptz, leased_until timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $result$
  WITH finished AS (
    UPDATE medzen.recordings r SET finished_at = $2
    WHERE r.id = $1 AND r.ended_at IS NOT NULL AND r.finished_at IS NULL
      AND NOT EXISTS (
        SELECT FROM medzen.media_captures c
        WHERE c.recording_id = r.id AND c.status IN ('requested', 'starting', 'running', 'stopping'))
      AND NOT EXISTS (
        SELECT FROM medzen.recording_segments g
        WHERE g.recording_id = r.id AND g.status IN ('waiting', 'concatenating', 'verifying'))
    RETURNING r.id, r.session_id
  )
  SELECT medzen.enqueue_event(
    CASE WHEN files.playable > 0 THEN 'Recording Ready' ELSE 'Recording Failed' END,
    s.id, jsonb_build_object(
      'appointmentId', s.appointment_id, 'sessionId', s.id, 'recordingId', finished.id, 'segments', files.playable,
      'complete', CASE WHEN files.playable > 0 THEN files.incomplete = 0 END,
      -- Nobody where the host application deleted the appointment meanwhile.
      'userIds', (SELECT coalesce(jsonb_agg(a.provider_user_id), '[]') FROM medzen.call_appointment(s.appointment_id, '{}') AS a)),
      $2, $2, $3)
  FROM finished
  JOIN public.video_call_sessions s ON s.id = finished.session_id,
  LATERAL (
    SELECT count(*) FILTER (WHERE g.duration_seconds > 0) AS playable,
      count(*) FILTER (WHERE g.status <> 'ready') AS incomplete
    FROM medzen.recording_segments g WHERE g.recording_id = finished.id) AS files
$result$;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Roles and row-level security: the functions through a role of their own, signed-in clients by their part in a call, nobody
-- else.
--
-- Clients reach a database directly where the host offers that (Supabase: role `authenticated` with the token's claims in the
-- setting request.jwt.claims). A policy that was open to `auth.uid() IS NULL` once let anyone with the public key read join
-- tokens; so rows are given by policies, and what no client may see is in a schema that clients cannot enter.

REVOKE ALL ON SCHEMA medzen FROM anon, authenticated;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA medzen FROM PUBLIC;
CALL medzen.make_private('medzen.schema_history');
CALL medzen.make_private('public.video_call_sessions');
CALL medzen.make_private('public.video_call_participants');
CALL medzen.make_private('public.video_call_consents');
CALL medzen.make_private('medzen.call_meetings');
CALL medzen.make_private('medzen.participant_quality');
CALL medzen.make_private('medzen.video_call_attendee_tokens');
CALL medzen.make_private('medzen.recordings');
CALL medzen.make_private('medzen.media_captures');
CALL medzen.make_private('medzen.recording_segments');
CALL medzen.make_private('medzen.usage_ledger');
CALL medzen.make_private('medzen.legal_holds');
CALL medzen.make_private('medzen.searches');
CALL medzen.make_private('medzen.transcripts');
CALL medzen.make_private('medzen.transcription_runs');
CALL medzen.make_private('medzen.transcription_gaps');
CALL medzen.make_private('medzen.transcription_budgets');
CALL medzen.make_private('medzen.transcription_languages');
CALL medzen.make_private('medzen.transcript_segments');
CALL medzen.make_private('medzen.transcription_jobs');
CALL medzen.make_private('medzen.transcript_entities');
CALL medzen.make_private('medzen.chime_events');
CALL medzen.make_private('medzen.chime_meetings');
CALL medzen.make_private('medzen.pending_operations');
CALL medzen.make_private('medzen.leases');
CALL medzen.make_private('medzen.denial_rate_limits');
CALL medzen.make_private('medzen.audit_heads');
CALL medzen.make_private('medzen.audit_outbox');
-- A join token admits its holder. So not even the tables' owner reads them, nor a view of the owner; to back up the rest, use
-- pg_dump --exclude-table-data=medzen.video_call_attendee_tokens.
ALTER TABLE medzen.video_call_attendee_tokens FORCE ROW LEVEL SECURITY;

-- The functions: what their statements need. The identity of a session, a participant, an event or an audit entry cannot be
-- changed, only its state (an invitation may change a role); only what is safe elsewhere or served its time is deleted.

GRANT USAGE ON SCHEMA medzen, public TO "{functions_role}";
GRANT SELECT ON medzen.call_users, medzen.call_appointments TO "{functions_role}";

GRANT SELECT, INSERT ON public.video_call_sessions TO "{functions_role}";
GRANT UPDATE (status, attempt, attempt_by, meeting_id, updated_at, activated_at, checked_at, ended_at, end_reason, ended_by,
              error_message, duration_seconds, max_participants_reached, last_attempt_at, projection_version,
              projection_stale, connected_count, last_left_at, last_event_at, stay_confirmed_at, recording_enabled,
              recording_requested)
  ON public.video_call_sessions TO "{functions_role}";
CREATE POLICY functions ON public.video_call_sessions TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.call_meetings TO "{functions_role}";
CREATE POLICY functions ON medzen.call_meetings TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON public.video_call_participants TO "{functions_role}";
GRANT UPDATE (role, status, joined_at, left_at, duration_seconds, observer_kind, admitted_at, waiting_since, seen_at, audio, video, content,
              connected, connections, drops, join_count, join_count_since)
  ON public.video_call_participants TO "{functions_role}";
CREATE POLICY functions ON public.video_call_participants TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (summary) ON medzen.participant_quality TO "{functions_role}";
CREATE POLICY functions ON medzen.participant_quality TO "{functions_role}" USING (true) WITH CHECK (true);

-- A participant who is removed or turned away loses the join token in the same statement.
GRANT SELECT, INSERT, DELETE ON medzen.video_call_attendee_tokens TO "{functions_role}";
GRANT UPDATE (attendee_id) ON medzen.video_call_attendee_tokens TO "{functions_role}";
CREATE POLICY functions ON medzen.video_call_attendee_tokens TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON public.video_call_consents TO "{functions_role}";
CREATE POLICY functions ON public.video_call_consents TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.recordings TO "{functions_role}";
GRANT UPDATE (intent, paused_at, pause_reason, ended_at, end_reason, ended_by, finished_at, deletion_requested_at, deleted_at)
  ON medzen.recordings TO "{functions_role}";
CREATE POLICY functions ON medzen.recordings TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.media_captures TO "{functions_role}";
GRANT UPDATE (status, pipeline_id, pipeline_arn, confirmed_at, began_at, stop_requested_at, stop_reason, revoked, ended_at,
              text_taken_at, speaking, speech_deleted_at)
  ON medzen.media_captures TO "{functions_role}";
CREATE POLICY functions ON medzen.media_captures TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.recording_segments TO "{functions_role}";
GRANT UPDATE (status, changed_at, concatenation_id, concatenations, defect, missing_seconds, started_at, duration_seconds, sha256,
              chunks_deleted_at)
  ON medzen.recording_segments TO "{functions_role}";
CREATE POLICY functions ON medzen.recording_segments TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.usage_ledger TO "{functions_role}";
CREATE POLICY functions ON medzen.usage_ledger TO "{functions_role}" USING (true) WITH CHECK (true);

-- A hold is lifted, and never changed otherwise nor deleted.
GRANT SELECT, INSERT ON medzen.legal_holds TO "{functions_role}";
GRANT UPDATE (lifted_at, lifted_by, file_changes, files_applied, files_applied_at, file_versions, file_pass, entries_applied,
              entries_applied_at, entries_leased_until)
  ON medzen.legal_holds TO "{functions_role}";
CREATE POLICY functions_read ON medzen.legal_holds FOR SELECT TO "{functions_role}" USING (true);
CREATE POLICY functions_place ON medzen.legal_holds FOR INSERT TO "{functions_role}" WITH CHECK (lifted_at IS NULL);
CREATE POLICY functions_apply ON medzen.legal_holds FOR UPDATE TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (began_at, position, found, finished_at) ON medzen.searches TO "{functions_role}";
CREATE POLICY functions ON medzen.searches TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (finished_at, outcome, segment_count, gaps, sha256, deletion_requested_at, deleted_at)
  ON medzen.transcripts TO "{functions_role}";
CREATE POLICY functions ON medzen.transcripts TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (status, attempt, confirmed_at, started_at, ended_at, end_reason, message, limit_at)
  ON medzen.transcription_runs TO "{functions_role}";
CREATE POLICY functions ON medzen.transcription_runs TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (ended_at) ON medzen.transcription_gaps TO "{functions_role}";
CREATE POLICY functions ON medzen.transcription_gaps TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (reserved_seconds) ON medzen.transcription_budgets TO "{functions_role}";
CREATE POLICY functions ON medzen.transcription_budgets TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (confirmed, message, at) ON medzen.transcription_languages TO "{functions_role}";
CREATE POLICY functions ON medzen.transcription_languages TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (revoked), DELETE ON medzen.transcript_segments TO "{functions_role}";
CREATE POLICY functions ON medzen.transcript_segments TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON medzen.transcription_jobs TO "{functions_role}";
GRANT UPDATE (status, changed_at, concatenation_id, sound_began_at, sound_seconds, ended_at, reason, message)
  ON medzen.transcription_jobs TO "{functions_role}";
CREATE POLICY functions ON medzen.transcription_jobs TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, DELETE ON medzen.transcript_entities TO "{functions_role}";
CREATE POLICY functions ON medzen.transcript_entities TO "{functions_role}" USING (true) WITH CHECK (true);

-- An event is never rewritten; only events of meetings without a session are ever deleted.
GRANT SELECT, INSERT, UPDATE (session_id), DELETE ON medzen.chime_events TO "{functions_role}";
CREATE POLICY functions_read ON medzen.chime_events FOR SELECT TO "{functions_role}" USING (true);
CREATE POLICY functions_insert ON medzen.chime_events FOR INSERT TO "{functions_role}" WITH CHECK (session_id IS NULL);
CREATE POLICY functions_apply ON medzen.chime_events FOR UPDATE TO "{functions_role}"
  USING (session_id IS NULL) WITH CHECK (session_id IS NOT NULL);
CREATE POLICY functions_prune ON medzen.chime_events FOR DELETE TO "{functions_role}" USING (session_id IS NULL);

GRANT SELECT, INSERT, UPDATE (ended_at), DELETE ON medzen.chime_meetings TO "{functions_role}";
CREATE POLICY functions ON medzen.chime_meetings TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, DELETE ON medzen.pending_operations TO "{functions_role}";
GRANT UPDATE (not_before, attempts, last_attempt_at, leased_until, superseded_until, last_error, completed_at)
  ON medzen.pending_operations TO "{functions_role}";
CREATE POLICY functions_read ON medzen.pending_operations FOR SELECT TO "{functions_role}" USING (true);
CREATE POLICY functions_execute ON medzen.pending_operations FOR UPDATE TO "{functions_role}"
  USING (completed_at IS NULL) WITH CHECK (true);
CREATE POLICY functions_prune ON medzen.pending_operations FOR DELETE TO "{functions_role}" USING (completed_at IS NOT NULL);

GRANT SELECT, INSERT, UPDATE (holder, expires_at) ON medzen.leases TO "{functions_role}";
CREATE POLICY functions ON medzen.leases TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, DELETE, UPDATE (since, seen, suppressed, request_id) ON medzen.denial_rate_limits TO "{functions_role}";
CREATE POLICY functions ON medzen.denial_rate_limits TO "{functions_role}" USING (true) WITH CHECK (true);

GRANT SELECT, DELETE ON medzen.audit_outbox TO "{functions_role}";
GRANT UPDATE (leased_until, delivered_at, conflict) ON medzen.audit_outbox TO "{functions_role}";
CREATE POLICY functions_read ON medzen.audit_outbox FOR SELECT TO "{functions_role}" USING (true);
CREATE POLICY functions_deliver ON medzen.audit_outbox FOR UPDATE TO "{functions_role}" USING (true) WITH CHECK (true);
CREATE POLICY functions_prune ON medzen.audit_outbox FOR DELETE TO "{functions_role}" USING (delivered_at IS NOT NULL);

GRANT EXECUTE ON FUNCTION
  medzen.appointment_chain(uuid),
  medzen.seconds_between(timestamptz, timestamptz),
  medzen.capabilities(text, text, text),
  medzen.caller(text, uuid, uuid),
  medzen.audit_append(text, jsonb, timestamptz),
  medzen.chain_length(text),
  medzen.is_on_hold(uuid),
  medzen.enqueue_hold(uuid, timestamptz),
  medzen.call_appointment(uuid, text[]),
  medzen.call_member_ids(uuid, uuid),
  medzen.operation_executor(text),
  medzen.enqueue_operation(text, text, uuid, jsonb, timestamptz, timestamptz),
  medzen.enqueue_event(text, uuid, jsonb, timestamptz, timestamptz, timestamptz),
  medzen.revoke_attendee(uuid, uuid, timestamptz, timestamptz),
  medzen.enqueue_capability_update(uuid, uuid, jsonb, timestamptz, timestamptz),
  medzen.call_meeting(uuid),
  medzen.has_attendee(uuid, uuid, text),
  medzen.has_stored_attendee(uuid, uuid),
  medzen.presence(uuid, timestamptz),
  medzen.alone_since(uuid, timestamptz),
  medzen.reason_to_end(uuid, timestamptz, timestamptz, timestamptz),
  medzen.reported_end(uuid),
  medzen.insert_consent(uuid, uuid, jsonb, timestamptz),
  medzen.holds_token(uuid, uuid),
  medzen.newest_decision(uuid, uuid, text),
  medzen.missing_consents(uuid, uuid),
  medzen.hand_out_token(uuid, uuid, boolean),
  medzen.open_capture(uuid, uuid, text[], timestamptz, uuid, text),
  medzen.may_capture(uuid, text[]),
  medzen.may_be_in_call(uuid, uuid),
  medzen.stop_refused_run(uuid, uuid, timestamptz),
  medzen.stop_refused_captures(uuid, uuid, timestamptz),
  medzen.run_json(medzen.transcription_runs),
  medzen.capture_state(uuid),
  medzen.captures_unchanged(uuid, jsonb),
  medzen.reserve_transcription(date, bigint, bigint, bigint),
  medzen.transcription_left(date, bigint),
  medzen.finish_run(uuid, timestamptz),
  medzen.is_text_complete(uuid),
  medzen.segment_count(uuid),
  medzen.complete_transcript(uuid, timestamptz),
  medzen.known_attendees(uuid),
  medzen.transcription_revoked_at(uuid),
  medzen.runs(uuid),
  medzen.search_configuration(text),
  medzen.search_queries(text, text),
  medzen.search_segments(uuid[], text, text, bigint, text, integer, integer),
  medzen.insert_segment(uuid, timestamptz),
  medzen.finish_capture(uuid, timestamptz),
  medzen.finish_recording(uuid, timestamptz, timestamptz)
TO "{functions_role}";

-- Signed-in clients: their own calls, to read.

-- The accounts of the caller: one, unless the host has several with the same subject.
CREATE FUNCTION medzen.own_user_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $me$
  SELECT id FROM medzen.call_users WHERE firebase_uid = auth.jwt() ->> 'sub'
$me$;

-- The sessions of the caller's appointments, and as an observer an open session that the caller is admitted to. It runs as its
-- owner, because a policy on sessions that reads participants, whose policy reads sessions, has no end. Clients execute it as
-- part of a policy; by its name they cannot, having no way into this schema.
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
  SELECT p.video_call_id
  FROM me
  JOIN public.video_call_participants p ON p.user_id = me.id
  JOIN public.video_call_sessions s ON s.id = p.video_call_id
  WHERE p.role = 'observer' AND p.admitted_at IS NOT NULL AND p.status NOT IN ('removed', 'turned_away')
    AND s.status IN ('creating', 'active', 'ending')
$own$;

-- The sessions of the appointments whose provider the caller is.
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

-- The names of the participants of the caller's own calls, and of nobody else.
CREATE FUNCTION medzen.own_participant_names() RETURNS TABLE (session_id uuid, user_id uuid, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $names$
  SELECT p.video_call_id, p.user_id, person.display_name
  FROM medzen.own_sessions() AS own (id)
  JOIN public.video_call_participants p ON p.video_call_id = own.id
  JOIN medzen.call_users person ON person.id = p.user_id
$names$;

REVOKE ALL ON FUNCTION
  medzen.own_user_ids(), medzen.own_sessions(), medzen.own_consultations(), medzen.own_participant_names() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  medzen.own_user_ids(), medzen.own_sessions(), medzen.own_consultations(), medzen.own_participant_names() TO authenticated;

CREATE POLICY own_calls ON public.video_call_sessions FOR SELECT TO authenticated
  USING (id IN (SELECT medzen.own_sessions()));
-- Waiting and turned away participants are visible to the provider and to themselves.
CREATE POLICY own_calls ON public.video_call_participants FOR SELECT TO authenticated
  USING (user_id IN (SELECT medzen.own_user_ids()) OR video_call_id IN (SELECT medzen.own_sessions()) AND (
    status NOT IN ('waiting', 'turned_away') OR video_call_id IN (SELECT medzen.own_consultations())));
CREATE POLICY own_consents ON public.video_call_consents FOR SELECT TO authenticated
  USING (user_id IN (SELECT medzen.own_user_ids()));
GRANT SELECT ON public.video_call_sessions, public.video_call_participants, public.video_call_consents TO authenticated;

-- With the rights of its reader, row-level security included; a view has its owner's rights otherwise.
CREATE VIEW public.video_call_participants_view WITH (security_invoker = true) AS
  SELECT p.video_call_id, s.appointment_id, s.status AS call_status,
         p.user_id, name.display_name, p.role, p.status, p.joined_at, p.left_at, p.duration_seconds
  FROM public.video_call_participants p
  JOIN public.video_call_sessions s ON s.id = p.video_call_id
  LEFT JOIN medzen.own_participant_names() AS name ON name.session_id = p.video_call_id AND name.user_id = p.user_id;
CALL medzen.make_private('public.video_call_participants_view');
GRANT SELECT ON public.video_call_participants_view TO authenticated;

-- The simple tables of a database without host tables: a person's own account and appointments. The host's own tables have the
-- host's policies.
DO $own$
BEGIN
  IF obj_description(to_regclass('public.users'), 'pg_class') LIKE 'Made by MedZen Meetings%' THEN
    DROP POLICY IF EXISTS own_account ON public.users;
    CREATE POLICY own_account ON public.users FOR SELECT TO authenticated
      USING (id IN (SELECT medzen.own_user_ids()));
    GRANT SELECT ON public.users TO authenticated;
  END IF;
  IF obj_description(to_regclass('public.appointments'), 'pg_class') LIKE 'Made by MedZen Meetings%' THEN
    DROP POLICY IF EXISTS own_appointments ON public.appointments;
    CREATE POLICY own_appointments ON public.appointments FOR SELECT TO authenticated
      USING (provider_user_id IN (SELECT medzen.own_user_ids()) OR patient_user_id IN (SELECT medzen.own_user_ids()));
    GRANT SELECT ON public.appointments TO authenticated;
  END IF;
END
$own$;
