//! What someone may send and receive in a call.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::state::{ObserverKind, Role};

/// Which way a medium may flow, by Chime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub enum Direction {
    /// Both ways.
    SendReceive,
    /// From them alone.
    Send,
    /// To them alone: muted, or without camera.
    Receive,
    /// Not at all.
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

/// The three media of a person. Chime wants all three, under these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "PascalCase")]
pub struct Capabilities {
    /// Voice.
    pub audio: Direction,
    /// Camera.
    pub video: Direction,
    /// A shared screen.
    pub content: Direction,
}

/// What is to be changed of someone's capabilities; the rest stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilityChange {
    /// Voice.
    pub audio: Option<Direction>,
    /// Camera.
    pub video: Option<Direction>,
    /// A shared screen.
    pub content: Option<Direction>,
}

impl Capabilities {
    /// Everything, as the provider and the patient have it.
    pub const ALL: Self = Self {
        audio: Direction::SendReceive,
        video: Direction::SendReceive,
        content: Direction::SendReceive,
    };

    /// To hear and to see only.
    pub const WATCH: Self =
        Self { audio: Direction::Receive, video: Direction::Receive, content: Direction::Receive };

    /// To speak and be seen, but not to share a screen.
    pub const TALK: Self = Self { content: Direction::Receive, ..Self::ALL };

    /// What someone has until the provider says otherwise. An interpreter and family speak; a screen is shared by those
    /// whose consultation it is; a student watches. An invitation that names no kind gives all, as it did before there
    /// were kinds.
    #[must_use]
    pub const fn of(role: Role, kind: Option<ObserverKind>) -> Self {
        match (role, kind) {
            (Role::Provider | Role::Patient, _) | (Role::Observer, None) => Self::ALL,
            (Role::Observer, Some(ObserverKind::Interpreter | ObserverKind::Family)) => Self::TALK,
            (Role::Observer, Some(ObserverKind::Student)) => Self::WATCH,
        }
    }

    /// With what is changed for, if Chime takes it: content cannot be received without video (API reference,
    /// `AttendeeCapabilities`).
    ///
    /// # Errors
    /// 422, naming the content.
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
    /// The change, if there is one.
    ///
    /// # Errors
    /// 422 where nothing is changed for.
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
    fn of_all_combinations_only_content_without_video_is_refused() {
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
    fn what_is_not_wished_for_stays() {
        let muted = CapabilityChange { audio: Some(Direction::Receive), ..CapabilityChange::default() };
        let expected = Capabilities { audio: Direction::Receive, ..Capabilities::ALL };
        assert_eq!(Capabilities::ALL.with(muted).ok(), Some(expected));
        let blind = CapabilityChange { video: Some(Direction::None), ..CapabilityChange::default() };
        assert!(Capabilities::ALL.with(blind).is_err(), "the content that is there counts too");
        assert!(CapabilityChange::default().checked().is_err() && blind.checked().is_ok());
    }

    #[test]
    fn whatever_anyone_has_by_default_chime_takes() {
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
        let told = serde_json::json!({"Audio": "SendReceive", "Video": "SendReceive", "Content": "Receive"});
        assert_eq!(serde_json::to_value(Capabilities::TALK).ok(), Some(told));
    }
}
