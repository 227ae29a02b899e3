//! Operations: alarms, metrics and the runbook agree with the templates and the code.

mod alarms;
mod build;
mod clients;
mod commands;
mod documents;
mod hold_role;
mod log_lines;
mod recording;
mod recordings_bucket;
mod runbook;
mod templates;

use std::collections::BTreeMap;

use local_template::plan::Plan;
use local_testing::{TestResult, workspace};

/// The templates of this repository, deployed with the local parameters.
fn deployed() -> TestResult<Plan> {
    let infra = workspace().join("infra");
    let params = std::fs::read_to_string(infra.join("params/local.json"))?;
    let params: BTreeMap<String, String> = serde_json::from_str(&params)?;
    Ok(local_template::template::deploy(&infra, &params, "us-east-1")?)
}
