-- Marks entries ($1) as delivered at $2, or as in conflict with the entry that the audit table holds.
WITH outcome AS (
  SELECT * FROM json_to_recordset($1) AS o (chain text, seq bigint, conflict boolean)
), marked AS (
  UPDATE medzen.audit_outbox o
  SET delivered_at = CASE WHEN outcome.conflict THEN NULL ELSE $2 END, conflict = outcome.conflict
  FROM outcome
  WHERE o.chain = outcome.chain AND o.seq = outcome.seq AND o.delivered_at IS NULL
  RETURNING 1
)
SELECT count(*)::text FROM marked
