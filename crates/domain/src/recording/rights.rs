//! The rights of each role to the recordings of its appointments: a parameter of the deployment.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, reason};
use crate::state::Role;

/// A right to the recordings of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Start, stop, pause and resume.
    Control,
    /// See which there are, and their states.
    List,
    Play,
    /// Save the file under a name.
    Download,
    Delete,
}

impl Right {
    const ALL: [Self; 5] = [Self::Control, Self::List, Self::Play, Self::Download, Self::Delete];

    /// The spelling in the parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::List => "list",
            Self::Play => "play",
            Self::Download => "download",
            Self::Delete => "delete",
        }
    }
}

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
        }))
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
            let roles = [Role::Provider, Role::Patient, Role::Observer];
            let role = roles.into_iter().find(|known| known.as_str() == role.trim()).ok_or(NotRights)?;
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
    fn an_unknown_role_or_right_is_rejected() {
        for text in ["provider", "doctor:list", "provider:lsit", "provider:control list"] {
            assert_eq!(text.parse::<Rights>(), Err(NotRights), "{text}");
        }
        assert_eq!("".parse::<Rights>(), Ok(Rights::default()));
    }
}
