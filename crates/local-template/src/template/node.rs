//! A template's YAML as a tree: scalars as the text they are written as, intrinsic functions recognised, each node
//! with its line.

use saphyr::{AnnotatedMapping, MarkedYaml, Scalar, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::{Parser, Tag};

use super::error::{Place, Problem, TemplateError};

/// A node and its line.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: NodeKind,
}

/// The content of a node.
#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    /// A scalar, as it is written: `CloudFormation` takes `256`, `"256"` and a parameter for the same.
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
    /// An intrinsic function with its argument; short form and long form are the same.
    Call(Intrinsic, Box<Node>),
}

/// The intrinsic functions that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intrinsic {
    Ref,
    GetAtt,
    Sub,
    Join,
    Split,
    Select,
    If,
    FindInMap,
    Equals,
    And,
    Or,
    Not,
    Condition,
}

impl Intrinsic {
    fn from_short(name: &str) -> Option<Self> {
        match name {
            "Ref" => Some(Self::Ref),
            "GetAtt" => Some(Self::GetAtt),
            "Sub" => Some(Self::Sub),
            "Join" => Some(Self::Join),
            "Split" => Some(Self::Split),
            "Select" => Some(Self::Select),
            "If" => Some(Self::If),
            "FindInMap" => Some(Self::FindInMap),
            "Equals" => Some(Self::Equals),
            "And" => Some(Self::And),
            "Or" => Some(Self::Or),
            "Not" => Some(Self::Not),
            "Condition" => Some(Self::Condition),
            _ => None,
        }
    }
}

/// Reads one YAML document.
pub(super) fn parse(file: &str, text: &str) -> Result<Node, TemplateError> {
    let failed = |source| TemplateError::Yaml { file: file.to_owned(), source };
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    // Scalars stay as they are written, so that a version 2.0 is not a number.
    loader.early_parse(false);
    Parser::new_from_str(text).load(&mut loader, true).map_err(failed)?;
    if let Some(error) = loader.error() {
        return Err(failed(error.clone()));
    }
    let mut documents = loader.into_documents().into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Reader { file }.node(document),
        _ => Err(Place::new(file, 1).error(Problem::NotOneDocument)),
    }
}

struct Reader<'a> {
    file: &'a str,
}

impl Reader<'_> {
    fn node(&self, yaml: MarkedYaml<'_>) -> Result<Node, TemplateError> {
        let line = yaml.span.start.line();
        let kind = match yaml.data {
            YamlData::Representation(text, style, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && tag.is_none() && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    return Err(self.at(line, Problem::Null));
                }
                let text = Node { line, kind: NodeKind::Text(text.into_owned()) };
                return match tag {
                    Some(tag) => self.tagged(&tag, text),
                    None => Ok(text),
                };
            }
            YamlData::Value(Scalar::String(text)) => NodeKind::Text(text.into_owned()),
            YamlData::Sequence(items) => {
                NodeKind::List(items.into_iter().map(|item| self.node(item)).collect::<Result<_, _>>()?)
            }
            YamlData::Mapping(entries) => return self.mapping(line, entries),
            YamlData::Tagged(tag, inner) => {
                let mut inner = self.node(*inner)?;
                inner.line = line;
                return self.tagged(&tag, inner);
            }
            YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
                return Err(self.at(line, Problem::BadValue));
            }
        };
        Ok(Node { line, kind })
    }

    fn mapping(
        &self,
        line: usize,
        entries: AnnotatedMapping<'_, MarkedYaml<'_>>,
    ) -> Result<Node, TemplateError> {
        let mut read = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let (start, key) = (key.span.start.line(), self.node(key)?);
            let NodeKind::Text(name) = key.kind else { return Err(self.at(start, Problem::BadValue)) };
            let mut value = self.node(value)?;
            // A property's line is that of its name.
            value.line = start;
            read.push((name, value));
        }
        if let [(name, _)] = &read[..]
            && (name == "Ref" || name.starts_with("Fn::"))
        {
            let short = name.strip_prefix("Fn::").unwrap_or(name).to_owned();
            let intrinsic = Intrinsic::from_short(&short)
                .ok_or_else(|| self.at(line, Problem::UnknownFunction(name.clone())))?;
            let argument = read.remove(0).1;
            return Ok(Node { line, kind: NodeKind::Call(intrinsic, Box::new(argument)) });
        }
        Ok(Node { line, kind: NodeKind::Map(read) })
    }

    fn tagged(&self, tag: &Tag, inner: Node) -> Result<Node, TemplateError> {
        if tag.handle != "!" {
            // `!!str 012` and the like only say how to read a scalar, and scalars are texts here.
            return Ok(inner);
        }
        let intrinsic = Intrinsic::from_short(&tag.suffix)
            .ok_or_else(|| self.at(inner.line, Problem::UnknownFunction(format!("!{}", tag.suffix))))?;
        Ok(Node { line: inner.line, kind: NodeKind::Call(intrinsic, Box::new(inner)) })
    }

    fn at(&self, line: usize, problem: Problem) -> TemplateError {
        Place::new(self.file, line).error(problem)
    }
}
