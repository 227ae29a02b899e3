//! Attendees as the meetings API knows them, and what reports of them go back to it.

/// The sending and receiving of one kind of media that an attendee is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    None,
    Send,
    Receive,
    SendReceive,
}

impl Direction {
    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::Send | Self::SendReceive)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::Receive | Self::SendReceive)
    }
}

/// `AttendeeCapabilities` of the meetings API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub audio: Direction,
    pub video: Direction,
    pub content: Direction,
}

/// An attendee whose join token a client has presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendee {
    pub meeting_id: String,
    pub attendee_id: String,
    pub external_user_id: String,
    pub capabilities: Capabilities,
}

/// A media pipeline in a meeting: everyone sees it as an attendee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorder {
    pub attendee_id: String,
    pub external_user_id: String,
}

/// The answer of the meetings API to a join token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted(Attendee),
    /// The token's meeting has ended.
    Ended,
    /// No attendee has this token any more, or ever had.
    Unknown,
}

/// An event of an attendee in the media plane. The names are those of Chime's events, without `Attendee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttendeeEvent {
    Joined,
    Left,
    Dropped,
    VideoStarted,
    VideoStopped,
    ContentJoined,
    ContentLeft,
    ContentDropped,
    ContentVideoStarted,
    ContentVideoStopped,
}

impl AttendeeEvent {
    /// The event's name on the bus, without `chime:`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Joined => "AttendeeJoined",
            Self::Left => "AttendeeLeft",
            Self::Dropped => "AttendeeDropped",
            Self::VideoStarted => "AttendeeVideoStarted",
            Self::VideoStopped => "AttendeeVideoStopped",
            Self::ContentJoined => "AttendeeContentJoined",
            Self::ContentLeft => "AttendeeContentLeft",
            Self::ContentDropped => "AttendeeContentDropped",
            Self::ContentVideoStarted => "AttendeeContentVideoStarted",
            Self::ContentVideoStopped => "AttendeeContentVideoStopped",
        }
    }
}

/// The meetings API as the media plane sees it. Both methods are called from the media server's thread and must not block for long.
pub trait Meetings: Send + Sync {
    /// The attendee that a join token identifies. Nothing else does: what a client says of itself is ignored.
    fn admit(&self, join_token: &str) -> Admission;

    /// Takes a report. `attendee_id` ends with `#content` for a screen share.
    fn report(&self, meeting_id: &str, attendee_id: &str, event: AttendeeEvent);
}
