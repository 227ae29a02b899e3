//! The waiting room, and what the provider decides about a participant.
//!
//! Each decision is one statement that locks the session first. A patient who has not joined yet has no row: one is inserted
//! then, so that the decision holds when the patient joins.

use domain::audit::{Event, Origin};
use domain::capabilities::{CapabilityChange, Direction};
use domain::id::{SessionId, UserId};
use domain::operation::{LEASE, PendingOperation};
use domain::outbound::EventType;
use domain::state::Role;
use serde::Deserialize;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::statement::{Statement, sql};
use crate::{Error, Store};

/// A participant waits from now on.
#[derive(Clone, Debug, Deserialize)]
pub struct Waits {
    /// The event that this request publishes, within its lease; none where one was published a minute ago.
    pub event: Option<PendingOperation>,
}

/// A decision that was stored.
#[derive(Clone, Debug, Deserialize)]
pub struct Decided {
    /// The operation on the participant's attendee, which this request holds for [`LEASE`]; none without an attendee.
    pub operation: Option<PendingOperation>,
}

/// A provider's decision about a participant.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    pub session: SessionId,
    pub user: UserId,
    /// The participant's role, or the role that the participant would have.
    pub role: Role,
    /// The provider.
    pub by: UserId,
}

impl Store {
    /// Stores that a participant waits. `None`: the call is not active any more, or the participant waits already, was admitted,
    /// turned away or removed: read again.
    pub async fn wait(
        &self,
        session: SessionId,
        user: UserId,
        role: Role,
        origin: &Origin,
    ) -> Result<Option<Waits>, Error> {
        let (session, user, until) = (session.as_uuid(), user.as_uuid(), origin.now + LEASE);
        self.ask(
            sql!("wait"),
            &[
                (&session, Type::UUID),
                (&user, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&role.as_str(), Type::TEXT),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantWaiting.as_str(), Type::TEXT),
                (&EventType::ParticipantWaiting.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Admits a participant; `false` when the session or the participant's state is another: read again.
    pub async fn admit(&self, decision: Decision, origin: &Origin) -> Result<bool, Error> {
        let admitted: Option<bool> =
            self.decide(sql!("admit"), decision, Event::ParticipantAdmitted, origin).await?;
        Ok(admitted.is_some())
    }

    /// Turns away a participant who has not been in the call. The join token, where there is one, is deleted at the same moment.
    /// `None`: the session or the participant's state is another: read again.
    pub async fn turn_away(&self, decision: Decision, origin: &Origin) -> Result<Option<Decided>, Error> {
        self.decide(sql!("turn_away"), decision, Event::ParticipantTurnedAway, origin).await
    }

    /// Removes a participant for the rest of the session. The join token is deleted at the same moment. `None`: the session or
    /// the participant's state is another: read again.
    pub async fn remove(&self, decision: Decision, origin: &Origin) -> Result<Option<Decided>, Error> {
        self.decide(sql!("remove"), decision, Event::ParticipantRemoved, origin).await
    }

    async fn decide<T: serde::de::DeserializeOwned>(
        &self,
        statement: Statement,
        decision: Decision,
        event: Event,
        origin: &Origin,
    ) -> Result<Option<T>, Error> {
        let [session, user, by] = ids(decision);
        let until = origin.now + LEASE;
        self.ask(
            statement,
            &[
                (&session, Type::UUID),
                (&user, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&event.as_str(), Type::TEXT),
                (&by, Type::UUID),
                (&decision.role.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Changes a participant's capabilities. `None`: nothing would change, or not in a way that Chime accepts, or the session or
    /// the participant's state is another: read again.
    pub async fn set_capabilities(
        &self,
        decision: Decision,
        change: CapabilityChange,
        origin: &Origin,
    ) -> Result<Option<Decided>, Error> {
        let [session, user, by] = ids(decision);
        let until = origin.now + LEASE;
        let [audio, video, content] =
            [change.audio, change.video, change.content].map(|direction| direction.map(Direction::as_str));
        self.ask(
            sql!("set_capabilities"),
            &[
                (&session, Type::UUID),
                (&user, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::CapabilitiesChanged.as_str(), Type::TEXT),
                (&by, Type::UUID),
                (&decision.role.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
                (&audio, Type::TEXT),
                (&video, Type::TEXT),
                (&content, Type::TEXT),
            ],
        )
        .await
    }
}

fn ids(decision: Decision) -> [Uuid; 3] {
    [decision.session.as_uuid(), decision.user.as_uuid(), decision.by.as_uuid()]
}
