CREATE VIEW medzen.call_users AS
  SELECT id, firebase_uid::text AS firebase_uid, first_name || ' ' || last_name AS display_name
  FROM public.users;
