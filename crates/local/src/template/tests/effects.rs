//! Each accepted property that is not listed as without effect has one: its value is changed, and the plan with it.

mod cdn;

use std::collections::BTreeSet;

use super::super::resources;
use super::*;

/// A system with one resource of each type and each of their properties that have an effect.
const STORAGE: &str = "
Resources:
  Alias:
    Type: AWS::KMS::Alias
    Properties:
      AliasName: alias/data
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: alarms
  LogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: logs
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: errors
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: audit
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: defined, AttributeType: S}
      KeySchema:
        - {AttributeName: key, KeyType: HASH}
      GlobalSecondaryIndexes:
        - IndexName: by-time
          KeySchema:
            - {AttributeName: indexed, KeyType: RANGE}
          Projection: {ProjectionType: INCLUDE, NonKeyAttributes: [actor]}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
Outputs:
  Alias: {Value: !Ref Alias}
  Topic: {Value: !Ref Topic}
  LogGroup: {Value: !Ref LogGroup}
  Alarm: {Value: !Ref Alarm}
";

const APP: &str = "
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Name: meetings
      ProtocolType: HTTP
      CorsConfiguration:
        AllowCredentials: true
        AllowHeaders: [content-type]
        AllowMethods: [GET]
        AllowOrigins: ['https://a']
        ExposeHeaders: [retry-after]
        MaxAge: 60
  Authorizer:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      AuthorizerType: JWT
      IdentitySource: [$request.header.Authorization]
      JwtConfiguration: {Issuer: https://issuer, Audience: [one]}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Audit.Outputs.Arn
      PayloadFormatVersion: 2.0
      TimeoutInMillis: 5000
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /health
      AuthorizationType: JWT
      AuthorizerId: !Ref Authorizer
      Target: !Sub integrations/${Integration}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties:
      ApiId: !Ref Api
      StageName: $default
      AutoDeploy: true
      DefaultRouteSettings: {ThrottlingRateLimit: 2.5, ThrottlingBurstLimit: 5}
  Audit:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: functions/audit.yaml
      Parameters: {Greeting: good morning}
Outputs:
  ApiDomain: {Value: !Sub '${Api}.execute-api.eu-central-1.amazonaws.com'}
";

const AUDIT: &str = "
Parameters:
  Greeting: {Type: String}
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: audit
      MemorySize: 256
      Timeout: 50
      ReservedConcurrentExecutions: 2
      Role: !GetAtt Role.Arn
      Environment:
        Variables: {GREETING: !Ref Greeting, ROLE_ARN: !GetAtt Role.Arn}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: auditor
      Path: /
      AssumeRolePolicyDocument: {Statement: {Principal: {Service: lambda.amazonaws.com},
        Effect: Allow, Action: 'sts:AssumeRole'}, Version: '2012-10-17'}
      Policies:
        - PolicyName: audit
          PolicyDocument: {Statement: {Action: 'dynamodb:PutItem', Effect: Allow, Resource: '*'}, Version: '2012-10-17'}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: minutely
      ScheduleExpression: rate(5 minutes)
      State: ENABLED
      Targets: [{Id: audit, Arn: !GetAtt Function.Arn}]
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: events.amazonaws.com
      SourceAccount: '000000000000'
      SourceArn: !GetAtt Rule.Arn
Outputs:
  Arn: {Value: !GetAtt Function.Arn}
";

/// What a changed value does.
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
            ("Name", "minutely", "other", Comes(":rule/other")),
            ("ScheduleExpression", "rate(5 minutes)", "rate(1 hour)", Comes("every: 3600s")),
            ("State", "ENABLED", "DISABLED", Comes("enabled: false")),
            ("Targets.Arn", "!GetAtt Function.Arn", "'arn:aws:sns:a:b:c'", Refused("Targets.Arn")),
        ],
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
            ("ApiId", "!Ref Api", "other", Refused("Stage.ApiId")),
            ("AutoDeploy", "true", "false", Refused("Stage.AutoDeploy")),
            ("DefaultRouteSettings.ThrottlingBurstLimit", "5", "6", Comes("throttling: Some((2.5, 6))")),
            ("DefaultRouteSettings.ThrottlingRateLimit", "2.5", "3.5", Comes("throttling: Some((3.5, 5))")),
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
    ("AWS::CloudWatch::Alarm", &[("AlarmName", "errors", "other", Comes(r#""Alarm": "other""#))]),
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

/// The template with one value of the resource of this type changed; as it is where it has none of this type.
fn changed(text: &str, kind: &str, (path, from, to, _): Change) -> String {
    let Some((before, rest)) = text.split_once(&format!("Type: {kind}\n")) else { return text.to_owned() };
    let end = rest.find("\n    Type: ").unwrap_or(rest.len());
    let (resource, after) = rest.split_at(end);
    let leaf = path.rsplit('.').next().unwrap_or(path);
    let (old, new) = (format!("{leaf}: {from}"), format!("{leaf}: {to}"));
    assert_eq!(resource.matches(&old).count(), 1, "{kind} must have {old:?} once");
    format!("{before}Type: {kind}\n{}{after}", resource.replace(&old, &new))
}

#[test]
fn every_property_with_an_effect_is_changed_by_a_test() {
    let accepted: BTreeSet<String> = resources::with_effect().collect();
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
            let (path, _, to, seen) = *change;
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
