//! Whether a call may be captured now for a purpose, as far as its participants decide.

use crate::call::ParticipantView;
use crate::consent::{self, Consent, ConsentCheck, ConsentPurpose};
use crate::id::UserId;
use crate::recording::capture::Purposes;

/// The participants' decisions on one purpose, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Everyone who holds a join token has consented.
    Allowed,
    /// Some have not decided: they joined while nothing was captured.
    Undecided(Vec<UserId>),
    /// Some refused or revoked; all whose consent is missing.
    Refused(Vec<UserId>),
    /// Nobody is in the call: no decision applies, and nothing can be captured.
    Empty,
}

impl Permission {
    /// The participants whose consent is missing.
    #[must_use]
    pub fn missing(&self) -> &[UserId] {
        match self {
            Self::Allowed | Self::Empty => &[],
            Self::Undecided(users) | Self::Refused(users) => users,
        }
    }

    const fn is_missing(&self) -> bool {
        match self {
            Self::Allowed | Self::Empty => false,
            Self::Undecided(_) | Self::Refused(_) => true,
        }
    }
}

/// The permissions of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub recording: Permission,
    pub transcription: Permission,
}

impl Permissions {
    /// Reads the permissions from the participants and the consents of a call; `consents` is ordered by time.
    #[must_use]
    pub fn read(participants: &[ParticipantView], consents: &[Consent]) -> Self {
        Self {
            recording: permission(ConsentPurpose::Recording, participants, consents),
            transcription: permission(ConsentPurpose::Transcription, participants, consents),
        }
    }

    /// The purposes for which consent of somebody is missing.
    #[must_use]
    pub const fn missing(&self) -> Purposes {
        Purposes { recording: self.recording.is_missing(), transcription: self.transcription.is_missing() }
    }

    /// The purposes that are allowed, with somebody in the call.
    #[must_use]
    pub fn allowed(&self) -> Purposes {
        Purposes {
            recording: self.recording == Permission::Allowed,
            transcription: self.transcription == Permission::Allowed,
        }
    }
}

fn permission(kind: ConsentPurpose, participants: &[ParticipantView], consents: &[Consent]) -> Permission {
    match consent::check(kind, participants, consents) {
        ConsentCheck::Allowed => Permission::Allowed,
        ConsentCheck::Missing(users) if users.is_empty() => Permission::Empty,
        ConsentCheck::Missing(users) => {
            let refused = |user: &UserId| consent::latest_decision(kind, *user, consents) == Some(false);
            if users.iter().any(refused) { Permission::Refused(users) } else { Permission::Undecided(users) }
        }
    }
}
