//! Why templates cannot be deployed.

use std::fmt;
use std::path::PathBuf;

/// Where something stands in the templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the directory of the templates.
    pub file: String,
    /// The line, counting from 1.
    pub line: usize,
}

impl Place {
    pub(super) fn new(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line }
    }

    pub(super) fn error(&self, problem: Problem) -> TemplateError {
        TemplateError::Template { place: self.clone(), problem }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why templates cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A template cannot be read.
    #[error("cannot read the template {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A template is not YAML.
    #[error("{file} is not YAML")]
    Yaml {
        file: String,
        /// Why, with the line.
        source: saphyr::ScanError,
    },
    /// A parameter was given that no stack declares.
    #[error("no stack has the parameter {0}")]
    UnknownParameter(String),
    /// A template is wrong, or asks for something that the local cloud does not know.
    #[error("{place}: {problem}")]
    Template { place: Place, problem: Problem },
}

/// An error at a position of a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("a template is one YAML document")]
    NotOneDocument,
    #[error("CloudFormation rejects null values; is the value missing?")]
    Null,
    #[error("CloudFormation does not accept this YAML value")]
    BadValue,
    #[error("{what} must be {wanted}")]
    Shape { what: String, wanted: &'static str },
    #[error("{what} is missing")]
    Missing { what: String },
    #[error("{key} is not known in {within}")]
    UnknownKey { key: String, within: String },
    #[error("the function {0} is not known to the local cloud")]
    UnknownFunction(String),
    #[error("{function} cannot be used here")]
    FunctionNotHere { function: String },
    #[error("{function} takes {wanted}")]
    Arguments { function: &'static str, wanted: &'static str },
    #[error("{0} is neither a parameter nor a resource of this template")]
    UnknownReference(String),
    #[error("{0} is not a resource of this template")]
    UnknownResource(String),
    #[error("{0} is not a condition of this template")]
    UnknownCondition(String),
    #[error("{resource} ({kind}) has no attribute {attribute} that the local cloud knows")]
    UnknownAttribute { resource: String, kind: String, attribute: String },
    #[error("{0} is not created, because its condition is false")]
    NotMade(String),
    #[error("the mappings have no {0}")]
    UnknownMapping(String),
    #[error("resources depend on each other: {0}")]
    Cycle(String),
    #[error("the resource type {0} is not known to the local cloud")]
    UnknownType(String),
    #[error("the property {property} of {kind} is not known to the local cloud")]
    UnknownProperty { kind: String, property: String },
    #[error("the parameter {name} has no value and no default")]
    NoValue { name: String },
    #[error("the parameter {name} cannot be {value:?}: {why}")]
    BadParameter { name: String, value: String, why: String },
    #[error("the rule {name} is broken: {description}")]
    Rule { name: String, description: String },
    #[error("the nested stack has no parameter {0}")]
    NoSuchParameter(String),
    #[error("{what} is {value:?}; {wanted}")]
    Unsupported { what: String, value: String, wanted: String },
    #[error("{what} refers to {value:?}, which no template creates")]
    Dangling { what: String, value: String },
}
