-- A host application's tables as they were when nobody could end a call (failure 5): an appointment names the provider by
-- the id of a profile, and that profile names the user.

CREATE TABLE public.users (
  id uuid PRIMARY KEY,
  firebase_uid varchar(128) NOT NULL UNIQUE,
  first_name text NOT NULL,
  last_name text NOT NULL
);
CREATE TABLE public.medical_provider_profiles (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL UNIQUE REFERENCES public.users (id)
);
CREATE TYPE public.appointment_status AS ENUM ('scheduled', 'completed', 'cancelled');
CREATE TABLE public.appointments (
  id uuid PRIMARY KEY,
  provider_id uuid NOT NULL REFERENCES public.medical_provider_profiles (id),
  patient_id uuid NOT NULL REFERENCES public.users (id),
  status public.appointment_status NOT NULL DEFAULT 'scheduled',
  video_enabled boolean,
  starts_at timestamp NOT NULL,
  minutes integer NOT NULL
);
