-- Stores the medical entities ($4) of a piece ($3) of a transcript ($1) by kind ($2), if its text is still the one that they were found in
-- ($5 its SHA-256). $6 now.
WITH same AS MATERIALIZED (
  SELECT t.id FROM medzen.transcripts t
  WHERE t.id = $1 AND t.finished_at IS NOT NULL AND t.deletion_requested_at IS NULL AND t.sha256 = $5
  FOR SHARE
)
INSERT INTO medzen.transcript_entities (transcript_id, kind, piece, entities, found_at)
SELECT same.id, $2, $3, $4, $6 FROM same
ON CONFLICT (transcript_id, kind, piece) DO NOTHING
RETURNING 'true'
