-- Which of these ids ($1) are of no capture.
SELECT coalesce(json_agg(id ORDER BY id), '[]')::text
FROM unnest($1) AS given (id)
WHERE NOT EXISTS (SELECT FROM medzen.media_captures c WHERE c.id = given.id)
