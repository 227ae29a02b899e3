//! The use of a role's permissions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::pattern::matches_ignoring_case;

/// A function's use of its role's permissions. Sorted, each action once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Actions that were called and allowed, or implied.
    pub used: Vec<String>,
    /// Actions, as the role names them, that nothing has used.
    pub unused: Vec<String>,
    /// Actions that were called and not allowed.
    pub refused: Vec<String>,
}

#[derive(Debug, Default)]
struct OfFunction {
    granted: BTreeSet<String>,
    used: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// The record of all functions.
#[derive(Debug, Default)]
pub(super) struct Record(BTreeMap<String, OfFunction>);

impl Record {
    pub(super) fn granted(&mut self, function: &str, actions: impl Iterator<Item = String>) {
        self.0.entry(function.to_owned()).or_default().granted.extend(actions);
    }

    pub(super) fn called(&mut self, function: &str, action: &str, allowed: bool) {
        let entry = self.0.entry(function.to_owned()).or_default();
        if allowed { &mut entry.used } else { &mut entry.refused }.insert(action.to_owned());
    }

    pub(super) fn implied(&mut self, function: &str, service: &str) {
        let Some(entry) = self.0.get_mut(function) else { return };
        let of_service = |action: &&String| action.split(':').next() == Some(service);
        entry.used.extend(entry.granted.iter().filter(of_service).cloned());
    }

    pub(super) fn report(&self) -> BTreeMap<String, Usage> {
        let report = |entry: &OfFunction| Usage {
            used: entry.used.iter().cloned().collect(),
            unused: entry.granted.iter().filter(|granted| !entry.has_used(granted)).cloned().collect(),
            refused: entry.refused.iter().cloned().collect(),
        };
        self.0.iter().map(|(function, entry)| (function.clone(), report(entry))).collect()
    }
}

impl OfFunction {
    fn has_used(&self, granted: &str) -> bool {
        self.used.iter().any(|used| used == granted || matches_ignoring_case(granted, used))
    }
}
