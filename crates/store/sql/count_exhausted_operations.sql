-- Open operations of an executor ($1) that have reached the attempt limit ($2).
SELECT count(*)::text FROM medzen.pending_operations WHERE completed_at IS NULL AND executor = $1 AND attempts >= $2
