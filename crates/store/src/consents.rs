//! Consent to recording and transcription: each decision is a row, and no row is ever changed.

use domain::audit::{Event, Origin};
use domain::consent::ConsentPurpose;
use domain::id::{SessionId, UserId};
use domain::state::Role;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

#[derive(Debug, Serialize)]
struct Decision {
    kind: ConsentPurpose,
    granted: bool,
}

/// Decisions that were stored.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consented {
    /// How many of them changed something.
    pub new: u32,
    /// Open captures whose stop was enqueued because of them.
    pub captures_stopped: u32,
}

impl Store {
    /// Stores a participant's decisions on consent. `None`: the call has ended.
    pub async fn consent(
        &self,
        session: SessionId,
        (user, role): (UserId, Role),
        decisions: &[(ConsentPurpose, bool)],
        origin: &Origin,
    ) -> Result<Option<Consented>, Error> {
        let (session, user) = (session.as_uuid(), user.as_uuid());
        let decisions: Vec<_> =
            decisions.iter().map(|(kind, granted)| Decision { kind: *kind, granted: *granted }).collect();
        self.ask(
            sql!("consent"),
            &[
                (&session, Type::UUID),
                (&user, Type::UUID),
                (&Json(decisions), Type::JSONB),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::ConsentGiven.as_str(), Type::TEXT),
                (&Event::ConsentRevoked.as_str(), Type::TEXT),
                (&role.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// Enqueues the stop of the open captures with a purpose that the user has refused, and returns how many. May be repeated.
    pub async fn stop_refused_captures(
        &self,
        session: SessionId,
        user: UserId,
        origin: &Origin,
    ) -> Result<u64, Error> {
        let (session, user) = (session.as_uuid(), user.as_uuid());
        let params =
            [(&session as _, Type::UUID), (&user as _, Type::UUID), (&origin.now as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(sql!("stop_refused_captures"), &params).await?.unwrap_or_default())
    }
}
