//! Each accepted property that is not listed as without effect has one: its value is changed, and the plan with it.

mod cdn;
mod system;

use std::collections::BTreeSet;

use super::super::resources as types;
use super::*;
use system::{APP, AUDIT, STORAGE};

/// The effect of a changed value.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// The plan has this, and had not.
    Comes(&'static str),
    /// The plan had this, and has not.
    Goes(&'static str),
    /// It is refused, in words that say this.
    Refused(&'static str),
}

use Seen::{Comes, Goes, Refused};

/// A property's path, the value it has, another, and what that does.
type Change = (&'static str, &'static str, &'static str, Seen);

const CHANGES: &[(&str, &[Change])] = &[
    (
        "AWS::CloudFormation::Stack",
        &[
            (
                "TemplateURL",
                "functions/audit.yaml",
                "functions/none.yaml",
                Refused("cannot read the template"),
            ),
            (
                "Parameters",
                "{Greeting: good morning",
                "{Greeting: good night",
                Comes(r#""GREETING": "good night""#),
            ),
        ],
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            (
                "AttributeDefinitions.AttributeName",
                "defined",
                "other",
                Comes(r#""AttributeName": String("other")"#),
            ),
            ("AttributeDefinitions.AttributeType", "S", "N", Comes(r#""AttributeType": String("N")"#)),
            ("BillingMode", "PAY_PER_REQUEST", "PROVISIONED", Refused("Table.BillingMode")),
            (
                "GlobalSecondaryIndexes.IndexName",
                "by-time",
                "other",
                Comes(r#""IndexName": String("other")"#),
            ),
            (
                "GlobalSecondaryIndexes.KeySchema.AttributeName",
                "indexed",
                "other",
                Comes(r#""AttributeName": String("other"), "KeyType": String("RANGE")"#),
            ),
            (
                "GlobalSecondaryIndexes.KeySchema.KeyType",
                "RANGE",
                "HASH",
                Comes(r#""AttributeName": String("indexed"), "KeyType": String("HASH")"#),
            ),
            (
                "GlobalSecondaryIndexes.Projection.NonKeyAttributes",
                "[actor]",
                "[other]",
                Comes(r#""NonKeyAttributes": Array [String("other")]"#),
            ),
            (
                "GlobalSecondaryIndexes.Projection.ProjectionType",
                "INCLUDE",
                "ALL",
                Comes(r#""ProjectionType": String("ALL")"#),
            ),
            (
                "KeySchema.AttributeName",
                "key",
                "other",
                Comes(r#""AttributeName": String("other"), "KeyType": String("HASH")"#),
            ),
            (
                "KeySchema.KeyType",
                "HASH",
                "RANGE",
                Comes(r#""AttributeName": String("key"), "KeyType": String("RANGE")"#),
            ),
            (
                "StreamSpecification.StreamViewType",
                "NEW_IMAGE",
                "KEYS_ONLY",
                Comes(r#""StreamViewType": String("KEYS_ONLY")"#),
            ),
            ("TableName", "audit", "other", Comes(r#""TableName": String("other")"#)),
            (
                "TimeToLiveSpecification.AttributeName",
                "expires",
                "other",
                Comes(r#"ttl_attribute: Some("other")"#),
            ),
            ("TimeToLiveSpecification.Enabled", "true", "false", Comes("ttl_attribute: None")),
        ],
    ),
    (
        "AWS::Events::Rule",
        &[
            ("EventBusName", "!Ref Bus", "default", Comes(r#"bus: "default""#)),
            (
                "EventPattern",
                "{detail: {eventType: [{prefix:",
                "{detail: {eventType: [{suffix:",
                Comes("Suffix("),
            ),
            ("Name", "minutely", "other", Comes(":rule/other")),
            ("ScheduleExpression", "rate(5 minutes)", "rate(1 hour)", Comes("every: 3600s")),
            ("State", "ENABLED", "DISABLED", Comes("enabled: false")),
            ("Targets.Arn", "!GetAtt Function.Arn", "'arn:aws:sns:a:b:c'", Refused("Targets.Arn")),
            (
                "Targets.DeadLetterConfig.Arn",
                "!GetAtt Dead.Arn",
                "'arn:aws:sns:a:b:c'",
                Refused("DeadLetterConfig.Arn"),
            ),
            ("Targets.RetryPolicy.MaximumEventAgeInSeconds", "300", "301", Comes("max_age: 301s")),
            ("Targets.RetryPolicy.MaximumRetryAttempts", "3", "4", Comes("retries: 4")),
        ],
    ),
    ("AWS::Events::EventBus", &[("Name", "calls", "other", Comes(r#"name: "other""#))]),
    (
        "AWS::SQS::Queue",
        &[
            ("DelaySeconds", "1", "2", Comes("delay: 2s")),
            ("KmsMasterKeyId", "one", "two", Comes(r#"key: Some("two")"#)),
            ("MaximumMessageSize", "2048", "4096", Comes("greatest: 4096")),
            ("MessageRetentionPeriod", "86400", "60", Comes("retention: 60s")),
            ("QueueName", "incoming", "other", Comes(":000000000000:other")),
            (
                "RedrivePolicy.deadLetterTargetArn",
                "!GetAtt Dead.Arn",
                "other",
                Refused("RedrivePolicy.deadLetterTargetArn"),
            ),
            ("RedrivePolicy.maxReceiveCount", "5", "6", Comes("most_receives: 6")),
            ("VisibilityTimeout", "120", "121", Comes("visibility: 121s")),
        ],
    ),
    (
        "AWS::SQS::QueuePolicy",
        &[
            (
                "PolicyDocument",
                "{Statement: {Principal: {Service: events.",
                "{Statement: {Principal: {Service: sns.",
                Comes("Services([\"sns.amazonaws.com\"])"),
            ),
            ("Queues", "[!Ref Queue]", "[other]", Refused("QueuePolicy.Queues")),
        ],
    ),
    (
        "AWS::Lambda::EventSourceMapping",
        &[
            ("BatchSize", "9", "8", Comes("batch: 8")),
            ("Enabled", "true", "false", Comes("enabled: false")),
            ("EventSourceArn", "!GetAtt Queue.Arn", "other", Refused("Mapping.EventSourceArn")),
            ("FunctionName", "!GetAtt Audit.Outputs.Arn", "other", Refused("Mapping.FunctionName")),
            ("FunctionResponseTypes", "[ReportBatchItemFailures]", "[]", Comes("partial: false")),
            ("MaximumBatchingWindowInSeconds", "7", "8", Comes("window: 8s")),
            ("ScalingConfig.MaximumConcurrency", "3", "4", Comes("concurrency: Some(4)")),
        ],
    ),
    (
        "AWS::KMS::Key",
        &[(
            "KeyPolicy",
            "{Statement: {Principal: {Service: events.",
            "{Statement: {Principal: {Service: logs.",
            Comes("Services([\"logs.amazonaws.com\"])"),
        )],
    ),
    (
        "AWS::ApiGatewayV2::Api",
        &[
            ("CorsConfiguration.AllowCredentials", "true", "false", Comes("allow_credentials: false")),
            (
                "CorsConfiguration.AllowHeaders",
                "[content-type]",
                "[other]",
                Comes(r#"allow_headers: ["other"]"#),
            ),
            ("CorsConfiguration.AllowMethods", "[GET]", "[PUT]", Comes(r#"allow_methods: ["PUT"]"#)),
            ("CorsConfiguration.AllowOrigins", "['https://a']", "['https://b']", Comes(r#"["https://b"]"#)),
            (
                "CorsConfiguration.ExposeHeaders",
                "[retry-after]",
                "[other]",
                Comes(r#"expose_headers: ["other"]"#),
            ),
            ("CorsConfiguration.MaxAge", "60", "61", Comes("max_age: Some(61)")),
            ("ProtocolType", "HTTP", "WEBSOCKET", Refused("Api.ProtocolType")),
        ],
    ),
    (
        "AWS::ApiGatewayV2::Authorizer",
        &[
            ("ApiId", "!Ref Api", "other", Refused("Authorizer.ApiId")),
            ("AuthorizerType", "JWT", "REQUEST", Refused("Authorizer.AuthorizerType")),
            (
                "IdentitySource",
                "[$request.header.Authorization]",
                "[$request.header.X-Token]",
                Comes(r#"header: "x-token""#),
            ),
            ("JwtConfiguration.Audience", "[one]", "[two]", Comes(r#"audience: ["two"]"#)),
            (
                "JwtConfiguration.Issuer",
                "https://issuer",
                "https://other",
                Comes(r#"issuer: "https://other""#),
            ),
        ],
    ),
    (
        "AWS::ApiGatewayV2::Integration",
        &[
            ("ApiId", "!Ref Api", "other", Refused("Integration.ApiId")),
            ("IntegrationType", "AWS_PROXY", "HTTP_PROXY", Refused("Integration.IntegrationType")),
            ("IntegrationUri", "!GetAtt Audit.Outputs.Arn", "other", Refused("Integration.IntegrationUri")),
            ("PayloadFormatVersion", "2.0", "1.0", Refused("Integration.PayloadFormatVersion")),
            ("TimeoutInMillis", "5000", "6000", Comes("timeout: 6s")),
        ],
    ),
    (
        "AWS::ApiGatewayV2::Route",
        &[
            ("ApiId", "!Ref Api", "other", Refused("Route.ApiId")),
            ("AuthorizationType", "JWT", "NONE", Comes("authorizer: None")),
            ("AuthorizerId", "!Ref Authorizer", "other", Refused("Route.AuthorizerId")),
            ("RouteKey", "GET /health", "GET /other", Comes(r#"key: "GET /other""#)),
            ("Target", "!Sub integrations/${Integration}", "integrations/other", Refused("Route.Target")),
        ],
    ),
    (
        "AWS::ApiGatewayV2::Stage",
        &[
            (
                "AccessLogSettings.DestinationArn",
                "!Sub 'arn:aws:logs:::log-group:${AccessLog}'",
                "'arn:aws:logs:::log-group:other'",
                Refused("AccessLogSettings.DestinationArn"),
            ),
            ("ApiId", "!Ref Api", "other", Refused("Stage.ApiId")),
            ("AutoDeploy", "true", "false", Refused("Stage.AutoDeploy")),
            ("DefaultRouteSettings.ThrottlingBurstLimit", "5", "6", Comes("throttling: Some((2.5, 6))")),
            ("DefaultRouteSettings.ThrottlingRateLimit", "2.5", "3.5", Comes("throttling: Some((3.5, 5))")),
            (
                "RouteSettings",
                "{GET /limited: {ThrottlingRateLimit: 9.5",
                "{GET /limited: {ThrottlingRateLimit: 8.5",
                Comes("throttling: Some((8.5, 19))"),
            ),
            ("StageName", "$default", "other", Comes(r#"stage: "other""#)),
        ],
    ),
    ("AWS::KMS::Alias", &[("AliasName", "alias/data", "alias/other", Comes(r#""Alias": "alias/other""#))]),
    (
        "AWS::Lambda::Function",
        &[
            ("Environment.Variables", "{GREETING: ", "{OTHER: ", Comes(r#""OTHER": "good morning""#)),
            ("FunctionName", "audit", "other", Comes(":function:other")),
            ("MemorySize", "256", "512", Comes("memory_mb: 512")),
            ("ReservedConcurrentExecutions", "2", "3", Comes("reserved_concurrency: Some(3)")),
            ("Role", "!GetAtt Role.Arn", "arn:aws:iam::000000000000:role/other", Refused("Function.Role")),
            ("Timeout", "50", "51", Comes("timeout: 51s")),
        ],
    ),
    (
        "AWS::Lambda::EventInvokeConfig",
        &[
            ("FunctionName", "!Ref Function", "other", Refused("Invocation.FunctionName")),
            ("MaximumEventAgeInSeconds", "90", "91", Comes("max_age: 91s")),
            ("MaximumRetryAttempts", "1", "0", Comes("retries: 0")),
            ("Qualifier", "$LATEST", "1", Refused("Invocation.Qualifier")),
        ],
    ),
    (
        "AWS::Lambda::Permission",
        &[
            ("Action", "lambda:InvokeFunction", "lambda:GetFunction", Refused("Permission.Action")),
            ("FunctionName", "!Ref Function", "other", Refused("Permission.FunctionName")),
            (
                "Principal",
                "events.amazonaws.com",
                "s3.amazonaws.com",
                Comes(r#"principal: "s3.amazonaws.com""#),
            ),
            ("SourceAccount", "'000000000000'", "'111122223333'", Goes("principal: ")),
            (
                "SourceArn",
                "!GetAtt Rule.Arn",
                "arn:aws:sns:a:b:c",
                Comes(r#"source_arn: Some("arn:aws:sns:a:b:c")"#),
            ),
        ],
    ),
    ("AWS::Logs::LogGroup", &[("LogGroupName", "logs", "other", Comes(r#""LogGroup": "other""#))]),
    (
        "AWS::CloudWatch::Alarm",
        &[
            ("AlarmDescription", "read the log", "call", Comes(r#"description: "call""#)),
            ("AlarmName", "errors", "other", Comes(r#""Alarm": "other""#)),
            ("Dimensions.Name", "by", "of", Comes(r#"{"of": "function"}"#)),
            ("Dimensions.Value", "function", "queue", Comes(r#"{"by": "queue"}"#)),
            ("MetricName", "counted", "other", Comes(r#"name: "other""#)),
            (
                "Metrics",
                "[{Id: sum, Expression: a}, {Id: a, MetricStat: {Metric: {Namespace: theirs",
                "[{Id: sum, Expression: a}, {Id: a, MetricStat: {Metric: {Namespace: others",
                Comes(r#"namespace: "others""#),
            ),
            ("Namespace", "ours", "other", Comes(r#"namespace: "other""#)),
            ("TreatMissingData", "ignore", "breaching", Comes(r#"treat_missing_data: "breaching""#)),
        ],
    ),
    ("AWS::SNS::Topic", &[("TopicName", "alarms", "other", Comes(r#":000000000000:other""#))]),
    (
        "AWS::IAM::Role",
        &[
            (
                "AssumeRolePolicyDocument",
                "{Statement: {Principal: {Service: lambda.",
                "{Statement: {Principal: {Service: ec2.",
                Refused("Role.AssumeRolePolicyDocument"),
            ),
            ("ManagedPolicyArns", "[!Ref Managed]", "[other]", Refused("Role.ManagedPolicyArns")),
            ("MaxSessionDuration", "7200", "3601", Comes("max_session: 3601s")),
            ("Path", "/", "/service/", Comes(":role/service/auditor")),
            (
                "Policies.PolicyDocument",
                "{Statement: {Action: 'dynamodb:PutItem'",
                "{Statement: {Action: 'dynamodb:GetItem'",
                Comes(r#"actions: ["dynamodb:GetItem"]"#),
            ),
            ("RoleName", "auditor", "other", Comes(":role/other")),
        ],
    ),
    (
        "AWS::IAM::ManagedPolicy",
        &[
            ("ManagedPolicyName", "shared", "other", Comes(":policy/other")),
            (
                "PolicyDocument",
                "{Statement: {Action: 'kms:Decrypt'",
                "{Statement: {Action: 'kms:Encrypt'",
                Comes(r#"actions: ["kms:Encrypt"]"#),
            ),
        ],
    ),
];

fn changes() -> impl Iterator<Item = &'static (&'static str, &'static [Change])> {
    CHANGES.iter().chain(cdn::CHANGES)
}

fn deployed(change: impl Fn(&str) -> String) -> Result<String, TemplateError> {
    let templates = templates()
        .file("storage.yaml", &change(STORAGE))
        .file("app.yaml", &change(APP))
        .file("cdn.yaml", &change(cdn::CDN))
        .file("functions/audit.yaml", &change(AUDIT));
    templates.deploy().map(|plan| format!("{plan:?}"))
}

/// The template with one value changed in the resource of this type that has it.
fn changed(text: &str, kind: &str, (path, from, to, _): Change) -> String {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    let (old, new) = (format!("{leaf}: {from}"), format!("{leaf}: {to}"));
    resources(text, kind)
        .fold(text.to_owned(), |text, resource| text.replacen(resource, &resource.replace(&old, &new), 1))
}

/// How often the system has what is to be changed.
fn times(kind: &str, (path, from, ..): Change) -> usize {
    let old = format!("{}: {from}", path.rsplit('.').next().unwrap_or(path));
    let all = [STORAGE, APP, AUDIT, cdn::CDN].into_iter().flat_map(|text| resources(text, kind));
    all.map(|resource| resource.matches(&old).count()).sum()
}

/// The resources of a type, each from its type on.
fn resources<'t>(text: &'t str, kind: &str) -> impl Iterator<Item = &'t str> {
    let kind = format!("Type: {kind}\n");
    let starts: Vec<_> = text.match_indices(&kind).map(|(at, _)| at).collect();
    starts.into_iter().map(move |start| {
        let rest = &text[start..];
        &rest[..rest.find("\n    Type: ").unwrap_or(rest.len())]
    })
}

#[test]
fn every_property_with_an_effect_is_changed_by_a_test() {
    let accepted: BTreeSet<String> = types::with_effect().collect();
    let tried: BTreeSet<String> = changes()
        .flat_map(|(kind, changes)| changes.iter().map(move |change| format!("{kind}.{}", change.0)))
        .collect();
    let missing: Vec<_> = accepted.difference(&tried).collect();
    assert!(missing.is_empty(), "no test changes {missing:?}; is it without effect?");
    let unknown: Vec<_> = tried.difference(&accepted).collect();
    assert!(unknown.is_empty(), "these are not accepted as having an effect: {unknown:?}");
}

#[test]
fn each_change_of_such_a_property_shows() {
    let before = deployed(str::to_owned).expect("the system is right");
    for (kind, changes) in changes() {
        for change in *changes {
            let (path, from, to, seen) = *change;
            assert_eq!(times(kind, *change), 1, "{kind}.{path} must be {from:?} once");
            let after = deployed(|text| changed(text, kind, *change));
            match (seen, after) {
                (Comes(text), Ok(after)) => {
                    assert!(!before.contains(text), "{kind}.{path}: {text} was there before");
                    assert!(after.contains(text), "{kind}.{path}: {to} does not bring {text}: {after}");
                }
                (Goes(text), Ok(after)) => {
                    assert!(before.contains(text), "{kind}.{path}: {text} was not there");
                    assert!(!after.contains(text), "{kind}.{path}: {to} leaves {text}: {after}");
                }
                (Refused(text), Err(error)) => {
                    assert!(error.to_string().contains(text), "{kind}.{path}: {error}");
                }
                (seen, after) => unreachable!("{kind}.{path}: {to}: {seen:?} was expected, not {after:?}"),
            }
        }
    }
}
