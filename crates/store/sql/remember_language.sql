-- The result of an attempt with a language ($2) of an engine ($1) in a region ($3): whether Chime transcribed ($4), else what it said ($5).
-- One that it transcribed once stays confirmed. $6 now.
INSERT INTO medzen.transcription_languages AS l (engine, code, region, confirmed, message, at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (engine, code, region) DO UPDATE SET confirmed = excluded.confirmed, message = excluded.message, at = excluded.at
WHERE NOT l.confirmed
RETURNING 'true'
