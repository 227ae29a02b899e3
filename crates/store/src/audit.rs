//! The audit outbox: entries that are chained and wait for their way to `DynamoDB`.

use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::Type;

use crate::{Error, Store};

/// Leases the oldest entries that nobody has leased. Runs at once skip each other's.
const LEASE: &str = "-- lease_audit
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
  'previousHash', encode(previous_hash, 'hex'), 'hash', encode(hash, 'hex')) ORDER BY at, chain, seq), '[]')::text
FROM leased";

const MARK: &str = "-- mark_audit
WITH outcome AS (
  SELECT * FROM json_to_recordset($1::json) AS o (chain text, seq bigint, conflict boolean)
), marked AS (
  UPDATE medzen.audit_outbox o
  SET delivered_at = CASE WHEN outcome.conflict THEN NULL ELSE $2 END, conflict = outcome.conflict
  FROM outcome
  WHERE o.chain = outcome.chain AND o.seq = outcome.seq AND o.delivered_at IS NULL
  RETURNING 1
)
SELECT count(*)::text FROM marked";

/// Entries that are safely in the table need not be kept here for ever.
const PRUNE: &str = "-- prune_audit
WITH gone AS (
  DELETE FROM medzen.audit_outbox o
  USING (
    SELECT chain, seq FROM medzen.audit_outbox WHERE delivered_at < $1 ORDER BY delivered_at LIMIT $2
  ) AS old
  WHERE o.chain = old.chain AND o.seq = old.seq
  RETURNING 1
)
SELECT count(*)::text FROM gone";

const CONFLICTS: &str = "-- audit_conflicts
SELECT count(*)::text FROM medzen.audit_outbox WHERE conflict";

/// An entry on its way.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outgoing {
    /// Its chain, the partition key.
    pub chain: String,
    /// Its number.
    pub seq: i64,
    /// Exactly the text that was hashed.
    pub payload: String,
    /// The hash before it, hexadecimal.
    pub previous_hash: String,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// What became of an entry.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Outcome {
    /// Its chain.
    pub chain: String,
    /// Its number.
    pub seq: i64,
    /// The table holds another entry under this number.
    pub conflict: bool,
}

impl Store {
    /// Leases up to `limit` entries for a while; after that they may be leased again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lease_audit(
        &self,
        limit: u16,
        lease: Duration,
        now: OffsetDateTime,
    ) -> Result<Vec<Outgoing>, Error> {
        let (until, limit) = (now + lease, i64::from(limit));
        let params =
            [(&now as _, Type::TIMESTAMPTZ), (&until as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(LEASE, &params).await?.unwrap_or_default())
    }

    /// Marks entries as shipped, or as in conflict with what the table holds. ConsentCheck be repeated.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_audit(&self, outcomes: &[Outcome], now: OffsetDateTime) -> Result<u64, Error> {
        let outcomes = tokio_postgres::types::Json(outcomes);
        let params = [(&outcomes as _, Type::JSON), (&now as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(MARK, &params).await?.unwrap_or_default())
    }

    /// How many entries found another in their place.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_conflicts(&self) -> Result<u64, Error> {
        Ok(self.ask(CONFLICTS, &[]).await?.unwrap_or_default())
    }

    /// Drops entries that were shipped before the given time, so many at most.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune_audit(&self, before: OffsetDateTime, limit: u16) -> Result<u64, Error> {
        let limit = i64::from(limit);
        let params = [(&before as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(PRUNE, &params).await?.unwrap_or_default())
    }
}
