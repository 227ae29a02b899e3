//! The resource types that are known: for each a table of its properties, the ids that AWS would give it, and what
//! the plan has of it.

mod cloudfront;
mod delivery;
mod dynamodb;
mod events;
mod http_api;
mod kms;
mod lambda;
mod mapping;
mod monitoring;
mod policy;
mod response_headers;
mod role;
mod s3;
mod sqs;

use std::collections::BTreeSet;

use super::document::Document;
use super::error::{Problem, TemplateError};
use super::fields::Fields;
use super::naming::Naming;
use super::node::{Intrinsic, Node, NodeKind};
use super::scope::Identity;
use crate::plan::{Plan, WithoutEffect};

/// Nested stacks; they are deployed and leave nothing in the plan but what is in them.
pub(super) const STACK: &str = "AWS::CloudFormation::Stack";

/// A resource type.
#[derive(Debug)]
pub(super) struct ResourceType {
    pub(super) name: &'static str,
    /// All properties that are accepted.
    properties: &'static [Property],
    /// The values of `Ref` and `GetAtt`.
    pub(super) identify: fn(Naming<'_>, &Fields) -> Result<Identity, TemplateError>,
}

/// A resource that is made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) kind: &'static ResourceType,
    /// The file's name without its ending: the crate of a function.
    pub(super) template: String,
    pub(super) identity: Identity,
    pub(super) properties: Fields,
}

/// A property that is accepted. A path stands for all that is below it; lists do not count in it.
#[derive(Debug)]
struct Property {
    path: &'static str,
    without_effect: Option<&'static str>,
}

/// A property that does here what it does on AWS.
const fn effect(path: &'static str) -> Property {
    Property { path, without_effect: None }
}

/// A property that changes nothing here, and why.
const fn without_effect(path: &'static str, reason: &'static str) -> Property {
    Property { path, without_effect: Some(reason) }
}

const TAGS: Property = without_effect("Tags", "tags are for bills and searches");
const DESCRIPTION: Property = without_effect("Description", "it is for people");

const TYPES: [&[ResourceType]; 14] = [
    cloudfront::TYPES,
    delivery::TYPES,
    dynamodb::TYPES,
    events::TYPES,
    http_api::TYPES,
    kms::TYPES,
    lambda::TYPES,
    mapping::TYPES,
    monitoring::TYPES,
    response_headers::TYPES,
    role::TYPES,
    s3::TYPES,
    sqs::TYPES,
    &[ResourceType {
        name: STACK,
        properties: &[
            effect("TemplateURL"),
            effect("Parameters"),
            without_effect("TimeoutInMinutes", "a local deployment takes milliseconds"),
            TAGS,
        ],
        identify: |naming, _| Ok(identity(STACK, naming.name(), [])),
    }],
];

/// The type of this name.
pub(super) fn find(name: &str) -> Option<&'static ResourceType> {
    TYPES.into_iter().flatten().find(|it| it.name == name)
}

/// All properties that are accepted and have an effect, `AWS::Lambda::Function.Timeout`.
#[cfg(test)]
pub(super) fn with_effect() -> impl Iterator<Item = String> {
    TYPES.into_iter().flatten().flat_map(|kind| {
        let properties = kind.properties.iter().filter(|it| it.without_effect.is_none());
        properties.map(|it| format!("{}.{}", kind.name, it.path))
    })
}

/// Puts what is made into the plan.
pub(super) fn read(made: &[Made], plan: &mut Plan) -> Result<(), TemplateError> {
    plan.functions = lambda::read(made)?;
    plan.http_apis = http_api::read(made)?;
    plan.keys = kms::read(made)?;
    plan.queues = sqs::read(made)?;
    plan.buses = events::buses(made);
    plan.schedules = events::schedules(made)?;
    plan.rules = events::rules(made)?;
    plan.mappings = mapping::read(made, &plan.functions, &plan.queues)?;
    plan.tables = dynamodb::read(made)?;
    plan.roles = role::assumable(made)?;
    plan.buckets = s3::read(made)?;
    plan.distributions = cloudfront::read(made)?;
    plan.alarms = monitoring::alarms(made)?;
    Ok(())
}

impl ResourceType {
    pub(super) fn takes_tags(&self) -> bool {
        self.properties.iter().any(|it| it.path == "Tags")
    }

    /// Refuses unknown properties and notes those without effect.
    pub(super) fn check(
        &self,
        document: &Document,
        node: &Node,
        noted: &mut BTreeSet<WithoutEffect>,
    ) -> Result<(), TemplateError> {
        self.check_below("", document, node, noted)
    }

    fn check_below(
        &self,
        path: &str,
        document: &Document,
        node: &Node,
        noted: &mut BTreeSet<WithoutEffect>,
    ) -> Result<(), TemplateError> {
        match &node.kind {
            NodeKind::Map(entries) => {
                for (key, node) in entries {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let below = format!("{path}.");
                    if let Some(property) = self.properties.iter().find(|it| it.path == path) {
                        noted.extend(property.without_effect.map(|reason| WithoutEffect {
                            property: format!("{}.{path}", self.name),
                            reason: reason.to_owned(),
                        }));
                    } else if self.properties.iter().any(|it| it.path.starts_with(&below)) {
                        self.check_below(&path, document, node, noted)?;
                    } else {
                        let kind = self.name.to_owned();
                        return Err(document
                            .place(node)
                            .error(Problem::UnknownProperty { kind, property: path }));
                    }
                }
                Ok(())
            }
            NodeKind::List(items) => {
                items.iter().try_for_each(|it| self.check_below(path, document, it, noted))
            }
            // Both branches, whichever is taken.
            NodeKind::Call(Intrinsic::If, argument) => match &argument.kind {
                NodeKind::List(items) => {
                    items.iter().skip(1).try_for_each(|it| self.check_below(path, document, it, noted))
                }
                _ => Ok(()),
            },
            NodeKind::Text(_) | NodeKind::Call(..) => Ok(()),
        }
    }
}

fn identity<const N: usize>(kind: &str, reference: String, attributes: [(&str, String); N]) -> Identity {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    Identity { kind: kind.to_owned(), reference, attributes }
}

/// All resources of a type.
fn of_type<'a>(made: &'a [Made], name: &'static str) -> impl Iterator<Item = &'a Made> {
    made.iter().filter(move |it| it.kind.name == name)
}

/// The function that an ARN or a name means.
fn function<'a>(made: &'a [Made], arn_or_name: &str) -> Option<&'a Made> {
    of_type(made, lambda::FUNCTION).find(|it| it.identity.reference == arn_or_name || it.arn() == arn_or_name)
}

impl Made {
    fn arn(&self) -> &str {
        self.identity.attributes.get("Arn").map_or("", String::as_str)
    }
}
