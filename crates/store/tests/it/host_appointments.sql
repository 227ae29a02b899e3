CREATE VIEW medzen.call_appointments AS
  SELECT a.id, profile.user_id AS provider_user_id, a.patient_id AS patient_user_id, a.status::text AS status,
         coalesce(a.video_enabled, false) AS video_enabled, a.starts_at AT TIME ZONE 'UTC' AS scheduled_start,
         (a.starts_at + make_interval(mins => a.minutes)) AT TIME ZONE 'UTC' AS scheduled_end
  FROM public.appointments a
  JOIN public.medical_provider_profiles profile ON profile.id = a.provider_id;
