//! Rules: what a stack's parameters and region must be, together.

use super::document::Document;
use super::error::{Problem, TemplateError};
use super::node::{Node, NodeKind};
use super::scope::Scope;

/// Refuses parameters that a rule of the template refuses.
pub(super) fn check(document: &Document, scope: &Scope<'_>) -> Result<(), TemplateError> {
    document.rules.iter().try_for_each(|(name, rule)| one(document, scope, name, rule))
}

fn one(document: &Document, scope: &Scope<'_>, name: &str, rule: &Node) -> Result<(), TemplateError> {
    let shape = |node: &Node, wanted| {
        let what = format!("the rule {name}");
        document.place(node).error(Problem::Shape { what, wanted })
    };
    let NodeKind::Map(entries) = &rule.kind else { return Err(shape(rule, "a mapping")) };
    let (mut applies, mut assertions) = (true, &[][..]);
    for (key, node) in entries {
        match (key.as_str(), &node.kind) {
            ("RuleCondition", _) => applies = scope.holds(node)?,
            ("Assertions", NodeKind::List(items)) => assertions = items,
            _ => return Err(shape(node, "RuleCondition and a list of Assertions")),
        }
    }
    for assertion in assertions {
        let NodeKind::Map(entries) = &assertion.kind else { return Err(shape(assertion, "a mapping")) };
        let (mut holds, mut description) = (None, String::new());
        for (key, node) in entries {
            match (key.as_str(), &node.kind) {
                ("Assert", _) => holds = Some(scope.holds(node)?),
                ("AssertDescription", NodeKind::Text(text)) => text.clone_into(&mut description),
                _ => return Err(shape(node, "Assert and AssertDescription")),
            }
        }
        let holds = holds.ok_or_else(|| shape(assertion, "Assert"))?;
        if applies && !holds {
            let name = name.to_owned();
            return Err(document.place(assertion).error(Problem::Rule { name, description }));
        }
    }
    Ok(())
}
