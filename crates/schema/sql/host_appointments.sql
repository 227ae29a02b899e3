-- Reads every row and column of the host's appointments, as the functions' role.
SELECT count(*) AS rows, count(a.id) - count(DISTINCT a.id) AS repeated, count(*) FILTER (WHERE a.id IS NULL) AS without_id,
  (SELECT string_agg(id::text, ', ' ORDER BY id) FROM (
    SELECT id FROM medzen.call_appointments GROUP BY id HAVING count(*) > 1 AND id IS NOT NULL
    ORDER BY id LIMIT 3) AS twice) AS repeated_ids,
  count(*) FILTER (WHERE a.provider_user_id IS NULL
    OR NOT EXISTS (SELECT FROM medzen.call_users u WHERE u.id = a.provider_user_id)) AS without_provider,
  count(*) FILTER (WHERE a.patient_user_id IS NULL
    OR NOT EXISTS (SELECT FROM medzen.call_users u WHERE u.id = a.patient_user_id)) AS without_patient,
  max(length(a.status)) AS longest_status, count(*) FILTER (WHERE a.video_enabled) AS by_video,
  max(a.scheduled_start) AS last_start, max(a.scheduled_end) AS last_end
FROM medzen.call_appointments a
