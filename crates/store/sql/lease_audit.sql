-- Leases the oldest undelivered entries ($1 now, $2 until, $3 at most), and says whether their appointment is on hold. Concurrent runs skip
-- each other's rows.
WITH due AS (
  SELECT chain, seq FROM medzen.audit_outbox
  WHERE delivered_at IS NULL AND NOT conflict AND (leased_until IS NULL OR leased_until <= $1)
  ORDER BY at, chain, seq
  LIMIT $3
  FOR UPDATE SKIP LOCKED
), leased AS (
  UPDATE medzen.audit_outbox o SET leased_until = $2
  FROM due WHERE o.chain = due.chain AND o.seq = due.seq
  RETURNING o.*
)
SELECT coalesce(json_agg(json_build_object(
  'chain', chain, 'seq', seq, 'payload', payload,
  'onHold', CASE WHEN chain LIKE 'APPT#%' THEN medzen.is_on_hold(substr(chain, 6)::uuid) ELSE false END,
  'previousHash', encode(previous_hash, 'hex'), 'hash', encode(hash, 'hex')) ORDER BY at, chain, seq), '[]')::text
FROM leased
