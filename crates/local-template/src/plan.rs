//! The resources of the templates, resolved: the one description from which the local cloud is set up.

mod cdn;
mod messaging;
mod policy;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

pub use cdn::{
    Behavior, Bucket, CorsHeaders, Distribution, LifecycleRule, Origin, OriginKind, ResponseHeaders,
    SetHeader,
};
pub use messaging::{EventBus, EventRule, Key, Mapping, Queue, Redrive, RuleTarget, Target};
pub use policy::{Principals, ResourceStatement};

/// All stacks, resolved.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The account's number.
    pub account: String,
    /// The region all is deployed in.
    pub region: String,
    /// Lambda functions.
    pub functions: Vec<Function>,
    /// HTTP APIs with routes.
    pub http_apis: Vec<HttpApi>,
    /// Scheduled rules.
    pub schedules: Vec<Schedule>,
    /// Event buses beside `default`.
    pub buses: Vec<EventBus>,
    /// Rules that pick events.
    pub rules: Vec<EventRule>,
    pub queues: Vec<Queue>,
    /// Event source mappings.
    pub mappings: Vec<Mapping>,
    pub keys: Vec<Key>,
    /// `DynamoDB` tables.
    pub tables: Vec<Table>,
    /// Roles that principals of this account may assume.
    pub roles: Vec<Role>,
    /// S3 buckets.
    pub buckets: Vec<Bucket>,
    /// `CloudFront` distributions.
    pub distributions: Vec<Distribution>,
    /// Alarms; nothing raises them here.
    pub alarms: Vec<Alarm>,
    /// Parameters of the top stacks by name, defaults filled in; lists with commas.
    pub parameters: BTreeMap<String, String>,
    /// Outputs of the top stacks, by name.
    pub outputs: BTreeMap<String, String>,
    /// Properties that are accepted and change nothing here.
    pub without_effect: Vec<WithoutEffect>,
    /// Resources that could have tags and get none, neither their own nor those of their stack: `app.yaml: Api`.
    pub untagged: Vec<String>,
}

/// A function and all that AWS would know about it.
#[derive(Clone, Debug)]
pub struct Function {
    /// The crate's name, which is the name of its template (`functions/<name>.yaml`).
    pub name: String,
    pub arn: String,
    /// Memory in MB.
    pub memory_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How many environments may run at once, if that is limited.
    pub reserved_concurrency: Option<u32>,
    /// How its asynchronous invocations are repeated.
    pub asynchronous: Asynchronous,
    /// Variables, as the template sets them.
    pub environment: BTreeMap<String, String>,
    /// Its role's ARN.
    pub role_arn: String,
    /// Its role's policy statements.
    pub role: Vec<Statement>,
    /// Resource-based permissions: the principals that may invoke it.
    pub permissions: Vec<Permission>,
}

/// How asynchronous invocations of a function, or deliveries to a rule's target, are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asynchronous {
    /// How often one that failed is repeated.
    pub retries: u32,
    /// After so long it is dropped.
    pub max_age: Duration,
}

impl Asynchronous {
    /// Lambda's, without an `AWS::Lambda::EventInvokeConfig`:
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
    pub const OF_LAMBDA: Self = Self { retries: 2, max_age: Duration::from_hours(6) };
    /// `EventBridge`'s, without a `RetryPolicy`:
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>
    pub const OF_EVENT_BRIDGE: Self = Self { retries: 185, max_age: Duration::from_hours(24) };
}

/// A role that a principal of the account may assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub name: String,
    pub arn: String,
    /// The principals that may assume it, and under which conditions.
    pub trust: Vec<ResourceStatement>,
    pub statements: Vec<Statement>,
    /// How long its credentials may be valid at most.
    pub max_session: Duration,
}

/// One IAM policy statement, lists normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its Sid.
    pub sid: String,
    /// Allow, or deny.
    pub allow: bool,
    /// Action patterns, `chime:CreateMeeting`.
    pub actions: Vec<String>,
    /// Resource patterns.
    pub resources: Vec<String>,
    /// Conditions: operator, key, values.
    pub conditions: Vec<(String, String, Vec<String>)>,
}

/// An `AWS::Lambda::Permission`.
#[derive(Clone, Debug)]
pub struct Permission {
    /// `apigateway.amazonaws.com`, `events.amazonaws.com` ...
    pub principal: String,
    /// ARN pattern of the source, if it is limited.
    pub source_arn: Option<String>,
}

/// An HTTP API.
#[derive(Clone, Debug)]
pub struct HttpApi {
    pub id: String,
    pub name: String,
    /// CORS as configured, if at all.
    pub cors: Option<Cors>,
    /// Stage name; `$default` adds nothing to the path.
    pub stage: String,
    pub routes: Vec<Route>,
}

/// CORS of an HTTP API.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// `Access-Control-Allow-Origin`, as listed.
    pub allow_origins: Vec<String>,
    /// `Access-Control-Allow-Methods`.
    pub allow_methods: Vec<String>,
    /// `Access-Control-Allow-Headers`.
    pub allow_headers: Vec<String>,
    /// `Access-Control-Expose-Headers`.
    pub expose_headers: Vec<String>,
    /// `Access-Control-Max-Age` in seconds.
    pub max_age: Option<u32>,
    /// `Access-Control-Allow-Credentials`.
    pub allow_credentials: bool,
}

/// A route of an HTTP API.
#[derive(Clone, Debug)]
pub struct Route {
    /// `POST /appointments/{appointmentId}/call`.
    pub key: String,
    /// The JWT authorizer, if the route has one.
    pub authorizer: Option<JwtAuthorizer>,
    /// The function behind it.
    pub function: String,
    /// The integration's timeout; 30 s is API Gateway's greatest and default.
    pub timeout: Duration,
    /// Requests per second and burst of this route: its own settings of the stage, else the stage's default ones.
    pub throttling: Option<(f64, u32)>,
}

/// A JWT authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtAuthorizer {
    /// `iss` must be this.
    pub issuer: String,
    /// `aud` must be one of these.
    pub audience: Vec<String>,
    /// The header that carries the token, lower case, from `$request.header.Authorization`.
    pub header: String,
}

/// A scheduled rule with one function as its target.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The rule's name.
    pub name: String,
    /// The rule's ARN.
    pub arn: String,
    /// The function it invokes.
    pub function: String,
    /// How a delivery to the function is repeated.
    pub delivery: Asynchronous,
    /// The ARN of the queue for events that could not be delivered.
    pub dead_letters: Option<String>,
    /// `rate(...)`.
    pub every: Duration,
    /// Whether it runs.
    pub enabled: bool,
}

/// A `DynamoDB` table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub arn: String,
    /// The body of `CreateTable`.
    pub create: Value,
    /// The attribute that expires items, if any.
    pub ttl_attribute: Option<String>,
}

/// An `AWS::CloudWatch::Alarm`: what it watches and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its logical id, `EventQueueAgeAlarm`.
    pub id: String,
    /// Its template's file name without the ending: `event-queue`.
    pub template: String,
    /// The description for the operator.
    pub description: String,
    /// The metrics that it watches.
    pub metrics: Vec<AlarmMetric>,
    /// The state that periods without data count as: `missing` unless the template says otherwise.
    pub treat_missing_data: String,
}

/// A metric as an alarm names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmMetric {
    /// `AWS/Lambda`.
    pub namespace: String,
    /// `Errors`.
    pub name: String,
    /// By name.
    pub dimensions: BTreeMap<String, String>,
}

/// A property that is accepted and changes nothing here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WithoutEffect {
    /// `AWS::Lambda::Function.MemorySize`.
    pub property: String,
    /// The reason.
    pub reason: String,
}
