-- Segments of a transcript ($1) in the order of the call, after the one at ($2, $3, $4), at most $5.
SELECT coalesce(json_agg(json_build_object(
  'resultId', g.result_id, 'place', g.place, 'source', g.source, 'startMs', g.start_ms, 'endMs', g.end_ms, 'userId', g.user_id,
  'role', g.role, 'content', g.content, 'speaker', g.speaker, 'body', g.body, 'language', g.language, 'confidence', g.confidence,
  'spans', g.spans, 'unfinished', g.unfinished, 'revoked', g.revoked) ORDER BY g.start_ms, g.result_id, g.place), '[]')::text
FROM (
  SELECT * FROM medzen.transcript_segments g
  WHERE g.transcript_id = $1 AND (g.start_ms, g.result_id, g.place) > ($2, $3, $4)
  ORDER BY g.start_ms, g.result_id, g.place LIMIT $5) AS g
