#![doc = include_str!("../README.md")]

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::call::SessionOf;
use domain::id::{AppointmentId, SessionId};
use domain::outbound::OutboundEvent;
use serde::Serialize;
use serde_json::json;

/// The source of the events, which the host application's rules match.
pub const SOURCE: &str = "medzen.calls";

/// The source of the events by which functions announce pending operations to each other.
pub const INTERNAL_SOURCE: &str = "medzen.internal";

/// The detail type of those events.
pub const OPERATION_PENDING: &str = "Operation Pending";

/// Entries that `PutEvents` takes at once (`EventBridge` API reference, `PutEvents`).
pub const MAX_ENTRIES: usize = 10;

/// A request does not wait longer for the bus: the schedule publishes what is left.
const DEADLINE: Duration = Duration::from_secs(3);

/// Why nothing was put.
#[derive(Debug, thiserror::Error)]
#[error("EventBridge rejected the request")]
pub struct Error(#[source] domain::error::Source);

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        Self::Unavailable { backend: "events", source: Box::new(error) }
    }
}

/// The detail of an announcement.
#[derive(Serialize)]
struct Announcement<'a> {
    /// By which a rule of the executor's template selects it.
    executor: &'a str,
    #[serde(flatten)]
    of: SessionOf,
}

/// The session of an announcement, from its detail.
///
/// # Errors
/// 422 where the detail is none of [`Bus::announce`].
pub fn pending_session(detail: &str) -> Result<SessionOf, domain::Error> {
    serde_json::from_str(detail)
        .map_err(|_| domain::Error::invalid("detail", "must have a sessionId and an appointmentId"))
}

/// The bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// The bus of the given name or ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, name: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(DEADLINE).build();
        let config = aws_sdk_eventbridge::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), name: name.to_owned() }
    }

    /// Announces to an executor that a session has a pending operation. One round trip.
    ///
    /// # Errors
    /// When `EventBridge` does not answer or rejects it.
    pub async fn announce(
        &self,
        executor: &str,
        session: SessionId,
        appointment: AppointmentId,
    ) -> Result<(), Error> {
        let detail = json!(Announcement { executor, of: SessionOf { appointment, session } });
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(INTERNAL_SOURCE)
            .detail_type(OPERATION_PENDING)
            .detail(detail.to_string())
            .build();
        let put = self.client.put_events().entries(entry).send().await;
        let put = put.map_err(|error| Error(Box::new(error)))?;
        match put.entries().iter().find_map(|entry| entry.error_code()) {
            None => Ok(()),
            Some(code) => Err(Error(format!("the entry was rejected: {code}").into())),
        }
    }

    /// Puts up to [`MAX_ENTRIES`] events and returns for each, in their order, whether it was accepted. One round trip.
    ///
    /// # Errors
    /// When `EventBridge` does not answer or rejects all: whether any was accepted is not known.
    pub async fn put(&self, events: &[OutboundEvent]) -> Result<Vec<bool>, Error> {
        let entries = events.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&event.payload.detail_type)
                .detail(event.payload.detail.get())
                .build()
        });
        let put = self.client.put_events().set_entries(Some(entries.collect())).send().await;
        let put = put.map_err(|error| Error(Box::new(error)))?;
        let mut accepted: Vec<bool> =
            put.entries().iter().map(|entry| entry.error_code().is_none()).collect();
        accepted.resize(events.len(), false);
        Ok(accepted)
    }
}
