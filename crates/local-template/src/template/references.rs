//! The resources that a node refers to, found without resolving it: this orders the resources and finds unknown names also in the
//! branches that are not taken.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, get_att};
use super::error::{Place, Problem, TemplateError};
use super::node::{Intrinsic, Node, NodeKind};
use super::sub::{self, Part, parts};

const PSEUDO: [&str; 7] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Puts the resources that a node refers to into `found`.
pub(super) fn collect<'a>(
    document: &'a Document,
    node: &'a Node,
    found: &mut Vec<&'a str>,
) -> Result<(), TemplateError> {
    match &node.kind {
        NodeKind::Text(_) => Ok(()),
        NodeKind::List(items) => items.iter().try_for_each(|item| collect(document, item, found)),
        NodeKind::Map(entries) => entries.iter().try_for_each(|(_, item)| collect(document, item, found)),
        NodeKind::Call(Intrinsic::Ref, argument) => match &argument.kind {
            NodeKind::Text(name) => reference(document, node, name, found),
            _ => Err(wrong(document, node, "Ref", "a name")),
        },
        NodeKind::Call(Intrinsic::GetAtt, argument) => {
            let Some((id, _)) = get_att(argument) else {
                return Err(wrong(document, node, "GetAtt", "a resource and an attribute"));
            };
            found.push(resource(document, node, id)?);
            Ok(())
        }
        NodeKind::Call(Intrinsic::Sub, argument) => substitution(document, argument, found),
        NodeKind::Call(Intrinsic::If, argument) => {
            if let NodeKind::List(items) = &argument.kind
                && let Some(Node { kind: NodeKind::Text(name), .. }) = items.first()
                && document.condition(name).is_none()
            {
                return Err(document.place(node).error(Problem::UnknownCondition(name.clone())));
            }
            collect(document, argument, found)
        }
        NodeKind::Call(_, argument) => collect(document, argument, found),
    }
}

fn substitution<'a>(
    document: &'a Document,
    argument: &'a Node,
    found: &mut Vec<&'a str>,
) -> Result<(), TemplateError> {
    let usage = || wrong(document, argument, "Sub", "a text, or a list of a text and a mapping");
    let (text, own) = sub::argument(argument).ok_or_else(usage)?;
    own.iter().try_for_each(|(_, node)| collect(document, node, found))?;
    for part in parts(text) {
        match part {
            Part::Text(_) => {}
            Part::Variable(name) if own.iter().any(|(it, _)| it == name) => {}
            Part::Variable(name) => match name.split_once('.') {
                Some((id, _)) => found.push(resource(document, argument, id)?),
                None => reference(document, argument, name, found)?,
            },
        }
    }
    Ok(())
}

fn reference<'a>(
    document: &'a Document,
    node: &Node,
    name: &str,
    found: &mut Vec<&'a str>,
) -> Result<(), TemplateError> {
    if document.has_parameter(name) || PSEUDO.contains(&name) {
        return Ok(());
    }
    let known = document.resource(name);
    let unknown = || document.place(node).error(Problem::UnknownReference(name.to_owned()));
    found.push(&known.ok_or_else(unknown)?.id);
    Ok(())
}

fn resource<'a>(document: &'a Document, node: &Node, id: &str) -> Result<&'a str, TemplateError> {
    let unknown = || document.place(node).error(Problem::UnknownResource(id.to_owned()));
    document.resource(id).map(|it| it.id.as_str()).ok_or_else(unknown)
}

fn wrong(document: &Document, node: &Node, function: &'static str, wanted: &'static str) -> TemplateError {
    document.place(node).error(Problem::Arguments { function, wanted })
}

/// Resources that each resource needs to be there before it.
pub(super) fn needs(document: &Document) -> Result<BTreeMap<&str, Vec<&str>>, TemplateError> {
    let mut needs = BTreeMap::new();
    for resource in &document.resources {
        let mut names = Vec::new();
        for name in &resource.depends_on {
            let place = Place::new(&document.file, resource.line);
            let known = document.resource(name);
            names.push(known.ok_or_else(|| place.error(Problem::UnknownResource(name.clone())))?.id.as_str());
        }
        collect(document, &resource.properties, &mut names)?;
        needs.insert(resource.id.as_str(), names);
    }
    Ok(needs)
}

/// The resources in an order in which each comes after what it needs; else in the order of the file.
pub(super) fn order(document: &Document) -> Result<Vec<&str>, TemplateError> {
    let needs = needs(document)?;
    for output in &document.outputs {
        collect(document, &output.value, &mut Vec::new())?;
    }
    let mut walk =
        Walk { document, needs: &needs, path: Vec::new(), done: BTreeSet::new(), order: Vec::new() };
    for resource in &document.resources {
        walk.visit(&resource.id)?;
    }
    Ok(walk.order)
}

struct Walk<'a, 'n> {
    document: &'a Document,
    needs: &'n BTreeMap<&'a str, Vec<&'a str>>,
    path: Vec<&'a str>,
    done: BTreeSet<&'a str>,
    order: Vec<&'a str>,
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, id: &'a str) -> Result<(), TemplateError> {
        if self.done.contains(id) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|it| *it == id) {
            let mut cycle = self.path[start..].to_vec();
            cycle.push(id);
            let line = self.document.resource(id).map_or(1, |it| it.line);
            return Err(Place::new(&self.document.file, line).error(Problem::Cycle(cycle.join(" -> "))));
        }
        self.path.push(id);
        for need in self.needs.get(id).into_iter().flatten() {
            self.visit(need)?;
        }
        self.path.pop();
        self.done.insert(id);
        self.order.push(id);
        Ok(())
    }
}
