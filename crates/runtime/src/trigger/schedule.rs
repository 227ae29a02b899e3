//! `EventBridge`'s schedule.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use domain::Error;
use domain::audit::{Origin, Via};
use serde_json::value::RawValue;
use time::OffsetDateTime;

pub(super) fn read(event: &RawValue, request_id: &str) -> Result<Origin, Error> {
    let event: EventBridgeEvent =
        serde_json::from_str(event.get()).map_err(|_| super::unreadable("is no event of EventBridge"))?;
    if event.detail_type != "Scheduled Event" {
        return Err(super::unreadable("is of no known detail type"));
    }
    let time = event.time.ok_or_else(|| Error::invalid("time", "is required"))?;
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.timestamp_millis()) * 1_000_000)
        .map_err(|_| Error::invalid("time", "must be an instant"))?;
    Ok(Origin { request_id: request_id.to_owned(), via: Via::Schedule, ip: None, user_agent: None, now })
}
