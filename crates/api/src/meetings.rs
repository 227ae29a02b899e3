//! `POST /meetings`, the existing app's contract, and direct invocations: one address, the action in the body.

use serde::Deserialize;

use crate::fields::member;

/// What a body of `POST /meetings` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MeetingAction {
    /// Start.
    Create,
    /// Join.
    Join,
    /// Leave.
    Leave,
    /// End.
    End,
    /// Status.
    GetStatus,
    /// Link.
    GetLink,
    /// Invite.
    BatchJoin,
}

/// What a direct invocation of attendee asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AttendeeAction {
    /// Join.
    Join,
    /// Leave.
    Leave,
    /// Roster.
    Roster,
    /// Change someone's part in the call.
    Change,
    /// Remove someone.
    Remove,
    /// Consent.
    Consent,
    /// Quality samples.
    Quality,
}

/// The action of a body. The other fields are read by the action: a flattened struct could not say which field is wrong.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "A: Deserialize<'de>"))]
pub struct ActionRequest<A> {
    /// The action.
    #[serde(deserialize_with = "member")]
    pub action: A,
}
