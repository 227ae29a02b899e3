-- Stores results of a transcript ($1), unless it is to be deleted: each [{resultId, rank, segments}] replaces the stored result with the same id, if its rank is higher.
-- Returns how many were stored.
WITH transcript AS MATERIALIZED (
  SELECT t.id FROM medzen.transcripts t WHERE t.id = $1 AND t.deletion_requested_at IS NULL FOR SHARE
), given AS (
  -- The same result may come twice, each time with a higher rank.
  SELECT DISTINCT ON (n."resultId") n."resultId" AS result_id, n.rank, n.segments
  FROM transcript, jsonb_to_recordset($2) AS n ("resultId" text, rank text, segments jsonb)
  ORDER BY n."resultId", n.rank DESC
), better AS MATERIALIZED (
  SELECT given.* FROM given
  WHERE NOT EXISTS (
    SELECT FROM medzen.transcript_segments g
    WHERE g.transcript_id = $1 AND g.result_id = given.result_id AND g.rank >= given.rank)
), replaced AS MATERIALIZED (
  DELETE FROM medzen.transcript_segments g USING better
  WHERE g.transcript_id = $1 AND g.result_id = better.result_id
  RETURNING 1
), stored AS (
  INSERT INTO medzen.transcript_segments (
    transcript_id, result_id, place, rank, source, start_ms, end_ms, user_id, role, content, speaker, body, language, confidence, spans,
    unfinished, revoked, search)
  SELECT $1, better.result_id, n.place, better.rank, n.source, n."startMs", n."endMs", n."userId", n.role, n.content, n.speaker, n.body, n.language,
    n.confidence, n.spans, n.unfinished, n.revoked, to_tsvector(medzen.search_configuration(n.language), n.body)
  FROM better, jsonb_to_recordset(better.segments) AS n (
    place integer, source text, "startMs" bigint, "endMs" bigint, "userId" uuid, role text, content boolean, speaker text, body text, language text,
    confidence double precision, spans jsonb, unfinished boolean, revoked boolean)
  WHERE (SELECT count(*) FROM replaced) >= 0
  RETURNING 1
)
SELECT json_build_object('stored', (SELECT count(*) FROM stored))::text
