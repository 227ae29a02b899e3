//! The rights of each role to the recordings and transcripts of its appointments: a parameter of the deployment.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, reason};
use crate::state::Role;

/// A right to the recordings or transcripts of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Start, stop, pause and resume; also start and stop a transcription.
    Control,
    /// See which there are, and their states.
    List,
    Play,
    /// Save the file under a name.
    Download,
    Delete,
    /// Read, save and search a transcript.
    #[serde(rename = "transcript.read")]
    TranscriptRead,
    /// Read and save a transcript in which personal and health data is replaced by tags.
    #[serde(rename = "transcript.read_redacted")]
    TranscriptReadRedacted,
    #[serde(rename = "transcript.delete")]
    TranscriptDelete,
}

impl Right {
    const ALL: [Self; 8] = [
        Self::Control,
        Self::List,
        Self::Play,
        Self::Download,
        Self::Delete,
        Self::TranscriptRead,
        Self::TranscriptReadRedacted,
        Self::TranscriptDelete,
    ];

    /// The spelling in the parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::List => "list",
            Self::Play => "play",
            Self::Download => "download",
            Self::Delete => "delete",
            Self::TranscriptRead => "transcript.read",
            Self::TranscriptReadRedacted => "transcript.read_redacted",
            Self::TranscriptDelete => "transcript.delete",
        }
    }
}

/// The roles that the parameter may name.
const ROLES: [Role; 3] = [Role::Provider, Role::Patient, Role::Observer];

/// The rights of each role: `provider:control,list,play;patient:list`. A role that is not named has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeSet<(&'static str, Right)>);

impl Rights {
    /// The rights of a role.
    #[must_use]
    pub fn of(&self, role: Role) -> Vec<Right> {
        Right::ALL.into_iter().filter(|right| self.0.contains(&(role.as_str(), *right))).collect()
    }

    /// Whether a role has a right.
    ///
    /// # Errors
    /// 403 where it has not.
    pub fn check(&self, role: Role, right: Right) -> Result<(), Error> {
        if self.0.contains(&(role.as_str(), right)) {
            return Ok(());
        }
        Err(Error::Forbidden(match right {
            Right::Control => reason::PROVIDER_ONLY,
            Right::List | Right::Play | Right::Download | Right::Delete => reason::RECORDING_RIGHT_MISSING,
            Right::TranscriptRead | Right::TranscriptReadRedacted | Right::TranscriptDelete => {
                reason::TRANSCRIPT_RIGHT_MISSING
            }
        }))
    }

    /// The roles that have a right.
    #[must_use]
    pub fn roles_with(&self, right: Right) -> Vec<Role> {
        ROLES.into_iter().filter(|role| self.0.contains(&(role.as_str(), right))).collect()
    }
}

/// A text that names a role or a right that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be like provider:control,list,play;patient:list")]
pub struct NotRights;

impl FromStr for Rights {
    type Err = NotRights;

    fn from_str(text: &str) -> Result<Self, NotRights> {
        let mut rights = BTreeSet::new();
        for of_role in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (role, list) = of_role.split_once(':').ok_or(NotRights)?;
            let role = ROLES.into_iter().find(|known| known.as_str() == role.trim()).ok_or(NotRights)?;
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let right = Right::ALL.into_iter().find(|right| right.as_str() == name).ok_or(NotRights)?;
                rights.insert((role.as_str(), right));
            }
        }
        Ok(Self(rights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_the_rights_that_the_parameter_names_and_no_other() {
        let rights: Rights = "provider:control,list,play; patient: list".parse().expect("rights");
        let has = |role, right| rights.check(role, right).map_err(|error| error.code());
        assert_eq!(has(Role::Provider, Right::Control), Ok(()));
        assert_eq!(has(Role::Provider, Right::Delete), Err("RECORDING_RIGHT_MISSING"));
        assert_eq!(has(Role::Patient, Right::List), Ok(()));
        assert_eq!(has(Role::Patient, Right::Control), Err("PROVIDER_ONLY"));
        assert_eq!(has(Role::Observer, Right::List), Err("RECORDING_RIGHT_MISSING"));
        assert_eq!(rights.of(Role::Provider), [Right::Control, Right::List, Right::Play]);
        assert_eq!(rights.of(Role::Observer), []);
    }

    #[test]
    fn reading_a_transcript_and_reading_it_redacted_are_two_rights() {
        let rights: Rights = "provider:transcript.read,transcript.delete;patient:transcript.read_redacted"
            .parse()
            .expect("rights");
        let has = |role, right| rights.check(role, right).map_err(|error| error.code());
        assert_eq!(has(Role::Provider, Right::TranscriptRead), Ok(()));
        assert_eq!(has(Role::Provider, Right::TranscriptReadRedacted), Err("TRANSCRIPT_RIGHT_MISSING"));
        assert_eq!(has(Role::Patient, Right::TranscriptReadRedacted), Ok(()));
        assert_eq!(has(Role::Patient, Right::TranscriptRead), Err("TRANSCRIPT_RIGHT_MISSING"));
        assert_eq!(has(Role::Patient, Right::TranscriptDelete), Err("TRANSCRIPT_RIGHT_MISSING"));
        assert_eq!(rights.roles_with(Right::TranscriptRead), [Role::Provider]);
    }

    #[test]
    fn an_unknown_role_or_right_is_rejected() {
        for text in ["provider", "doctor:list", "provider:lsit", "provider:control list"] {
            assert_eq!(text.parse::<Rights>(), Err(NotRights), "{text}");
        }
        assert_eq!("".parse::<Rights>(), Ok(Rights::default()));
    }
}
