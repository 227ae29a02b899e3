//! A template's sections, before anything is resolved.

use super::error::{Place, Problem, TemplateError};
use super::node::{Intrinsic, Node, NodeKind};

/// A template as it is written.
#[derive(Debug)]
pub(super) struct Document {
    /// Relative to the directory of the templates.
    pub(super) file: String,
    pub(super) parameters: Entries,
    pub(super) mappings: Entries,
    pub(super) conditions: Entries,
    pub(super) rules: Entries,
    pub(super) resources: Vec<Declared>,
    pub(super) outputs: Vec<Output>,
}

/// A section's entries in the order of the file.
pub(super) type Entries = Vec<(String, Node)>;

/// A resource as it is declared.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) id: String,
    pub(super) line: usize,
    pub(super) kind: String,
    pub(super) condition: Option<String>,
    pub(super) depends_on: Vec<String>,
    /// `DeletionPolicy` and the like, which only later deployments could show.
    pub(super) policies: Vec<String>,
    pub(super) deletion_policy: Option<String>,
    pub(super) properties: Node,
}

/// An output as it is declared.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) condition: Option<String>,
    pub(super) value: Node,
}

impl Document {
    /// Reads the sections, and refuses those that are not known.
    pub(super) fn read(file: &str, root: Node) -> Result<Self, TemplateError> {
        let reader = Reader { file };
        let mut document = Self {
            file: file.to_owned(),
            parameters: Vec::new(),
            mappings: Vec::new(),
            conditions: Vec::new(),
            rules: Vec::new(),
            resources: Vec::new(),
            outputs: Vec::new(),
        };
        for (name, node) in reader.entries("the template", root)? {
            match name.as_str() {
                "AWSTemplateFormatVersion" => {
                    let version = reader.text(&name, &node)?;
                    if version != "2010-09-09" {
                        let wanted = "there is only 2010-09-09".to_owned();
                        return Err(
                            reader.at(&node, Problem::Unsupported { what: name, value: version, wanted })
                        );
                    }
                }
                "Description" => drop(reader.text(&name, &node)?),
                // For the console and for linters.
                "Metadata" => {}
                "Parameters" => document.parameters = reader.entries(&name, node)?,
                "Mappings" => document.mappings = reader.entries(&name, node)?,
                "Conditions" => document.conditions = reader.entries(&name, node)?,
                "Rules" => document.rules = reader.entries(&name, node)?,
                "Resources" => {
                    let entries = reader.entries(&name, node)?;
                    document.resources = entries
                        .into_iter()
                        .map(|(id, node)| reader.resource(id, node))
                        .collect::<Result<_, _>>()?;
                }
                "Outputs" => {
                    let entries = reader.entries(&name, node)?;
                    document.outputs = entries
                        .into_iter()
                        .map(|(id, node)| reader.output(id, node))
                        .collect::<Result<_, _>>()?;
                }
                _ => return Err(reader.at(&node, Reader::unknown(&name, "a template"))),
            }
        }
        Ok(document)
    }

    pub(super) fn place(&self, node: &Node) -> Place {
        Place::new(&self.file, node.line)
    }

    pub(super) fn condition(&self, name: &str) -> Option<&Node> {
        self.conditions.iter().find(|(it, _)| it == name).map(|(_, node)| node)
    }

    pub(super) fn resource(&self, id: &str) -> Option<&Declared> {
        self.resources.iter().find(|it| it.id == id)
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.iter().any(|(it, _)| it == name)
    }
}

struct Reader<'a> {
    file: &'a str,
}

impl Reader<'_> {
    fn entries(&self, what: &str, node: Node) -> Result<Entries, TemplateError> {
        match node.kind {
            NodeKind::Map(entries) => Ok(entries),
            _ => Err(self.at(&node, Problem::Shape { what: what.to_owned(), wanted: "a mapping" })),
        }
    }

    fn text(&self, what: &str, node: &Node) -> Result<String, TemplateError> {
        match &node.kind {
            NodeKind::Text(text) => Ok(text.clone()),
            _ => Err(self.at(node, Problem::Shape { what: what.to_owned(), wanted: "a plain text" })),
        }
    }

    fn resource(&self, id: String, node: Node) -> Result<Declared, TemplateError> {
        let line = node.line;
        let (mut kind, mut condition, mut depends_on, mut policies) = (None, None, Vec::new(), Vec::new());
        let mut deletion_policy = None;
        let mut properties = Node { line, kind: NodeKind::Map(Vec::new()) };
        for (name, node) in self.entries(&id, node)? {
            match (name.as_str(), &node.kind) {
                ("Type", _) => kind = Some(self.text(&name, &node)?),
                ("Condition", _) => condition = Some(self.text(&name, &node)?),
                ("DependsOn", NodeKind::List(items)) => {
                    depends_on = items.iter().map(|item| self.text(&name, item)).collect::<Result<_, _>>()?;
                }
                ("DependsOn", _) => depends_on = vec![self.text(&name, &node)?],
                ("DeletionPolicy", _) => {
                    deletion_policy = Some(self.text(&name, &node)?);
                    policies.push(name);
                }
                ("UpdateReplacePolicy", _) => policies.push(name),
                ("Metadata", _) => {}
                ("Properties", NodeKind::Map(_)) => properties = node,
                _ => return Err(self.at(&node, Self::unknown(&name, &format!("the resource {id}")))),
            }
        }
        let missing =
            || Place::new(self.file, line).error(Problem::Missing { what: format!("Type of {id}") });
        let kind = kind.ok_or_else(missing)?;
        Ok(Declared { id, line, kind, condition, depends_on, policies, deletion_policy, properties })
    }

    fn output(&self, name: String, node: Node) -> Result<Output, TemplateError> {
        let line = node.line;
        let (mut value, mut condition) = (None, None);
        for (key, node) in self.entries(&name, node)? {
            match key.as_str() {
                "Value" => value = Some(node),
                "Condition" => condition = Some(self.text(&key, &node)?),
                "Description" => {}
                _ => return Err(self.at(&node, Self::unknown(&key, &format!("the output {name}")))),
            }
        }
        let missing =
            || Place::new(self.file, line).error(Problem::Missing { what: format!("Value of {name}") });
        Ok(Output { value: value.ok_or_else(missing)?, name, condition })
    }

    fn unknown(key: &str, within: &str) -> Problem {
        Problem::UnknownKey { key: key.to_owned(), within: within.to_owned() }
    }

    fn at(&self, node: &Node, problem: Problem) -> TemplateError {
        Place::new(self.file, node.line).error(problem)
    }
}

/// The argument of `!GetAtt` as resource and attribute; both forms.
pub(super) fn get_att(argument: &Node) -> Option<(&str, String)> {
    match &argument.kind {
        NodeKind::Text(text) => text.split_once('.').map(|(id, attribute)| (id, attribute.to_owned())),
        NodeKind::List(items) => match &items[..] {
            [Node { kind: NodeKind::Text(id), .. }, Node { kind: NodeKind::Text(attribute), .. }] => {
                Some((id, attribute.clone()))
            }
            _ => None,
        },
        NodeKind::Map(_) | NodeKind::Call(..) => None,
    }
}

/// The functions that conditions are made of.
pub(super) fn is_condition_function(intrinsic: Intrinsic) -> bool {
    use Intrinsic::{And, Condition, Equals, Not, Or};
    matches!(intrinsic, And | Condition | Equals | Not | Or)
}
