-- Deletes entries that were delivered before $1, at most $2: the audit table has them.
WITH deleted AS (
  DELETE FROM medzen.audit_outbox o
  USING (
    SELECT chain, seq FROM medzen.audit_outbox WHERE delivered_at < $1 ORDER BY delivered_at LIMIT $2
  ) AS old
  WHERE o.chain = old.chain AND o.seq = old.seq
  RETURNING 1
)
SELECT count(*)::text FROM deleted
