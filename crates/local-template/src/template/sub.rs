//! The text of `Fn::Sub`, taken apart.

use super::node::{Node, NodeKind};

/// The argument of `Fn::Sub`: its text, and the variables of its own. `None`: it is neither a text nor a list of a text and a
/// mapping.
pub(super) fn argument(argument: &Node) -> Option<(&str, &[(String, Node)])> {
    match &argument.kind {
        NodeKind::Text(text) => Some((text, &[])),
        NodeKind::List(items) => match &items[..] {
            [Node { kind: NodeKind::Text(text), .. }, Node { kind: NodeKind::Map(own), .. }] => {
                Some((text, own))
            }
            _ => None,
        },
        NodeKind::Map(_) | NodeKind::Call(..) => None,
    }
}

/// A piece of a text with `${...}` in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    /// The name between the braces, with `.Attribute` if it has one.
    Variable(&'a str),
}

/// Takes a text apart. `${!Name}` stands for `${Name}` itself.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let (before, name, end) = (&rest[..start], &rest[start + 2..start + length], start + length + 1);
        if let Some(literal) = name.strip_prefix('!') {
            parts.push(Part::Text(before));
            parts.push(Part::Text("${"));
            parts.push(Part::Text(literal));
            parts.push(Part::Text("}"));
        } else {
            parts.push(Part::Text(before));
            parts.push(Part::Variable(name));
        }
        rest = &rest[end..];
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| *part != Part::Text(""));
    parts
}
