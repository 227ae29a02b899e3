-- Reads the host's views by the columns and types that the other statements use, and finds no row: this UUID is no id. A column
-- that is missing or of another type, or a right that is missing, is an error. A range takes only its own type, so a timestamp
-- without a time zone is an error too.
SELECT CASE WHEN users.found + appointments.found >= 0 THEN 'true' END
FROM (
  SELECT count(*) AS found FROM medzen.call_users u
  WHERE u.id = '00000000-0000-0000-0000-000000000000'::uuid
    AND coalesce(u.firebase_uid, '') = ''::text AND coalesce(u.display_name, '') = ''::text
) AS users, (
  SELECT count(*) AS found FROM medzen.call_appointments a
  WHERE a.id = '00000000-0000-0000-0000-000000000000'::uuid
    AND a.provider_user_id = '00000000-0000-0000-0000-000000000000'::uuid
    AND a.patient_user_id = '00000000-0000-0000-0000-000000000000'::uuid
    AND coalesce(a.status, '') = ''::text AND coalesce(a.video_enabled, false)
    AND tstzrange(NULL, NULL) @> a.scheduled_start AND tstzrange(NULL, NULL) @> a.scheduled_end
) AS appointments
