-- The results of attempts with languages, failures since $2 only, and the seconds of a day that are reserved or used ($1).
SELECT json_build_object(
  'languages', (
    SELECT coalesce(json_agg(json_build_object('engine', engine, 'code', code, 'region', region, 'confirmed', confirmed, 'message', message)
      ORDER BY engine, code, region), '[]')
    FROM medzen.transcription_languages WHERE confirmed OR at > $2),
  'reserved', coalesce((SELECT b.reserved_seconds FROM medzen.transcription_budgets b WHERE b.day = $1), 0))::text
