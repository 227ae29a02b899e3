-- Moves a search ($1) from a position ($2) to the next ($3) with what was found until there ($4), unless another run did. $5 when it
-- finished; null where it goes on.
UPDATE medzen.searches SET position = $3, found = $4, finished_at = $5
WHERE name = $1 AND position = $2 AND finished_at IS NULL
RETURNING 'true'
