//! States that end by themselves.

use domain::audit::{Event, Origin};
use domain::expiry::Limits;
use domain::id::SessionId;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

/// The numbers of states that have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Expired {
    /// Participants who vanished.
    pub participants: u64,
    /// Calls that are `ending` now.
    pub calls: u64,
}

impl Store {
    /// Ends what has expired by the limits, at most so many participants and so many calls, with their audit entries and the
    /// operations that delete attendees and meetings. May be repeated. One round trip.
    pub async fn expire(&self, limits: &Limits, limit: i64, origin: &Origin) -> Result<Expired, Error> {
        let expired = self
            .ask(
                sql!("expire"),
                &[
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&limits.unseen, Type::TIMESTAMPTZ),
                    (&limits.unconnected, Type::TIMESTAMPTZ),
                    (&limits.empty, Type::TIMESTAMPTZ),
                    (&limits.alone, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&limit, Type::INT8),
                    (&Event::ParticipantExpired.as_str(), Type::TEXT),
                    (&Event::CallEndRequested.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(expired.unwrap_or_default())
    }

    /// Stores that a participant who is alone in a call wants it to go on.
    pub async fn confirm_stay(&self, session: SessionId, now: OffsetDateTime) -> Result<(), Error> {
        let session = session.as_uuid();
        self.ask::<bool>(sql!("confirm_stay"), &[(&session, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }
}
