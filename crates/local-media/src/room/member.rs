//! One signalling connection: an attendee's, or that of the screen that an attendee shares.

use std::collections::BTreeSet;

use super::rate::TokenBucket;
use crate::attendee::{Attendee, AttendeeEvent};
use crate::connection::VideoCodec;
use crate::mix::Hears;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The socket is open.
    Opened,
    /// JOIN was answered.
    Joined,
    /// Media is connected; the number of their stream of sound.
    Present(u32),
    /// They left, were replaced or were put out; the socket is still open.
    Gone,
}

/// The stream of pictures that a member sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) framerate: u32,
    pub(super) max_bitrate_kbps: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) attendee: Attendee,
    pub(super) content: bool,
    pub(super) phase: Phase,
    pub(super) muted: bool,
    pub(super) stream: Option<Stream>,
    /// The stream that the last offer asks to send.
    pub(super) offered: Option<Stream>,
    /// Streams that the last answered offer receives.
    pub(super) receives: BTreeSet<u32>,
    /// Of these, those that the client does not want for now.
    pub(super) paused: BTreeSet<u32>,
    /// The codecs that it can decode, once an offer was answered.
    pub(super) codecs: Option<Vec<VideoCodec>>,
    pub(super) message_rate: MessageRate,
}

/// The limits of data messages of one connection: beyond the first a message is throttled, beyond the second the server hangs up
/// (<https://github.com/aws/amazon-chime-sdk-js/blob/main/guides/03_API_Overview.md#9-send-and-receive-data-messages-optional>).
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageRate {
    pub(super) soft: TokenBucket,
    pub(super) hard: TokenBucket,
}

impl MessageRate {
    const fn new() -> Self {
        Self { soft: TokenBucket::new(100, 200), hard: TokenBucket::new(500, 10_000) }
    }
}

impl Member {
    pub(super) fn new(attendee: Attendee, content: bool) -> Self {
        Self {
            attendee,
            content,
            phase: Phase::Opened,
            muted: false,
            stream: None,
            offered: None,
            receives: BTreeSet::new(),
            paused: BTreeSet::new(),
            codecs: None,
            message_rate: MessageRate::new(),
        }
    }

    /// Only one connection of each key is live: a later one replaces it.
    pub(super) fn key(&self) -> (String, bool) {
        (self.attendee.attendee_id.clone(), self.content)
    }

    /// The id under which others see it.
    pub(super) fn id(&self) -> String {
        let share = if self.content { "#content" } else { "" };
        format!("{}{share}", self.attendee.attendee_id)
    }

    pub(super) fn is_present(&self) -> bool {
        self.number().is_some()
    }

    /// The number of its stream of sound.
    pub(super) fn number(&self) -> Option<u32> {
        match self.phase {
            Phase::Present(number) => Some(number),
            Phase::Opened | Phase::Joined | Phase::Gone => None,
        }
    }

    pub(super) fn is_same_attendee(&self, other: &Self) -> bool {
        self.attendee.attendee_id == other.attendee.attendee_id
    }

    pub(super) fn sends_sound(&self) -> bool {
        let capabilities = self.attendee.capabilities;
        !self.muted && if self.content { capabilities.content } else { capabilities.audio }.sends()
    }

    pub(super) fn sends_video(&self) -> bool {
        let capabilities = self.attendee.capabilities;
        if self.content { capabilities.content } else { capabilities.video }.sends()
    }

    /// The connection of a shared screen receives nothing.
    pub(super) fn hears(&self) -> Hears {
        let capabilities = self.attendee.capabilities;
        match (capabilities.audio.receives() && !self.content, capabilities.content.receives()) {
            (false, _) => Hears::Nothing,
            (true, false) => Hears::People,
            (true, true) => Hears::Everything,
        }
    }

    pub(super) fn receives_video_of(&self, source: &Self) -> bool {
        let capabilities = self.attendee.capabilities;
        let allowed = if source.content { capabilities.content } else { capabilities.video }.receives();
        allowed && !self.content && !self.is_same_attendee(source)
    }

    /// Pauses streams that it receives. Ids of others are ignored: what is kept of a client stays bounded.
    pub(super) fn pause(&mut self, stream_ids: &[u32]) {
        let received = stream_ids.iter().filter(|id| self.receives.contains(id));
        self.paused.extend(received);
    }

    /// Receives these streams from now on; one that it no longer receives is not paused either.
    pub(super) fn receive(&mut self, stream_ids: BTreeSet<u32>) {
        self.paused.retain(|id| stream_ids.contains(id));
        self.receives = stream_ids;
    }

    /// The name of this event for this connection.
    pub(super) fn event(&self, event: AttendeeEvent) -> AttendeeEvent {
        if !self.content {
            return event;
        }
        match event {
            AttendeeEvent::Joined => AttendeeEvent::ContentJoined,
            AttendeeEvent::Left => AttendeeEvent::ContentLeft,
            AttendeeEvent::Dropped => AttendeeEvent::ContentDropped,
            AttendeeEvent::VideoStarted => AttendeeEvent::ContentVideoStarted,
            AttendeeEvent::VideoStopped => AttendeeEvent::ContentVideoStopped,
            content @ (AttendeeEvent::ContentJoined
            | AttendeeEvent::ContentLeft
            | AttendeeEvent::ContentDropped
            | AttendeeEvent::ContentVideoStarted
            | AttendeeEvent::ContentVideoStopped) => content,
        }
    }
}
