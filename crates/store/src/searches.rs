//! Searches through more than one run can look at: each run continues where the last one stopped.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::Type;

use crate::statement::sql;
use crate::{Error, Store};

/// A search that is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Search {
    /// Where it continues; empty at its beginning.
    pub position: String,
    /// The results so far.
    pub found: u64,
}

impl Store {
    /// The search of a name that is not finished; a finished one begins again so long after it had begun, and `None` until then. One
    /// round trip.
    pub async fn begin_search(
        &self,
        name: &str,
        every: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<Search>, Error> {
        let params = [
            (&name as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&(now - every) as _, Type::TIMESTAMPTZ),
        ];
        self.ask(sql!("begin_search"), &params).await
    }

    /// Moves a search to its next position, or finishes it. Returns `false` where another run did. One round trip.
    pub async fn advance_search(
        &self,
        name: &str,
        from: &str,
        to: &Search,
        finished_at: Option<OffsetDateTime>,
    ) -> Result<bool, Error> {
        let found = i64::try_from(to.found).unwrap_or(i64::MAX);
        let params = [
            (&name as _, Type::TEXT),
            (&from as _, Type::TEXT),
            (&to.position as _, Type::TEXT),
            (&found as _, Type::INT8),
            (&finished_at as _, Type::TIMESTAMPTZ),
        ];
        let moved: Option<bool> = self.ask(sql!("advance_search"), &params).await?;
        Ok(moved.is_some())
    }
}
