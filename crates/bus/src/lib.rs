#![doc = include_str!("../README.md")]

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::outbound::OutboundEvent;

/// Who tells, as rules match it.
pub const SOURCE: &str = "medzen.calls";

/// How many entries `PutEvents` takes at once (`EventBridge` API reference, `PutEvents`).
pub const MOST: usize = 10;

/// Nobody's answer is to wait for long: what is not taken now goes with the schedule.
const DEADLINE: Duration = Duration::from_secs(3);

/// Why nothing was put.
#[derive(Debug, thiserror::Error)]
#[error("EventBridge did not take the notices")]
pub struct Error(#[source] domain::error::Source);

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        Self::Unavailable { backend: "events", source: Box::new(error) }
    }
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

    /// Puts up to [`MOST`] notices and answers which of them were taken, in their order. One round trip.
    ///
    /// # Errors
    /// When `EventBridge` does not answer or refuses all: whether any was taken is not known.
    pub async fn put(&self, notices: &[OutboundEvent]) -> Result<Vec<bool>, Error> {
        let entries = notices.iter().map(|notice| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&notice.kind)
                .detail(notice.detail.get())
                .build()
        });
        let put = self.client.put_events().set_entries(Some(entries.collect())).send().await;
        let put = put.map_err(|error| Error(Box::new(error)))?;
        let mut taken: Vec<bool> = put.entries().iter().map(|entry| entry.error_code().is_none()).collect();
        taken.resize(notices.len(), false);
        Ok(taken)
    }
}
