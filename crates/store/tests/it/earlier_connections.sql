-- After earlier.sql: the tables as their owner has moved them, with a row for each connection, and times as texts.
CREATE SCHEMA earlier;
DROP VIEW public.video_call_participants_view;
ALTER TABLE public.video_call_participants SET SCHEMA earlier;
ALTER TABLE public.video_call_sessions SET SCHEMA earlier;
ALTER TABLE earlier.video_call_participants
  DROP CONSTRAINT video_call_participants_video_call_id_user_id_key,
  ALTER user_id DROP NOT NULL, ALTER user_id TYPE text, ALTER joined_at TYPE text, ALTER left_at TYPE text;
ALTER TABLE earlier.video_call_sessions ALTER started_at TYPE text, ALTER ended_at TYPE text;
DELETE FROM earlier.video_call_sessions;

INSERT INTO earlier.video_call_sessions (id, appointment_id, status, created_by, started_at, ended_at, duration_seconds)
SELECT id, '00000000-0000-4000-8000-0000000000a1', 'ended', '00000000-0000-4000-8000-000000000001', started_at, ended_at, seconds
FROM (VALUES
  ('00000000-0000-4000-8000-0000000000d1'::uuid, '2026-01-05 10:00+00', '2026-01-05 10:30+00', NULL),
  ('00000000-0000-4000-8000-0000000000d2', '2026-01-06 10:00+00', '2026-01-06 10:30+00', 1800),
  ('00000000-0000-4000-8000-0000000000d3', '2026-01-07 10:00+00', '2026-01-07 10:10+00', NULL),
  -- These are left out.
  ('00000000-0000-4000-8000-0000000000f1', '2026-01-08 10:00+00', 'infinity', NULL),
  ('00000000-0000-4000-8000-0000000000f2', '1700000000000', '2026-01-08 10:30+00', NULL),
  ('00000000-0000-4000-8000-0000000000f3', '', '2026-01-08 10:30+00', NULL),
  ('00000000-0000-4000-8000-0000000000f4', '2026-01-08 10:00+00', '9999-12-31 23:59:59+00', NULL),
  ('00000000-0000-4000-8000-0000000000f5', '0001-01-01 00:00:00', '2026-01-08 10:30+00', NULL),
  ('00000000-0000-4000-8000-0000000000f6', 'yesterday evening', '2026-01-08 10:30+00', NULL)
) AS call (id, started_at, ended_at, seconds);

INSERT INTO earlier.video_call_participants (video_call_id, user_id, role, joined_at, left_at, duration_seconds)
VALUES
  -- A reconnection, of 300 and 1440 seconds; and one row with the duration of all connections and the times of the last.
  ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-000000000001', 'provider', '2026-01-05 10:00+00', NULL, NULL),
  ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-05 10:00+00', '2026-01-05 10:05+00', NULL),
  ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-05 10:06+00', '2026-01-05 10:30+00', 1440),
  ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-000000000003', 'guest', '2026-01-05 10:06+00', '2026-01-05 10:30+00', 1740),
  -- Two devices at once; a duration that is longer than the call; a reconnection until the call's end.
  ('00000000-0000-4000-8000-0000000000d2', '00000000-0000-4000-8000-000000000003', 'guest', '2026-01-06 10:00+00', '2026-01-06 10:15+00', NULL),
  ('00000000-0000-4000-8000-0000000000d2', '00000000-0000-4000-8000-000000000003', 'guest', '2026-01-06 10:05+00', '2026-01-06 10:20+00', NULL),
  ('00000000-0000-4000-8000-0000000000d2', '00000000-0000-4000-8000-000000000001', 'provider', '2026-01-06 10:00+00', '2026-01-06 10:30+00', 999999),
  ('00000000-0000-4000-8000-0000000000d2', '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-06 10:00+00', '2026-01-06 10:05+00', 300),
  ('00000000-0000-4000-8000-0000000000d2', '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-06 10:06+00', NULL, 1440),
  -- One connection of a person's three can be read; and two rows have no user's id.
  ('00000000-0000-4000-8000-0000000000d3', '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-07 10:00+00', NULL, 300),
  ('00000000-0000-4000-8000-0000000000d3', '00000000-0000-4000-8000-000000000002', 'patient', 'infinity', NULL, NULL),
  ('00000000-0000-4000-8000-0000000000d3', '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-07 10:05+00', '', NULL),
  ('00000000-0000-4000-8000-0000000000d3', '00000000-0000-4000-8000-000000000001', 'provider', '1700000000000', NULL, NULL),
  ('00000000-0000-4000-8000-0000000000d3', NULL, 'patient', '2026-01-07 10:00+00', NULL, NULL),
  ('00000000-0000-4000-8000-0000000000d3', 'dr-no', 'patient', '2026-01-07 10:00+00', NULL, NULL);
INSERT INTO earlier.video_call_participants (video_call_id, user_id, role, joined_at)
SELECT id, '00000000-0000-4000-8000-000000000002', 'patient', '2026-01-08 10:00+00' FROM earlier.video_call_sessions WHERE id::text LIKE '%f_';
