//! Notices for the host application: written with the change that they tell of, sent after it, kept until they are.

use domain::outbound::OutboundEvent;
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::Type;

use crate::{Error, Store};

/// Takes the oldest notices that nobody is about to send. Runs at once skip each other's.
const LEASE: &str = "-- lease_notices
WITH due AS (
  SELECT id FROM medzen.notices
  WHERE told_at IS NULL AND (leased_until IS NULL OR leased_until <= $1)
  ORDER BY at, id
  LIMIT $3
  FOR UPDATE SKIP LOCKED
), leased AS (
  UPDATE medzen.notices n SET leased_until = $2 FROM due WHERE n.id = due.id
  RETURNING n.*
)
SELECT coalesce(json_agg(json_build_object('id', id, 'kind', kind, 'detail', detail) ORDER BY at, id), '[]')::text
FROM leased";

const MARK: &str = "-- mark_notices
WITH told AS (
  UPDATE medzen.notices SET told_at = $2 WHERE id = ANY ($1::text[]::uuid[]) AND told_at IS NULL
  RETURNING 1
)
SELECT count(*)::text FROM told";

/// How long whoever takes a notice has to send it, before another does.
pub(crate) const TO_SEND: Duration = Duration::seconds(30);

impl Store {
    /// Takes up to so many notices that wait; for half a minute nobody else does. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lease_notices(&self, most: usize, now: OffsetDateTime) -> Result<Vec<OutboundEvent>, Error> {
        let (until, most) = (now + TO_SEND, i64::try_from(most).unwrap_or(i64::MAX));
        let params =
            [(&now as _, Type::TIMESTAMPTZ), (&until as _, Type::TIMESTAMPTZ), (&most as _, Type::INT8)];
        Ok(self.ask(LEASE, &params).await?.unwrap_or_default())
    }

    /// Marks notices as sent. ConsentCheck be repeated. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_notices(&self, told: &[&OutboundEvent], now: OffsetDateTime) -> Result<u64, Error> {
        let ids: Vec<String> = told.iter().map(|notice| notice.id.to_string()).collect();
        let params = [(&ids as _, Type::TEXT_ARRAY), (&now as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(MARK, &params).await?.unwrap_or_default())
    }
}
