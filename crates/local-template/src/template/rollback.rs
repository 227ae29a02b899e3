//! Whether a first creation that fails can be rolled back and repeated.
//!
//! `DeletionPolicy: Retain` keeps resources of a creation that failed as well, and the next creation fails on their names;
//! `RetainExceptOnCreate` does not. A resource with deletion protection cannot be deleted by a rollback at all, so nothing
//! may be created, and fail, after it.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html>

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Declared, Document};
use super::error::{Place, Problem, TemplateError};
use super::node::NodeKind;
use super::references;

const PROTECTION: &str = "DeletionProtectionEnabled";

/// Refuses resources that a failed creation would leave behind.
pub(super) fn check(document: &Document) -> Result<(), TemplateError> {
    let needs = references::needs(document)?;
    for declared in &document.resources {
        let place = Place::new(&document.file, declared.line);
        if declared.deletion_policy.as_deref() == Some("Retain") {
            return Err(place.error(Problem::Unsupported {
                what: format!("DeletionPolicy of {}", declared.id),
                value: "Retain".to_owned(),
                wanted: "RetainExceptOnCreate, so that a failed creation can be repeated".to_owned(),
            }));
        }
        if is_protected(declared) {
            let before = closure(&needs, &declared.id);
            let later = document.resources.iter().map(|it| it.id.as_str());
            if let Some(later) = later.filter(|id| *id != declared.id).find(|id| !before.contains(id)) {
                return Err(place.error(Problem::Unsupported {
                    what: format!("{}.{PROTECTION}", declared.id),
                    value: "true".to_owned(),
                    wanted: format!(
                        "{later} may fail after it, and a rollback cannot delete it: depend on {later}"
                    ),
                }));
            }
        }
    }
    Ok(())
}

fn is_protected(declared: &Declared) -> bool {
    let NodeKind::Map(entries) = &declared.properties.kind else { return false };
    entries
        .iter()
        .any(|(key, node)| key == PROTECTION && matches!(&node.kind, NodeKind::Text(it) if it == "true"))
}

/// Everything that is created before a resource.
fn closure<'a>(needs: &BTreeMap<&'a str, Vec<&'a str>>, id: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = needs.get(id).into_iter().flatten().copied().collect();
    while let Some(id) = open.pop() {
        if let Some((known, more)) = needs.get_key_value(id)
            && found.insert(*known)
        {
            open.extend(more);
        }
    }
    found
}
