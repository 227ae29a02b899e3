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
pub struct Consented {
    /// How many of them changed something.
    pub new: u32,
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
}
