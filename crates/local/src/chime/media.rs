//! The engine and the media plane: who may connect, and what operations mean for those who are connected.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use local_media::{Admission, Attendee, Caption, MediaPlane};

use super::Chime;
use super::input::{Capabilities, Direction};

/// The media plane that the engine's operations act on.
#[derive(Debug)]
pub(super) struct MediaLink {
    plane: Weak<dyn MediaEffects>,
    /// The address of signalling that meetings name, in place of Chime's hosts.
    pub(super) loopback: Option<SocketAddr>,
}

/// The operations' effects on participants who are connected. Called while the engine's state is locked: it must not call the engine.
pub(super) trait MediaEffects: Send + Sync {
    fn apply(&self, meeting: &str, change: MediaChange);
}

impl MediaEffects for MediaPlane {
    fn apply(&self, meeting: &str, change: MediaChange) {
        match change {
            MediaChange::Ended => self.end_meeting(meeting),
            MediaChange::Caption(caption) => self.show_caption(meeting, *caption),
            MediaChange::Removed { attendee } => self.remove_attendee(meeting, &attendee),
            MediaChange::Capabilities { attendee, capabilities } => {
                self.change_capabilities(meeting, &attendee, capabilities);
            }
        }
    }
}

/// A change of a meeting that its participants feel at once.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MediaChange {
    Ended,
    Caption(Box<Caption>),
    Removed { attendee: String },
    Capabilities { attendee: String, capabilities: local_media::Capabilities },
}

impl Chime {
    /// Has operations act on this media plane; meetings name `loopback` as the address of signalling, if there is one.
    pub(crate) fn attach_media(&self, plane: &Arc<MediaPlane>, loopback: Option<SocketAddr>) {
        let plane: Weak<MediaPlane> = Arc::downgrade(plane);
        self.attach_effects(plane, loopback);
    }

    pub(super) fn attach_effects(&self, plane: Weak<dyn MediaEffects>, loopback: Option<SocketAddr>) {
        let link = MediaLink { plane, loopback };
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
            let attendee = meeting.attendees.iter().find(|it| it.join_token == join_token && !it.recorder)?;
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

    /// The media plane, to be held from before the engine's state is locked until after: to drop the last reference joins the media
    /// server's thread, which may wait for the state in `admit`.
    pub(super) fn media_effects(&self) -> Option<Arc<dyn MediaEffects>> {
        self.media.get()?.plane.upgrade()
    }

    /// Whether the engine has this meeting and it has not ended.
    pub(crate) fn is_live(&self, meeting_id: &str) -> bool {
        self.current_state().meetings.iter().any(|meeting| meeting.id == meeting_id && meeting.live())
    }

    /// Whether an attendee of a meeting that has not ended has this id.
    pub(crate) fn is_attendee(&self, attendee_id: &str) -> bool {
        let state = self.current_state();
        let mut live = state.meetings.iter().filter(|meeting| meeting.live());
        live.any(|meeting| {
            meeting.attendees.iter().any(|attendee| attendee.id == attendee_id && !attendee.deleted)
        })
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
