-- Tables as earlier systems had them: join tokens among the columns that clients read, times without a zone, and two ways to say
-- how long a call took.

CREATE SCHEMA medzen;
CREATE TABLE public.users (id uuid PRIMARY KEY, firebase_uid text UNIQUE, display_name text);
CREATE TABLE public.appointments (id uuid PRIMARY KEY, provider_id uuid, patient_id uuid, status text);
CREATE VIEW medzen.call_users AS SELECT id, firebase_uid, display_name FROM public.users;
CREATE VIEW medzen.call_appointments AS
  SELECT id, provider_id AS provider_user_id, patient_id AS patient_user_id, status, true AS video_enabled,
         null::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end
  FROM public.appointments;
INSERT INTO public.users SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'uid-' || n, 'Person ' || n FROM generate_series(1, 3) AS n;
INSERT INTO public.appointments
VALUES ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', 'done');

CREATE TABLE public.video_call_sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  appointment_id uuid,
  meeting_id varchar(255),
  meeting_data jsonb,
  media_region varchar(50),
  join_token text,
  status varchar(20) NOT NULL,
  created_by uuid,
  started_at timestamp,
  ended_at timestamptz,
  duration_seconds integer,
  duration_minutes numeric,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);
CREATE INDEX video_call_sessions_by_appointment ON public.video_call_sessions (appointment_id);
CREATE TABLE public.video_call_participants (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  video_call_id uuid NOT NULL REFERENCES public.video_call_sessions (id) ON DELETE CASCADE,
  user_id uuid NOT NULL,
  role varchar(20) NOT NULL,
  chime_join_token text,
  joined_at timestamptz,
  left_at timestamptz,
  duration_seconds integer,
  UNIQUE (video_call_id, user_id)
);
CREATE VIEW public.video_call_participants_view AS SELECT * FROM public.video_call_participants;

INSERT INTO public.video_call_sessions
  (id, appointment_id, meeting_id, media_region, join_token, status, created_by, started_at, ended_at, duration_seconds, duration_minutes, created_at, updated_at)
VALUES
  ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000E1', 'eu-central-1', 'secret', 'ended',
   '00000000-0000-4000-8000-000000000001', '2026-01-05 10:00', '2026-01-05 10:10+00', 600, NULL, '2026-01-05 09:59+00', '2026-01-05 10:10+00'),
  -- No end and no creator: the last change, and the appointment's provider.
  ('00000000-0000-4000-8000-0000000000c2', '00000000-0000-4000-8000-0000000000a1', 'no id of Chime', NULL, NULL, 'completed',
   NULL, '2026-01-06 10:00', NULL, NULL, NULL, '2026-01-06 10:00+00', '2026-01-06 10:05+00'),
  ('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1', NULL, NULL, NULL, 'Ended',
   NULL, '2026-01-07 10:00', '2026-01-07 10:30+00', NULL, 1, '2026-01-07 10:00+00', '2026-01-07 10:30+00'),
  -- In progress, of no appointment, and never started by anybody.
  ('00000000-0000-4000-8000-0000000000c4', '00000000-0000-4000-8000-0000000000a1', NULL, NULL, NULL, 'active',
   NULL, '2026-01-08 10:00', NULL, NULL, NULL, '2026-01-08 10:00+00', '2026-01-08 10:00+00'),
  ('00000000-0000-4000-8000-0000000000c5', NULL, NULL, NULL, NULL, 'ended',
   '00000000-0000-4000-8000-000000000001', '2026-01-09 10:00', '2026-01-09 10:30+00', NULL, NULL, '2026-01-09 10:00+00', '2026-01-09 10:30+00'),
  ('00000000-0000-4000-8000-0000000000c6', '00000000-0000-4000-8000-0000000000a9', NULL, NULL, NULL, 'ended',
   NULL, '2026-01-09 10:00', '2026-01-09 10:30+00', NULL, NULL, '2026-01-09 10:00+00', '2026-01-09 10:30+00');
INSERT INTO public.video_call_participants (video_call_id, user_id, role, chime_join_token, joined_at, left_at, duration_seconds)
VALUES
  ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-000000000001', 'provider', 'secret', '2026-01-05 10:00+00', '2026-01-05 10:10+00', NULL),
  ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-000000000002', 'patient', 'secret', '2026-01-05 10:01+00', NULL, 540),
  ('00000000-0000-4000-8000-0000000000c2', '00000000-0000-4000-8000-000000000003', 'guest', NULL, NULL, NULL, NULL),
  ('00000000-0000-4000-8000-0000000000c4', '00000000-0000-4000-8000-000000000001', 'provider', NULL, NULL, NULL, NULL);
