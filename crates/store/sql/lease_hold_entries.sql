-- Leases the legal holds whose audit entries have yet to get the expiry of a hold, or the usual one again, at most $3, those that failed last: the newest hold of each
-- appointment, with the numbers after which and up to which its chain's entries are in the audit table. $1 now, $2 until.
WITH due AS (
  SELECT h.id, h.entries_leased_until, chain.name AS chain, h.lifted_at IS NULL AS stands, h.entries_applied AS after, chain.length,
    coalesce((
      SELECT min(o.seq) - 1 FROM medzen.audit_outbox o
      WHERE o.chain = chain.name AND o.delivered_at IS NULL AND NOT o.conflict), chain.length) AS until
  FROM medzen.legal_holds h, LATERAL (
    SELECT name, medzen.chain_length(name) AS length FROM medzen.appointment_chain(h.appointment_id) AS name) AS chain
  WHERE (h.lifted_at IS NULL OR h.entries_applied_at IS NULL)
    AND (h.entries_leased_until IS NULL OR h.entries_leased_until <= $1)
    AND NOT EXISTS (SELECT FROM medzen.legal_holds newer WHERE newer.appointment_id = h.appointment_id AND newer.id > h.id)
), leased AS (
  UPDATE medzen.legal_holds h SET entries_leased_until = $2
  FROM (SELECT * FROM due WHERE until > after ORDER BY entries_leased_until NULLS FIRST, id LIMIT $3) AS due
  WHERE h.id = due.id AND (h.entries_leased_until IS NULL OR h.entries_leased_until <= $1) AND (h.lifted_at IS NULL) = due.stands
  RETURNING due.*
)
SELECT coalesce(json_agg(json_build_object(
  'id', id, 'chain', chain, 'onHold', stands, 'after', after, 'until', until, 'last', length) ORDER BY id), '[]')::text
FROM leased
