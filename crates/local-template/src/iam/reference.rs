//! The part of the Service Authorization Reference that is built in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::pattern::matches_ignoring_case;

/// An action of the reference.
#[derive(Debug, Deserialize)]
pub(super) struct Action {
    /// The resource types it is checked against; none: against `*`.
    pub(super) types: Vec<String>,
    /// Condition keys of its own.
    #[serde(default)]
    pub(super) keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    actions: BTreeMap<String, Action>,
    /// Condition keys with several values in a request.
    multivalued: Vec<String>,
}

impl Reference {
    pub(super) fn built_in() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("reference.json"))
    }

    /// Whether a condition key has several values in a request.
    pub(super) fn is_multivalued(&self, key: &str) -> bool {
        self.multivalued.iter().any(|it| it.eq_ignore_ascii_case(key))
    }

    /// One action by its exact name.
    pub(super) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.get(name)
    }

    /// All actions that a pattern names.
    pub(super) fn matching<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = &'a Action> {
        self.actions
            .iter()
            .filter(move |(name, _)| matches_ignoring_case(pattern, name))
            .map(|(_, action)| action)
    }
}

/// Whether a key is the one of the reference, which writes a variable end as `${Name}` or `tag-key`.
pub(super) fn same_key(known: &str, key: &str) -> bool {
    let stem = known.split("${").next().unwrap_or(known).trim_end_matches("tag-key");
    if stem.len() == known.len() {
        known.eq_ignore_ascii_case(key)
    } else {
        key.len() > stem.len() && key.get(..stem.len()).is_some_and(|it| it.eq_ignore_ascii_case(stem))
    }
}
