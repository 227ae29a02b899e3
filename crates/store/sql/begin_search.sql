-- A search ($1) as a run left it, which this run ($2 now) continues. One that is finished begins again if it began before $3.
WITH begun AS (
  INSERT INTO medzen.searches AS s (name, began_at) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET began_at = excluded.began_at, position = '', found = 0, finished_at = NULL
  WHERE s.finished_at IS NOT NULL AND s.began_at <= $3
  RETURNING s.position, s.found
)
SELECT json_build_object('position', open.position, 'found', open.found)::text
FROM (
  SELECT position, found FROM begun
  UNION ALL
  SELECT s.position, s.found FROM medzen.searches s
  WHERE s.name = $1 AND s.finished_at IS NULL AND NOT EXISTS (SELECT FROM begun)
) AS open
