-- Reads every row and column of the host's users, as the functions' role.
SELECT count(*) AS rows, count(id) - count(DISTINCT id) AS repeated, count(*) FILTER (WHERE id IS NULL) AS without_id,
  (SELECT string_agg(id::text, ', ' ORDER BY id) FROM (
    SELECT id FROM medzen.call_users GROUP BY id HAVING count(*) > 1 AND id IS NOT NULL ORDER BY id LIMIT 3) AS twice) AS repeated_ids,
  (SELECT string_agg(ids, '; ') FROM (
    SELECT string_agg(DISTINCT id::text, ' and ') AS ids FROM medzen.call_users
    WHERE firebase_uid IS NOT NULL AND firebase_uid <> ''
    GROUP BY firebase_uid HAVING count(DISTINCT id) > 1 ORDER BY 1 LIMIT 3) AS shared) AS same_uid,
  count(*) FILTER (WHERE coalesce(firebase_uid, '') = '') AS without_uid,
  max(length(display_name)) AS longest_name
FROM medzen.call_users
