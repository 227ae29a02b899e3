//! Deletes rows that nothing reads any more.

use time::{Duration, OffsetDateTime};
use tokio_postgres::types::Type;

use crate::denials::MAX_ENTRIES_PER_HOUR;
use crate::statement::sql;
use crate::{Error, Store};

/// Events of meetings without a session, ended meetings, join tokens of ended calls and counts of denials are kept for this
/// long.
const KEPT_FOR: Duration = Duration::days(2);

/// Completed operations are kept for this long, so that support can see what was sent and when.
const OPERATIONS_KEPT_FOR: Duration = Duration::days(7);

impl Store {
    /// Deletes at most `limit` rows of each kind, and returns how many in all. One round trip.
    pub async fn prune(&self, limit: i64, now: OffsetDateTime) -> Result<u64, Error> {
        let (before, completed_before) = (now - KEPT_FOR, now - OPERATIONS_KEPT_FOR);
        let params = [
            (&before as _, Type::TIMESTAMPTZ),
            (&completed_before as _, Type::TIMESTAMPTZ),
            (&limit as _, Type::INT8),
            (&MAX_ENTRIES_PER_HOUR as _, Type::INT4),
        ];
        Ok(self.ask(sql!("prune"), &params).await?.unwrap_or_default())
    }
}
