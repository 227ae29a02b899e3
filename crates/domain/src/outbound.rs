//! What the host application is told, so that it can notify people. Names are its contract: they are never renamed.

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The kinds, which are the detail types on the bus (`events/bus/`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// A call became active: tells whom it is held for.
    CallStarted,
    /// Someone has come and waits to be admitted: tells the provider.
    ParticipantWaiting,
    /// A call is over: tells everyone who had a part in it.
    CallEnded,
}

impl EventType {
    /// As the bus bears it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallStarted => "Call Started",
            Self::ParticipantWaiting => "Participant Waiting",
            Self::CallEnded => "Call Ended",
        }
    }
}

/// A notice, as it waits in the database to be told.
#[derive(Clone, Debug, Deserialize)]
pub struct OutboundEvent {
    /// Its id, also in its detail as `eventId`: the same each time it is told.
    pub id: Uuid,
    /// Its detail type.
    pub event_type: String,
    /// Its detail: ids and times, nothing about anyone's person or health.
    pub detail: Box<RawValue>,
}
