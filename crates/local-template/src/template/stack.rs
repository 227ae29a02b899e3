//! Deploys stacks: parameters in, resources one after the other, outputs back.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::ACCOUNT;
use super::document::{Declared, Document};
use super::error::{Place, Problem, TemplateError};
use super::fields::Fields;
use super::naming::{Naming, partition, url_suffix};
use super::node::parse;
use super::resources::{self, Made, ResourceType};
use super::scope::{Conditions, Identity, Scope};
use super::{parameters, references, rollback, rules};
use crate::plan::WithoutEffect;

/// A stack to deploy.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    /// Its template, relative to the directory of the templates.
    pub(super) file: &'a str,
    pub(super) name: String,
    /// Parameters; those that the template does not declare are not looked at.
    pub(super) given: &'a BTreeMap<String, String>,
    /// Whether it has tags, which CloudFormation gives to every resource in it.
    pub(super) tagged: bool,
}

/// All stacks of one deployment.
#[derive(Debug)]
pub(super) struct Deployment<'a> {
    infra: &'a Path,
    pub(super) region: &'a str,
    pub(super) made: Vec<Made>,
    without_effect: BTreeSet<WithoutEffect>,
    /// Resources without tags that could have them.
    pub(super) untagged: Vec<String>,
    /// Parameters of the top stacks.
    declared: BTreeSet<String>,
    /// Their values.
    pub(super) parameters: BTreeMap<String, String>,
    /// The templates being deployed, outermost first.
    open: Vec<String>,
}

type Texts = BTreeMap<String, String>;

impl<'a> Deployment<'a> {
    pub(super) fn new(infra: &'a Path, region: &'a str) -> Self {
        let (made, without_effect) = (Vec::new(), BTreeSet::new());
        let (declared, parameters) = (BTreeSet::new(), BTreeMap::new());
        let untagged = Vec::new();
        Self { infra, region, made, without_effect, untagged, declared, parameters, open: Vec::new() }
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    pub(super) fn without_effect(&self) -> Vec<WithoutEffect> {
        self.without_effect.iter().cloned().collect()
    }

    /// Deploys a top stack and returns its outputs.
    pub(super) fn deploy(&mut self, stack: &Stack<'_>) -> Result<Texts, TemplateError> {
        let document = self.read(stack.file)?;
        self.declared.extend(document.parameters.iter().map(|(name, _)| name.clone()));
        self.carry_out(stack, &document)
    }

    fn read(&self, file: &str) -> Result<Document, TemplateError> {
        let path = self.infra.join(file);
        let text = std::fs::read_to_string(&path).map_err(|source| TemplateError::Read { path, source })?;
        Document::read(file, parse(file, &text)?)
    }

    fn carry_out(&mut self, stack: &Stack<'_>, document: &Document) -> Result<Texts, TemplateError> {
        self.open.push(stack.file.to_owned());
        let naming = Naming { region: self.region, stack: &stack.name, id: "" };
        let pseudo = BTreeMap::from([
            ("AWS::AccountId", ACCOUNT.to_owned()),
            ("AWS::Partition", partition(self.region).to_owned()),
            ("AWS::Region", self.region.to_owned()),
            ("AWS::StackId", stack_arn(naming)),
            ("AWS::StackName", stack.name.clone()),
            ("AWS::URLSuffix", url_suffix(self.region).to_owned()),
        ]);
        let mut scope = Scope {
            document,
            pseudo,
            parameters: parameters::values(document, stack.given)?,
            made: BTreeMap::new(),
            conditions: RefCell::new(Conditions::default()),
        };
        rules::check(document, &scope)?;
        rollback::check(document)?;
        if self.open.len() == 1 {
            let given = scope.parameters.iter().map(|(name, value)| (name.clone(), value.to_string()));
            self.parameters.extend(given);
        }
        for declared in &document.resources {
            self.check_properties(document, declared)?;
        }
        for (name, node) in &document.conditions {
            scope.condition(name, &document.place(node))?;
        }
        for id in references::order(document)? {
            let Some(declared) = document.resource(id) else { continue };
            let place = Place::new(&document.file, declared.line);
            if let Some(condition) = &declared.condition
                && !scope.condition(condition, &place)?
            {
                continue;
            }
            let identity = self.make(stack, &scope, declared)?;
            scope.made.insert(id.to_owned(), identity);
        }
        let mut outputs = BTreeMap::new();
        for output in &document.outputs {
            let place = document.place(&output.value);
            if output.condition.as_ref().map_or(Ok(true), |condition| scope.condition(condition, &place))? {
                outputs.insert(output.name.clone(), scope.text(&output.name, &output.value)?);
            }
        }
        self.open.pop();
        Ok(outputs)
    }

    /// Refuses unknown types and properties, also of resources whose condition is false.
    fn check_properties(&mut self, document: &Document, declared: &Declared) -> Result<(), TemplateError> {
        let place = Place::new(&document.file, declared.line);
        let unknown = || place.error(Problem::UnknownType(declared.kind.clone()));
        let kind = resources::find(&declared.kind).ok_or_else(unknown)?;
        kind.check(document, &declared.properties, &mut self.without_effect)?;
        for policy in &declared.policies {
            self.without_effect.insert(WithoutEffect {
                property: format!("{}.{policy}", kind.name),
                reason: "the local cloud is thrown away as a whole, never updated".to_owned(),
            });
        }
        Ok(())
    }

    fn make(
        &mut self,
        stack: &Stack<'_>,
        scope: &Scope<'_>,
        declared: &Declared,
    ) -> Result<Identity, TemplateError> {
        let document = scope.document;
        let place = Place::new(&document.file, declared.line);
        let Some(Value::Object(map)) = scope.resolve(&declared.properties)? else {
            let what = format!("Properties of {}", declared.id);
            return Err(place.error(Problem::Shape { what, wanted: "a mapping" }));
        };
        let properties = Fields { place: place.clone(), path: declared.id.clone(), map };
        let naming = Naming { region: self.region, stack: &stack.name, id: &declared.id };
        let tagged = stack.tagged || is_tagged(&properties);
        let takes_tags = resources::find(&declared.kind).is_some_and(ResourceType::takes_tags);
        if takes_tags && !tagged {
            self.untagged.push(format!("{}: {}", document.file, declared.id));
        }
        if declared.kind == resources::STACK {
            return self.nest(naming, &document.file, &properties, tagged);
        }
        let unknown = || place.error(Problem::UnknownType(declared.kind.clone()));
        let kind = resources::find(&declared.kind).ok_or_else(unknown)?;
        let identity = (kind.identify)(naming, &properties)?;
        let template =
            Path::new(&document.file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.made.push(Made { kind, template, identity: identity.clone(), properties });
        Ok(identity)
    }

    fn nest(
        &mut self,
        naming: Naming<'_>,
        outer: &str,
        properties: &Fields,
        tagged: bool,
    ) -> Result<Identity, TemplateError> {
        let url = properties.required("TemplateURL")?;
        if url.contains("://") || url.starts_with('/') || url.split('/').any(|part| part == "..") {
            return Err(properties.unsupported("TemplateURL", &url, "it must be a file below this template"));
        }
        let file = Path::new(outer).with_file_name(&url).to_string_lossy().into_owned();
        if self.open.contains(&file) {
            let cycle = format!("{} -> {file}", self.open.join(" -> "));
            return Err(properties.place.error(Problem::Cycle(cycle)));
        }
        let mut given = BTreeMap::new();
        if let Some(parameters) = properties.fields("Parameters")? {
            for name in parameters.map.keys() {
                given.insert(name.clone(), parameters.required(name)?);
            }
        }
        let document = self.read(&file)?;
        if let Some(unknown) = given.keys().find(|name| !document.has_parameter(name)) {
            return Err(properties.place.error(Problem::NoSuchParameter(unknown.clone())));
        }
        let stack = Stack { file: &file, name: naming.name(), given: &given, tagged };
        let outputs = self.carry_out(&stack, &document)?;
        let arn = stack_arn(Naming { stack: &stack.name, id: "", ..naming });
        let attributes =
            outputs.into_iter().map(|(name, value)| (format!("Outputs.{name}"), value)).collect();
        Ok(Identity { kind: resources::STACK.to_owned(), reference: arn, attributes })
    }
}

/// Whether a resource says which deployment it belongs to: in a list of keys and values, or, for API Gateway, a mapping.
fn is_tagged(properties: &Fields) -> bool {
    match properties.map.get("Tags") {
        Some(Value::Object(tags)) => tags.contains_key("Project"),
        Some(Value::Array(tags)) => tags.iter().any(|tag| tag["Key"] == "Project"),
        _ => false,
    }
}

fn stack_arn(naming: Naming<'_>) -> String {
    naming.arn("cloudformation", &format!("stack/{}/{}", naming.stack, naming.uuid()))
}
