-- seed
WITH people AS (
  INSERT INTO public.users (id, firebase_uid, first_name, last_name)
  VALUES ($2::uuid, $3, 'Ada', 'Provider'), ($4::uuid, $5, 'Ben', 'Patient'),
         ($6::uuid, $7, 'Cyd', 'Stranger'), ($8::uuid, $9, 'Dee', 'Auditor')
), profile AS (
  INSERT INTO public.medical_provider_profiles (user_id) VALUES ($2::uuid)
  RETURNING id
)
INSERT INTO public.appointments (id, provider_id, patient_id, video_enabled, starts_at, minutes)
SELECT $1::uuid, profile.id, $4::uuid, true, now() AT TIME ZONE 'UTC', 30 FROM profile
