//! Reads the `CloudFormation` templates and says what they ask for, as [`Plan`].
//!
//! It refuses what it does not know: resource types, properties, attributes, functions, sections. A property that is
//! known and changes nothing here is listed in [`Plan::without_effect`] with the reason.

mod document;
mod error;
mod fields;
mod naming;
mod node;
mod parameters;
mod references;
mod resources;
mod rollback;
mod rules;
mod scope;
mod stack;
mod sub;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use error::{Place, Problem, TemplateError};

use crate::plan::Plan;
use stack::{Deployment, Stack};

/// The account that everything local belongs to.
pub const ACCOUNT: &str = "000000000000";

/// The call page's stack is in this region, whatever the application's: CloudFront's certificates, firewalls, log deliveries and
/// metrics are there and nowhere else.
const PAGE: (&str, &str) = ("cdn.yaml", "us-east-1");

/// The stacks, in the order in which they are deployed.
const STACKS: [&str; 3] = ["storage.yaml", "app.yaml", PAGE.0];

/// Deploys `storage.yaml`, `app.yaml` and `cdn.yaml`, with the stacks nested in them, as `aws cloudformation deploy` would.
///
/// The first two in `region`. `params` are given to every stack that declares them. What is not given and bears the name of an output of
/// a stack before is filled from it. The same templates and parameters always give the same ids and ARNs.
///
/// # Errors
/// A template that `CloudFormation` would refuse, as far as it is known here, or that has something not known here.
pub fn deploy(infra: &Path, params: &BTreeMap<String, String>, region: &str) -> Result<Plan, TemplateError> {
    let mut deployment = Deployment::new(infra, region);
    let mut outputs = BTreeMap::new();
    let project = params.get("Project").map_or("local", String::as_str);
    for file in STACKS {
        let mut given = outputs.clone();
        given.extend(params.clone());
        let name = format!("{project}-{}", file.trim_end_matches(".yaml"));
        deployment.region = if file == PAGE.0 { PAGE.1 } else { region };
        outputs.extend(deployment.deploy(&Stack { file, name, given: &given, tagged: false })?);
    }
    if let Some(unknown) = params.keys().find(|name| !deployment.has_parameter(name)) {
        return Err(TemplateError::UnknownParameter(unknown.clone()));
    }
    let mut plan = Plan {
        account: ACCOUNT.to_owned(),
        region: region.to_owned(),
        outputs,
        parameters: deployment.parameters.clone(),
        without_effect: deployment.without_effect(),
        untagged: deployment.untagged.clone(),
        ..Plan::default()
    };
    resources::read(&deployment.made, &mut plan)?;
    Ok(plan)
}
