//! The triggers of a function: API Gateway, a direct invocation, a schedule, or a queue. One file each, by AWS's
//! name.

mod direct;
mod http_api;
mod schedule;
pub(crate) mod sqs;

use domain::Error;
use domain::audit::Origin;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use self::sqs::Messages;
use crate::edge::Edge;
use crate::request::Request;

/// A parsed trigger.
#[expect(clippy::large_enum_variant, reason = "an invocation has one")]
#[derive(Debug)]
pub(crate) enum Trigger {
    /// A request of a person or program, by the HTTP API or by a direct invocation.
    Request(Request),
    Schedule(Origin),
    /// A queue delivers events.
    Messages(Messages),
}

/// The kind of a trigger, known before the event is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TriggerKind {
    HttpApi,
    Direct,
    Schedule,
    Sqs,
}

/// Members whose presence distinguishes the triggers.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, rename = "requestContext")]
    request_context: Option<&'a RawValue>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "Records")]
    records: Option<&'a RawValue>,
}

impl TriggerKind {
    /// An event without any of the members is a direct invocation.
    pub(crate) fn of(event: &RawValue) -> Self {
        match serde_json::from_str(event.get()) {
            Ok(Peek { request_context: Some(_), .. }) => Self::HttpApi,
            Ok(Peek { detail_type: Some(_), .. }) => Self::Schedule,
            Ok(Peek { records: Some(_), .. }) => Self::Sqs,
            Ok(_) | Err(_) => Self::Direct,
        }
    }

    /// Whether a caller waits for the answer. The answer to an event has no reader, not even an error.
    pub(crate) const fn has_caller(self) -> bool {
        match self {
            Self::HttpApi | Self::Direct => true,
            Self::Schedule | Self::Sqs => false,
        }
    }

    /// Parses an event. `now` is used only where the event has no time: by a direct invocation.
    pub(crate) fn read(
        self,
        event: &RawValue,
        request_id: &str,
        now: OffsetDateTime,
        edge: &Edge,
    ) -> Result<Trigger, Error> {
        match self {
            Self::HttpApi => http_api::read(event, request_id, edge).map(Trigger::Request),
            Self::Direct => direct::read(event, request_id, now).map(Trigger::Request),
            Self::Schedule => schedule::read(event, request_id).map(Trigger::Schedule),
            Self::Sqs => sqs::read(event, request_id, now).map(Trigger::Messages),
        }
    }
}

/// An event that AWS wrote and that is not in its documented format.
fn unreadable(reason: &str) -> Error {
    Error::Malformed { part: "event", reason: reason.to_owned() }
}
