//! Something that happened in a meeting by itself.

/// Becomes an event of the meeting: [`super::event::of`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happening {
    /// The event's name, without `chime:`.
    pub(super) name: &'static str,
    /// The id of the attendee that it is about, if it is about one.
    pub(super) attendee: Option<String>,
    pub(super) at_ms: i64,
    /// Of an event of the transcription.
    pub(super) transcription: Option<TranscriptionDetail>,
}

/// The change of state that an event of the transcription reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TranscriptionDetail {
    pub(super) region: String,
    /// A JSON text.
    pub(super) configuration: String,
    /// Why it was interrupted or has failed.
    pub(super) message: Option<String>,
}

impl Happening {
    /// To the meeting.
    pub(super) const fn of_meeting(name: &'static str, at_ms: i64) -> Self {
        Self { name, attendee: None, at_ms, transcription: None }
    }

    /// To one of its attendees.
    pub(super) fn of(name: &'static str, attendee: &str, at_ms: i64) -> Self {
        Self { name, attendee: Some(attendee.to_owned()), at_ms, transcription: None }
    }

    /// To its transcription.
    pub(super) const fn of_transcription(
        name: &'static str,
        detail: TranscriptionDetail,
        at_ms: i64,
    ) -> Self {
        Self { name, attendee: None, at_ms, transcription: Some(detail) }
    }
}
