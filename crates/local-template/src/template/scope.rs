//! The meaning of a template's names in one stack, and the values of the intrinsic functions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::{Document, get_att, is_condition_function};
use super::error::{Place, Problem, TemplateError};
use super::node::{Intrinsic, Node, NodeKind};
use super::parameters;
use super::sub::{self, Part, parts};

/// The values of `Ref` and `GetAtt` of a created resource.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) kind: String,
    /// `Ref`.
    pub(super) reference: String,
    /// `GetAtt`.
    pub(super) attributes: BTreeMap<String, String>,
}

/// One stack while it is deployed.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) document: &'a Document,
    /// `AWS::Region` and the like.
    pub(super) pseudo: BTreeMap<&'static str, String>,
    pub(super) parameters: BTreeMap<String, parameters::Value>,
    /// The resources made so far.
    pub(super) made: BTreeMap<String, Identity>,
    pub(super) conditions: RefCell<Conditions>,
}

/// The conditions that have been asked for.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    known: BTreeMap<String, bool>,
    path: Vec<String>,
}

type Resolved<T> = Result<T, TemplateError>;

impl Scope<'_> {
    /// A node's value; none for `AWS::NoValue`. Scalars are texts.
    pub(super) fn resolve(&self, node: &Node) -> Resolved<Option<Value>> {
        match &node.kind {
            NodeKind::Text(text) => Ok(Some(Value::String(text.clone()))),
            NodeKind::List(items) => {
                let items: Vec<_> = items
                    .iter()
                    .filter_map(|item| self.resolve(item).transpose())
                    .collect::<Result<_, _>>()?;
                Ok(Some(Value::Array(items)))
            }
            NodeKind::Map(entries) => {
                let mut map = Map::new();
                for (key, node) in entries {
                    if let Some(value) = self.resolve(node)? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
            NodeKind::Call(intrinsic, argument) => self.call(*intrinsic, node, argument),
        }
    }

    /// The value of a node that must be a text.
    pub(super) fn text(&self, what: &str, node: &Node) -> Resolved<String> {
        match self.resolve(node)? {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.at(node, Problem::Shape { what: what.to_owned(), wanted: "a text" })),
        }
    }

    /// Whether a condition of the template holds.
    pub(super) fn condition(&self, name: &str, asked_at: &Place) -> Resolved<bool> {
        if let Some(known) = self.conditions.borrow().known.get(name) {
            return Ok(*known);
        }
        let unknown = || asked_at.error(Problem::UnknownCondition(name.to_owned()));
        let node = self.document.condition(name).ok_or_else(unknown)?;
        {
            let mut conditions = self.conditions.borrow_mut();
            let cycle = conditions.path.iter().any(|it| it == name);
            conditions.path.push(name.to_owned());
            if cycle {
                return Err(asked_at.error(Problem::Cycle(conditions.path.join(" -> "))));
            }
        }
        let holds = self.holds(node)?;
        let mut conditions = self.conditions.borrow_mut();
        conditions.path.pop();
        conditions.known.insert(name.to_owned(), holds);
        Ok(holds)
    }

    /// Whether a condition function holds.
    pub(super) fn holds(&self, node: &Node) -> Resolved<bool> {
        let some = |argument: &Node| match &argument.kind {
            NodeKind::List(items) if !items.is_empty() && items.len() <= 10 => {
                items.iter().map(|item| self.holds(item)).collect::<Resolved<Vec<bool>>>()
            }
            _ => Err(self.arguments(node, "And, Or and Not", "a list of conditions")),
        };
        match &node.kind {
            NodeKind::Call(Intrinsic::And, argument) => Ok(some(argument)?.into_iter().all(|it| it)),
            NodeKind::Call(Intrinsic::Or, argument) => Ok(some(argument)?.into_iter().any(|it| it)),
            NodeKind::Call(Intrinsic::Not, argument) => match some(argument)?[..] {
                [one] => Ok(!one),
                _ => Err(self.arguments(node, "Not", "one condition")),
            },
            NodeKind::Call(Intrinsic::Equals, argument) => {
                let [left, right] = self.items(node, argument, "Equals", "two values")?;
                Ok(self.resolve(left)? == self.resolve(right)?)
            }
            NodeKind::Call(Intrinsic::Condition, argument) => match &argument.kind {
                NodeKind::Text(name) => self.condition(name, &self.document.place(node)),
                _ => Err(self.arguments(node, "Condition", "a condition's name")),
            },
            NodeKind::Map(entries) => match &entries[..] {
                [(key, Node { kind: NodeKind::Text(name), .. })] if key == "Condition" => {
                    self.condition(name, &self.document.place(node))
                }
                _ => Err(self.at(node, Problem::Shape { what: "this".to_owned(), wanted: "a condition" })),
            },
            _ => Err(self.at(node, Problem::Shape { what: "this".to_owned(), wanted: "a condition" })),
        }
    }

    fn call(&self, intrinsic: Intrinsic, node: &Node, argument: &Node) -> Resolved<Option<Value>> {
        let text = |text: Resolved<String>| Ok(Some(Value::String(text?)));
        match intrinsic {
            Intrinsic::Ref => match &argument.kind {
                NodeKind::Text(name) => self.reference(node, name),
                _ => Err(self.arguments(node, "Ref", "a name")),
            },
            Intrinsic::GetAtt => match get_att(argument) {
                Some((id, attribute)) => text(self.attribute(node, id, &attribute)),
                None => Err(self.arguments(node, "GetAtt", "a resource and an attribute")),
            },
            Intrinsic::Sub => text(self.substitute(node, argument)),
            Intrinsic::Join => {
                let [delimiter, list] = self.items(node, argument, "Join", "a delimiter and a list")?;
                let delimiter = self.text("the delimiter of Join", delimiter)?;
                Ok(Some(Value::String(self.texts(node, list, "Join")?.join(&delimiter))))
            }
            Intrinsic::Split => {
                let [delimiter, list] = self.items(node, argument, "Split", "a delimiter and a text")?;
                let delimiter = self.text("the delimiter of Split", delimiter)?;
                let whole = self.text("what Split takes apart", list)?;
                Ok(Some(whole.split(&delimiter).map(|it| Value::String(it.to_owned())).collect()))
            }
            Intrinsic::Select => {
                let [index, list] = self.items(node, argument, "Select", "an index and a list")?;
                let index = self.text("the index of Select", index)?;
                let list = self.texts(node, list, "Select")?;
                let item = index.parse().ok().and_then(|index: usize| list.get(index).cloned());
                text(item.ok_or_else(|| self.arguments(node, "Select", "an index that the list has")))
            }
            Intrinsic::If => {
                let [condition, then, otherwise] =
                    self.items(node, argument, "If", "a condition's name and two values")?;
                let NodeKind::Text(name) = &condition.kind else {
                    return Err(self.arguments(node, "If", "a condition's name and two values"));
                };
                let holds = self.condition(name, &self.document.place(node))?;
                self.resolve(if holds { then } else { otherwise })
            }
            Intrinsic::FindInMap => self.find_in_map(node, argument),
            _ if is_condition_function(intrinsic) => {
                Err(self.at(node, Problem::FunctionNotHere { function: format!("{intrinsic:?}") }))
            }
            _ => Err(self.at(node, Problem::UnknownFunction(format!("{intrinsic:?}")))),
        }
    }

    fn reference(&self, node: &Node, name: &str) -> Resolved<Option<Value>> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.pseudo.get(name) {
            return Ok(Some(Value::String(value.clone())));
        }
        match self.parameters.get(name) {
            Some(parameters::Value::Text(text)) => Ok(Some(Value::String(text.clone()))),
            Some(parameters::Value::List(items)) => Ok(Some(items.clone().into())),
            None => Ok(Some(Value::String(self.made(node, name)?.reference.clone()))),
        }
    }

    fn attribute(&self, node: &Node, id: &str, attribute: &str) -> Resolved<String> {
        let made = self.made(node, id)?;
        made.attributes.get(attribute).cloned().ok_or_else(|| {
            let (resource, kind, attribute) = (id.to_owned(), made.kind.clone(), attribute.to_owned());
            self.at(node, Problem::UnknownAttribute { resource, kind, attribute })
        })
    }

    fn made(&self, node: &Node, id: &str) -> Resolved<&Identity> {
        self.made.get(id).ok_or_else(|| match self.document.resource(id) {
            Some(_) => self.at(node, Problem::NotMade(id.to_owned())),
            None => self.at(node, Problem::UnknownReference(id.to_owned())),
        })
    }

    fn substitute(&self, node: &Node, argument: &Node) -> Resolved<String> {
        let usage = || self.arguments(node, "Sub", "a text, or a list of a text and a mapping");
        let (template, own) = sub::argument(argument).ok_or_else(usage)?;
        let mut result = String::new();
        for part in parts(template) {
            let value = match part {
                Part::Text(text) => {
                    result.push_str(text);
                    continue;
                }
                Part::Variable(name) => match (own.iter().find(|(it, _)| it == name), name.split_once('.')) {
                    (Some((_, node)), _) => self.resolve(node)?,
                    (None, Some((id, attribute))) => {
                        Some(Value::String(self.attribute(node, id, attribute)?))
                    }
                    (None, None) => self.reference(node, name)?,
                },
            };
            match value {
                Some(Value::String(text)) => result.push_str(&text),
                _ => return Err(self.arguments(node, "Sub", "texts, not lists, as variables")),
            }
        }
        Ok(result)
    }

    fn find_in_map(&self, node: &Node, argument: &Node) -> Resolved<Option<Value>> {
        let [map, first, second] =
            self.items(node, argument, "FindInMap", "a mapping's name and two keys")?;
        let map = self.text("the mapping's name", map)?;
        let first = self.text("the first key", first)?;
        let second = self.text("the second key", second)?;
        let mut found = self.document.mappings.iter().find(|(it, _)| *it == map).map(|(_, node)| node);
        for key in [&first, &second] {
            found = match found.map(|node| &node.kind) {
                Some(NodeKind::Map(entries)) => {
                    entries.iter().find(|(it, _)| it == key).map(|(_, node)| node)
                }
                _ => None,
            };
        }
        let missing = || self.at(node, Problem::UnknownMapping(format!("{map}.{first}.{second}")));
        self.resolve(found.ok_or_else(missing)?)
    }

    fn texts(&self, node: &Node, list: &Node, function: &'static str) -> Resolved<Vec<String>> {
        let wrong = || self.arguments(node, function, "a list of texts");
        let Some(Value::Array(items)) = self.resolve(list)? else { return Err(wrong()) };
        items.into_iter().map(|it| it.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }

    fn items<'n, const N: usize>(
        &self,
        node: &Node,
        argument: &'n Node,
        function: &'static str,
        wanted: &'static str,
    ) -> Resolved<&'n [Node; N]> {
        let items = match &argument.kind {
            NodeKind::List(items) => <&[Node; N]>::try_from(&items[..]).ok(),
            _ => None,
        };
        items.ok_or_else(|| self.arguments(node, function, wanted))
    }

    fn arguments(&self, node: &Node, function: &'static str, wanted: &'static str) -> TemplateError {
        self.at(node, Problem::Arguments { function, wanted })
    }

    fn at(&self, node: &Node, problem: Problem) -> TemplateError {
        self.document.place(node).error(problem)
    }
}
