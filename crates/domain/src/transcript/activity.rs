//! When each microphone was active, from the files that Chime writes under `meeting-events/` while a capture runs.
//!
//! An event is a JSON object with `Timestamp`, `EventType` and `EventParameters`
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/meeting-events.html>). The parameters are not documented; `ActiveSpeaker` is read with
//! an `AttendeeId`. It names the attendee who speaks from then on; no event says that the speaker stopped.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::transcript::segments::Attendees;
use crate::transcript::{Interval, Voice};

/// An active speaker counts as speaking for this long, unless another follows: a file of a capture has 5 seconds, and one who goes on
/// is named again in the next.
pub const MAX_ACTIVE_MS: i64 = 5_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireEvent {
    timestamp: String,
    event_type: String,
    event_parameters: WireParameters,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireParameters {
    attendee_id: Option<String>,
    external_user_id: Option<String>,
}

/// The events that were read: a set, so that their order and repetition do not matter.
#[derive(Clone, Debug, Default)]
pub struct Activity(BTreeSet<(i64, String, Option<String>)>);

impl Activity {
    /// Reads a line; one that is no event of an active speaker says nothing.
    pub fn push(&mut self, line: &[u8]) {
        let Ok(WireEvent { timestamp, event_type, event_parameters }) = serde_json::from_slice(line) else {
            return;
        };
        let attendee_id = event_parameters.attendee_id.filter(|id| !id.is_empty());
        if event_type != "ActiveSpeaker" {
            return;
        }
        if let (Some(at_ms), Some(attendee_id)) = (milliseconds(&timestamp), attendee_id) {
            self.0.insert((at_ms, attendee_id, event_parameters.external_user_id));
        }
    }

    /// The times of each speaker: from an event to the next one, at most [`MAX_ACTIVE_MS`]. Times before the call are left out.
    #[must_use]
    pub fn intervals(&self, began_at_ms: i64, attendees: &Attendees) -> Vec<(Voice, Interval)> {
        let next = self.0.iter().skip(1).map(|(at_ms, ..)| *at_ms).chain(std::iter::once(i64::MAX));
        let interval = |((at_ms, attendee, user), next): (&(i64, String, Option<String>), i64)| {
            let start_ms = at_ms - began_at_ms;
            let end_ms = next.min(at_ms.saturating_add(MAX_ACTIVE_MS)) - began_at_ms;
            Some((attendees.voice(attendee, user.as_deref()), Interval::new(start_ms.max(0), end_ms)?))
        };
        self.0.iter().zip(next).filter_map(interval).collect()
    }
}

/// RFC 3339, or milliseconds since 1970.
fn milliseconds(timestamp: &str) -> Option<i64> {
    if let Ok(ms) = timestamp.parse() {
        return Some(ms).filter(|ms| (0..10_000_000_000_000).contains(ms));
    }
    let at = OffsetDateTime::parse(timestamp, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}
