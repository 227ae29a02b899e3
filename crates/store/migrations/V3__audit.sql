-- The audit chain: its heads, the entries on their way to DynamoDB, and the one place where a number and a hash are taken.

CREATE TABLE medzen.audit_heads (
  chain text PRIMARY KEY,
  seq bigint NOT NULL,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL
);

CREATE TABLE medzen.audit_outbox (
  chain text NOT NULL,
  seq bigint NOT NULL,
  -- Exactly the text that was hashed.
  payload text NOT NULL,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL,
  at timestamptz NOT NULL,
  leased_until timestamptz,
  shipped_at timestamptz,
  -- Set when the table already holds another entry under this number: nothing is overwritten, somebody must look.
  conflict boolean NOT NULL DEFAULT false,
  PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_outbox_unshipped ON medzen.audit_outbox (at, chain, seq)
  WHERE shipped_at IS NULL AND NOT conflict;
CREATE INDEX audit_outbox_shipped ON medzen.audit_outbox (shipped_at) WHERE shipped_at IS NOT NULL;
CREATE INDEX audit_outbox_conflicts ON medzen.audit_outbox (chain, seq) WHERE conflict;

-- Appends an entry to a chain and answers its number. The row of audit_heads is the chain's lock: it is taken by the
-- upsert itself and the number and hash are computed from the row as locked, because reading the head first forks the
-- chain under load. The hash is domain::audit::entry_hash: SHA-256 over previous hash, chain, number (8 bytes,
-- big-endian) and payload.
--
-- It runs as its owner, so that the functions' role can append and nothing else: no number, hash or payload is ever its to
-- write.
CREATE FUNCTION medzen.audit_append(chain text, entry jsonb, at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $append$
  WITH written AS (
    SELECT $1 AS chain, $2::text AS payload, $3 AS at
  ), head AS (
    INSERT INTO medzen.audit_heads AS head (chain, seq, previous_hash, hash)
    SELECT chain, 1, genesis,
           sha256(genesis || convert_to(chain, 'UTF8') || int8send(1::bigint) || convert_to(payload, 'UTF8'))
    FROM written, (SELECT decode(repeat('00', 32), 'hex') AS genesis) AS start
    ON CONFLICT (chain) DO UPDATE
    SET seq = head.seq + 1,
        previous_hash = head.hash,
        hash = sha256(head.hash || convert_to($1, 'UTF8') || int8send(head.seq + 1) || convert_to($2::text, 'UTF8'))
    RETURNING head.seq, head.previous_hash, head.hash
  )
  INSERT INTO medzen.audit_outbox (chain, seq, payload, previous_hash, hash, at)
  SELECT written.chain, head.seq, written.payload, head.previous_hash, head.hash, written.at
  FROM head, written
  RETURNING seq
$append$;
REVOKE ALL ON FUNCTION medzen.audit_append(text, jsonb, timestamptz) FROM PUBLIC;
