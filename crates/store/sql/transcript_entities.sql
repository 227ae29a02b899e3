-- The pieces of a transcript ($1) whose medical entities are found, with the entities.
SELECT coalesce(json_agg(json_build_object('kind', e.kind, 'piece', e.piece, 'entities', e.entities) ORDER BY e.kind, e.piece), '[]')::text
FROM medzen.transcript_entities e WHERE e.transcript_id = $1
