//! The audit outbox: entries that are chained and wait for delivery to `DynamoDB`.

use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::Type;

use crate::statement::sql;
use crate::{Error, Store};

/// An entry to deliver.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outgoing {
    /// The chain's name, which is the partition key.
    pub chain: String,
    pub seq: i64,
    /// The text that was hashed.
    pub payload: String,
    /// The previous entry's hash, hexadecimal.
    pub previous_hash: String,
    /// The entry's hash, hexadecimal.
    pub hash: String,
    /// Whether a legal hold stands on its appointment.
    pub on_hold: bool,
}

/// The result of a delivery.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Delivery {
    pub chain: String,
    pub seq: i64,
    /// The table holds another entry under this number.
    pub conflict: bool,
}

/// Entries that are not delivered as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AuditStatus {
    /// Entries whose number the audit table already holds with another content.
    pub conflicts: u64,
    /// Entries that wait longer than they should.
    pub backlog: u64,
}

impl Store {
    /// Leases up to `limit` entries; they may be leased again when the lease expires.
    pub async fn lease_audit(
        &self,
        limit: u16,
        lease: Duration,
        now: OffsetDateTime,
    ) -> Result<Vec<Outgoing>, Error> {
        let (until, limit) = (now + lease, i64::from(limit));
        let params =
            [(&now as _, Type::TIMESTAMPTZ), (&until as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(sql!("lease_audit"), &params).await?.unwrap_or_default())
    }

    /// Marks entries as shipped, or as in conflict with what the table holds. May be repeated.
    pub async fn mark_audit(&self, outcomes: &[Delivery], now: OffsetDateTime) -> Result<u64, Error> {
        let outcomes = tokio_postgres::types::Json(outcomes);
        let params = [(&outcomes as _, Type::JSON), (&now as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(sql!("mark_audit"), &params).await?.unwrap_or_default())
    }

    /// Entries in conflict with the audit table, and undelivered entries older than `before`.
    pub async fn audit_status(&self, before: OffsetDateTime) -> Result<AuditStatus, Error> {
        let params = [(&before as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(sql!("audit_status"), &params).await?.unwrap_or_default())
    }

    /// Deletes entries that were delivered before the given time, at most `limit`.
    pub async fn prune_audit(&self, before: OffsetDateTime, limit: u16) -> Result<u64, Error> {
        let limit = i64::from(limit);
        let params = [(&before as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(sql!("prune_audit"), &params).await?.unwrap_or_default())
    }
}
