//! Times as text: UTC with exactly three decimals of a second, so that the texts sort like the times.

use serde::{Serialize, Serializer};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const FORMAT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// `2026-11-20T15:11:41.070Z`.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "a date with time has every component of the format")]
pub fn text(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(FORMAT).expect("a date with time has every component")
}

/// For `#[serde(serialize_with)]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    text(*at).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_instants_do() {
        let at = |ms: i128| OffsetDateTime::from_unix_timestamp_nanos(ms * 1_000_000).map(text);
        assert_eq!(at(1_000).as_deref(), Ok("1970-01-01T00:00:01.000Z"));
        assert!(at(1_099).ok() < at(1_100).ok() && at(999).ok() < at(1_000).ok());
    }
}
