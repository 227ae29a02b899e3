//! Functions and their invoke permissions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::ACCOUNT;
use super::super::error::TemplateError;
use super::{
    DESCRIPTION, Made, ResourceType, TAGS, effect, function, identity, of_type, role, without_effect,
};
use crate::plan::{Asynchronous, Function, Permission};

pub(super) const FUNCTION: &str = "AWS::Lambda::Function";
const PERMISSION: &str = "AWS::Lambda::Permission";
const EVENT_INVOKE: &str = "AWS::Lambda::EventInvokeConfig";

/// Environments that an account may have at once, and those that Lambda keeps for functions without a reservation:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>. A new account may have only 10, and then
/// no reservation at all.
const ACCOUNT_CONCURRENCY: u32 = 1000;
const UNRESERVED_CONCURRENCY: u32 = 100;

const OUR_BINARIES: &str = "functions run as the binaries that this workspace builds";
const LOGS: &str = "logs go to the terminal";
const OUR_MACHINE: &str = "functions run on this machine and reach the database from there";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: FUNCTION,
        properties: &[
            without_effect("Architectures", OUR_BINARIES),
            without_effect("Code", OUR_BINARIES),
            DESCRIPTION,
            effect("Environment.Variables"),
            effect("FunctionName"),
            without_effect("Handler", OUR_BINARIES),
            without_effect("KmsKeyArn", "nothing is encrypted at rest on one machine"),
            without_effect("LoggingConfig.ApplicationLogLevel", LOGS),
            without_effect("LoggingConfig.LogFormat", LOGS),
            without_effect("LoggingConfig.LogGroup", LOGS),
            without_effect("LoggingConfig.SystemLogLevel", LOGS),
            effect("MemorySize"),
            without_effect("PackageType", OUR_BINARIES),
            effect("ReservedConcurrentExecutions"),
            effect("Role"),
            without_effect("Runtime", OUR_BINARIES),
            TAGS,
            effect("Timeout"),
            without_effect("TracingConfig.Mode", "there is no X-Ray here"),
            without_effect("VpcConfig.SecurityGroupIds", OUR_MACHINE),
            without_effect("VpcConfig.SubnetIds", OUR_MACHINE),
        ],
        identify: |naming, properties| {
            let name = properties.text("FunctionName")?.unwrap_or_else(|| naming.short_name());
            let arn = naming.arn("lambda", &format!("function:{name}"));
            Ok(identity(FUNCTION, name, [("Arn", arn)]))
        },
    },
    ResourceType {
        name: PERMISSION,
        properties: &[
            effect("Action"),
            effect("FunctionName"),
            effect("Principal"),
            effect("SourceAccount"),
            effect("SourceArn"),
        ],
        identify: |naming, _| Ok(identity(PERMISSION, naming.name(), [])),
    },
    ResourceType {
        name: EVENT_INVOKE,
        properties: &[
            effect("FunctionName"),
            effect("MaximumEventAgeInSeconds"),
            effect("MaximumRetryAttempts"),
            effect("Qualifier"),
        ],
        identify: |naming, _| Ok(identity(EVENT_INVOKE, naming.name(), [])),
    },
];

/// All functions with their roles and permissions.
pub(super) fn read(made: &[Made]) -> Result<Vec<Function>, TemplateError> {
    let mut permissions: BTreeMap<&str, Vec<Permission>> = BTreeMap::new();
    for it in of_type(made, PERMISSION) {
        let properties = &it.properties;
        properties.only("Action", "lambda:InvokeFunction")?;
        let name = properties.required("FunctionName")?;
        let function = function(made, &name).ok_or_else(|| properties.dangling("FunctionName", &name))?;
        if properties.text("SourceAccount")?.is_some_and(|account| account != ACCOUNT) {
            // The local cloud has no other account.
            continue;
        }
        let (principal, source_arn) = (properties.required("Principal")?, properties.text("SourceArn")?);
        permissions.entry(function.arn()).or_default().push(Permission { principal, source_arn });
    }
    let mut asynchronous = asynchronous(made)?;
    let mut functions: Vec<Function> = Vec::new();
    for it in of_type(made, FUNCTION) {
        let properties = &it.properties;
        if functions.iter().any(|other| other.name == it.template) {
            let wanted = "a function is known by its template, so a template has one";
            return Err(properties.unsupported("Type", FUNCTION, wanted));
        }
        let mut environment = BTreeMap::new();
        if let Some(variables) =
            properties.fields("Environment")?.map(|it| it.required_fields("Variables")).transpose()?
        {
            for name in variables.map.keys() {
                environment.insert(name.clone(), variables.required(name)?);
            }
        }
        functions.push(Function {
            name: it.template.clone(),
            arn: it.arn().to_owned(),
            memory_mb: properties.within("MemorySize", 128..=10_240)?.unwrap_or(128),
            timeout: Duration::from_secs(properties.within("Timeout", 1..=900)?.unwrap_or(3).into()),
            reserved_concurrency: properties.within("ReservedConcurrentExecutions", 0..=1000)?,
            asynchronous: asynchronous.remove(it.arn()).unwrap_or(Asynchronous::OF_LAMBDA),
            environment,
            role_arn: properties.required("Role")?,
            role: role::statements(made, properties)?,
            permissions: permissions.remove(it.arn()).unwrap_or_default(),
        });
    }
    let reserved: u32 = functions.iter().filter_map(|it| it.reserved_concurrency).sum();
    match of_type(made, FUNCTION).last() {
        Some(last) if reserved > ACCOUNT_CONCURRENCY - UNRESERVED_CONCURRENCY => {
            let wanted = "of an account's 1000 environments Lambda keeps 100 unreserved";
            Err(last.properties.unsupported("ReservedConcurrentExecutions", &reserved.to_string(), wanted))
        }
        _ => Ok(functions),
    }
}

/// By function, how its asynchronous invocations are repeated.
fn asynchronous(made: &[Made]) -> Result<BTreeMap<&str, Asynchronous>, TemplateError> {
    let mut all = BTreeMap::new();
    for it in of_type(made, EVENT_INVOKE) {
        let properties = &it.properties;
        let name = properties.required("FunctionName")?;
        let function = function(made, &name).ok_or_else(|| properties.dangling("FunctionName", &name))?;
        properties.only("Qualifier", "$LATEST")?;
        let mut config = Asynchronous::OF_LAMBDA;
        config.retries = properties.within("MaximumRetryAttempts", 0..=2)?.unwrap_or(config.retries);
        let seconds = properties.within("MaximumEventAgeInSeconds", 60..=21_600)?;
        config.max_age = seconds.map_or(config.max_age, |it| Duration::from_secs(it.into()));
        all.insert(function.arn(), config);
    }
    Ok(all)
}
