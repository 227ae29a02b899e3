//! The engine and the media plane: who may connect, and what operations mean for those who are connected.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use local_media::{Admission, Attendee, MediaPlane};

use super::Chime;
use super::input::{Capabilities, Direction};

/// The media plane that the engine's operations act on.
#[derive(Debug)]
pub(super) struct MediaLink {
    plane: Weak<MediaPlane>,
    /// The address of signalling that meetings name, in place of Chime's hosts.
    pub(super) loopback: Option<SocketAddr>,
}

/// A change of a meeting that its participants feel at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MediaChange {
    Ended,
    Removed { attendee: String },
    Capabilities { attendee: String, capabilities: local_media::Capabilities },
}

impl Chime {
    /// Has operations act on this media plane; meetings name `loopback` as the address of signalling, if there is one.
    pub(crate) fn attach_media(&self, plane: &Arc<MediaPlane>, loopback: Option<SocketAddr>) {
        let link = MediaLink { plane: Arc::downgrade(plane), loopback };
        // A second one would be a fault of the caller; the first one stays.
        let _attached = self.media.set(link);
    }

    pub(super) fn signaling(&self) -> Option<SocketAddr> {
        self.media.get()?.loopback
    }

    /// The attendee whose join token this is.
    pub(crate) fn admit(&self, join_token: &str) -> Admission {
        let state = self.current_state();
        let found = state.meetings.iter().find_map(|meeting| {
            let attendee = meeting.attendees.iter().find(|attendee| attendee.join_token == join_token)?;
            Some((meeting, attendee))
        });
        match found {
            Some((_, attendee)) if attendee.deleted => Admission::Unknown,
            Some((meeting, _)) if !meeting.live() => Admission::Ended,
            Some((meeting, attendee)) => Admission::Admitted(Attendee {
                meeting_id: meeting.id.clone(),
                attendee_id: attendee.id.clone(),
                external_user_id: attendee.external_id.clone(),
                capabilities: attendee.capabilities.into(),
            }),
            None => Admission::Unknown,
        }
    }

    /// Passes changes of meetings on to the media plane, in order.
    pub(super) fn apply_to_media(&self, changes: Vec<(String, MediaChange)>) {
        let Some(plane) = self.media.get().and_then(|link| link.plane.upgrade()) else { return };
        for (meeting, change) in changes {
            match change {
                MediaChange::Ended => plane.end_meeting(&meeting),
                MediaChange::Removed { attendee } => plane.remove_attendee(&meeting, &attendee),
                MediaChange::Capabilities { attendee, capabilities } => {
                    plane.change_capabilities(&meeting, &attendee, capabilities);
                }
            }
        }
    }
}

impl From<Direction> for local_media::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::SendReceive => Self::SendReceive,
            Direction::Send => Self::Send,
            Direction::Receive => Self::Receive,
            Direction::None => Self::None,
        }
    }
}

impl From<Capabilities> for local_media::Capabilities {
    fn from(capabilities: Capabilities) -> Self {
        Self {
            audio: capabilities.audio.into(),
            video: capabilities.video.into(),
            content: capabilities.content.into(),
        }
    }
}
