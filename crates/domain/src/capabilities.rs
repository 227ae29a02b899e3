//! The media that a participant may send and receive in a call.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::state::{ObserverKind, Role};

/// The direction of a medium, in Chime's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub enum Direction {
    /// Both directions.
    SendReceive,
    /// From the participant only.
    Send,
    /// To the participant only: muted, or without camera.
    Receive,
    /// Neither direction.
    None,
}

impl Direction {
    /// As the database and Chime spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendReceive => "SendReceive",
            Self::Send => "Send",
            Self::Receive => "Receive",
            Self::None => "None",
        }
    }

    const fn receives(self) -> bool {
        match self {
            Self::SendReceive | Self::Receive => true,
            Self::Send | Self::None => false,
        }
    }
}

/// A participant's three media. Chime requires all three, under these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "PascalCase")]
pub struct Capabilities {
    /// Microphone.
    pub audio: Direction,
    /// Camera.
    pub video: Direction,
    /// A shared screen.
    pub content: Direction,
}

/// A change of capabilities; `None` leaves a medium as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilityChange {
    /// Microphone.
    pub audio: Option<Direction>,
    /// Camera.
    pub video: Option<Direction>,
    /// A shared screen.
    pub content: Option<Direction>,
}

impl Capabilities {
    /// Send and receive everything: the default of provider and patient.
    pub const ALL: Self = Self {
        audio: Direction::SendReceive,
        video: Direction::SendReceive,
        content: Direction::SendReceive,
    };

    /// Receive only.
    pub const WATCH: Self =
        Self { audio: Direction::Receive, video: Direction::Receive, content: Direction::Receive };

    /// Send voice and camera, but no screen share.
    pub const TALK: Self = Self { content: Direction::Receive, ..Self::ALL };

    /// The capabilities until the provider changes them. Interpreters and family members may speak but not share a
    /// screen; students only watch. An observer without a kind has all of them.
    #[must_use]
    pub const fn of(role: Role, kind: Option<ObserverKind>) -> Self {
        match (role, kind) {
            (Role::Provider | Role::Patient, _) | (Role::Observer, None) => Self::ALL,
            (Role::Observer, Some(ObserverKind::Interpreter | ObserverKind::Family)) => Self::TALK,
            (Role::Observer, Some(ObserverKind::Student)) => Self::WATCH,
        }
    }

    /// The capabilities after a change, if Chime accepts them: content cannot be received without video (API
    /// reference, `AttendeeCapabilities`).
    ///
    /// # Errors
    /// 422, naming the field `content`.
    pub fn with(self, change: CapabilityChange) -> Result<Self, Error> {
        let changed = Self {
            audio: change.audio.unwrap_or(self.audio),
            video: change.video.unwrap_or(self.video),
            content: change.content.unwrap_or(self.content),
        };
        if changed.content.receives() && !changed.video.receives() {
            return Err(Error::invalid(
                "capabilities.content",
                "must not be received where video is not: make it Send or None",
            ));
        }
        Ok(changed)
    }
}

impl CapabilityChange {
    /// The change, if it contains one.
    ///
    /// # Errors
    /// 422 for an empty change.
    pub fn checked(self) -> Result<Self, Error> {
        if self == Self::default() {
            return Err(Error::invalid("capabilities", "must have audio, video or content"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTIONS: [Direction; 4] =
        [Direction::SendReceive, Direction::Send, Direction::Receive, Direction::None];

    #[test]
    fn only_content_without_video_is_rejected() {
        let mut refused = Vec::new();
        for (audio, video, content) in DIRECTIONS.iter().flat_map(|audio| {
            DIRECTIONS
                .iter()
                .flat_map(move |video| DIRECTIONS.iter().map(move |content| (*audio, *video, *content)))
        }) {
            let change = CapabilityChange { audio: Some(audio), video: Some(video), content: Some(content) };
            match Capabilities::WATCH.with(change) {
                Ok(given) => assert_eq!(given, Capabilities { audio, video, content }),
                Err(Error::Invalid { field, .. }) => {
                    assert_eq!(field, "capabilities.content");
                    refused.push((video, content));
                }
                Err(other) => assert!(!other.retryable(), "{other}"),
            }
        }
        refused.sort_by_key(|(video, content)| (video.as_str(), content.as_str()));
        refused.dedup();
        let [both, send, receive, none] = DIRECTIONS;
        assert_eq!(refused, [(none, receive), (none, both), (send, receive), (send, both)]);
    }

    #[test]
    fn media_that_a_change_does_not_name_stay() {
        let muted = CapabilityChange { audio: Some(Direction::Receive), ..CapabilityChange::default() };
        let expected = Capabilities { audio: Direction::Receive, ..Capabilities::ALL };
        assert_eq!(Capabilities::ALL.with(muted).ok(), Some(expected));
        let blind = CapabilityChange { video: Some(Direction::None), ..CapabilityChange::default() };
        assert!(Capabilities::ALL.with(blind).is_err(), "the content that is there counts too");
        assert!(CapabilityChange::default().checked().is_err() && blind.checked().is_ok());
    }

    #[test]
    fn chime_accepts_all_default_capabilities() {
        let kinds =
            [None, Some(ObserverKind::Interpreter), Some(ObserverKind::Family), Some(ObserverKind::Student)];
        for role in [Role::Provider, Role::Patient, Role::Observer] {
            for kind in kinds {
                let given = Capabilities::of(role, kind);
                assert_eq!(given.with(CapabilityChange::default()).ok(), Some(given), "{role:?} {kind:?}");
            }
        }
        assert_eq!(Capabilities::of(Role::Observer, Some(ObserverKind::Student)), Capabilities::WATCH);
        assert_eq!(Capabilities::of(Role::Patient, None), Capabilities::ALL);
    }

    #[test]
    fn chime_and_the_database_spell_directions_alike() {
        for direction in DIRECTIONS {
            assert_eq!(serde_json::to_value(direction).ok(), Some(direction.as_str().into()));
        }
        let expected =
            serde_json::json!({"Audio": "SendReceive", "Video": "SendReceive", "Content": "Receive"});
        assert_eq!(serde_json::to_value(Capabilities::TALK).ok(), Some(expected));
    }
}
