//! `EventBridge`'s schedule.

use domain::Error;
use domain::audit::{Origin, Via};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The members of the event that are used. Its other members may be anything.
#[derive(Deserialize)]
struct ScheduledEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Option<String>,
}

pub(super) fn read(event: &RawValue, request_id: &str) -> Result<Origin, Error> {
    let event: ScheduledEvent =
        serde_json::from_str(event.get()).map_err(|_| super::unreadable("is no event of EventBridge"))?;
    if event.detail_type != "Scheduled Event" {
        return Err(super::unreadable("is of no known detail type"));
    }
    let time = event.time.ok_or_else(|| Error::invalid("time", "is required"))?;
    let now =
        OffsetDateTime::parse(&time, &Rfc3339).map_err(|_| Error::invalid("time", "must be an instant"))?;
    Ok(Origin { request_id: request_id.to_owned(), via: Via::Schedule, ip: None, user_agent: None, now })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn members_that_are_not_used_may_be_anything() {
        for more in [
            json!({}),
            json!({ "resources": null, "account": 5, "region": null, "detail": "none", "version": [] }),
        ] {
            let mut event = json!({ "detail-type": "Scheduled Event", "time": "2026-01-01T00:00:00Z" });
            event
                .as_object_mut()
                .into_iter()
                .for_each(|event| event.extend(more.as_object().cloned().unwrap_or_default()));
            let origin = read(&to_raw_value(&event).expect("it is JSON"), "r-1");
            assert!(
                origin.is_ok_and(|origin| origin.now == time::macros::datetime!(2026-01-01 00:00 UTC)),
                "{event}"
            );
        }
    }
}
