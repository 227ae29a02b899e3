//! A small system from templates to plan.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::iam::Iam;
use crate::plan::{Permission, Statement, WithoutEffect};

const STORAGE: &str = "
Parameters:
  Project: {Type: String, Default: medzen}
Resources:
  Key:
    Type: AWS::KMS::Key
    DeletionPolicy: RetainExceptOnCreate
    Properties: {EnableKeyRotation: true}
  AuditTable:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub ${Project}-meeting-audit
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
        - {AttributeName: at, AttributeType: S}
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      GlobalSecondaryIndexes:
        - IndexName: by-time
          KeySchema: [{AttributeName: at, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
      SSESpecification: {SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt Key.Arn}
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
      TimeToLiveSpecification: {AttributeName: expiresAt, Enabled: true}
Outputs:
  TableArn: {Value: !GetAtt AuditTable.Arn}
";

const APP: &str = "
Parameters:
  Project: {Type: String, Default: medzen}
  TableArn: {Type: String}
  Audience: {Type: CommaDelimitedList, Default: 'one, two'}
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Name: !Ref Project
      ProtocolType: HTTP
      CorsConfiguration: {AllowOrigins: ['https://a'], MaxAge: 60}
  Authorizer:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      Name: openid
      AuthorizerType: JWT
      IdentitySource: [$request.header.X-Firebase-Token]
      JwtConfiguration: {Issuer: https://issuer, Audience: !Ref Audience}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties:
      ApiId: !Ref Api
      StageName: $default
      AutoDeploy: true
      DefaultRouteSettings: {ThrottlingRateLimit: 2.5, ThrottlingBurstLimit: 5}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Audit.Outputs.Arn
      PayloadFormatVersion: 2.0
      TimeoutInMillis: 5000
  HealthRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: GET /health, Target: !Sub 'integrations/${Integration}'}
  AuditRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: 'GET /appointments/{id}/audit'
      AuthorizationType: JWT
      AuthorizerId: !Ref Authorizer
      Target: !Sub integrations/${Integration}
  Audit:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: functions/audit.yaml
      Parameters: {TableArn: !Ref TableArn, ApiId: !Ref Api}
";

const AUDIT: &str = "
Parameters:
  TableArn: {Type: String}
  ApiId: {Type: String}
Resources:
  AuditFunction:
    Type: AWS::Lambda::Function
    Properties:
      Code: ../../target/lambda/audit/bootstrap.zip
      MemorySize: 256
      Timeout: 50
      ReservedConcurrentExecutions: 2
      Role: !GetAtt Role.Arn
      Environment: {Variables: {TABLE: !Ref TableArn, DAYS: 2555}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: audit
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Sid: Put
                Effect: Allow
                Action: dynamodb:PutItem
                Resource: !Ref TableArn
                Condition: {StringEquals: {'dynamodb:ReturnValues': [NONE, ALL_OLD]}}
  Schedule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(5 minutes)
      Targets: [{Id: audit, Arn: !GetAtt AuditFunction.Arn}]
  SchedulePermission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref AuditFunction
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Schedule.Arn
  ApiPermission:
    Type: AWS::Lambda::Permission
    Properties: {Action: 'lambda:InvokeFunction', FunctionName: !GetAtt AuditFunction.Arn, Principal: apigateway.amazonaws.com}
Outputs:
  Arn: {Value: !GetAtt AuditFunction.Arn}
";

fn system() -> Templates {
    changed("", "")
}

/// The system with one text of one of its templates replaced.
fn changed(from: &str, to: &str) -> Templates {
    let found = [STORAGE, APP, AUDIT].iter().any(|text| text.contains(from));
    assert!(found, "no template has {from}");
    let file = |text: &str| if from.is_empty() { text.to_owned() } else { text.replace(from, to) };
    templates()
        .file("storage.yaml", &file(STORAGE))
        .file("app.yaml", &file(APP))
        .file("functions/audit.yaml", &file(AUDIT))
        .with("Project", "medzen-test")
}

#[test]
fn a_function_has_its_role_permissions_and_settings() -> Result<(), TemplateError> {
    let plan = system().deploy()?;
    let [audit] = &plan.functions[..] else { unreachable!("one function, not {:?}", plan.functions) };
    assert_eq!(audit.name, "audit", "a function is named for its template");
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:medzen-test-app-Audit-";
    assert!(audit.arn.starts_with(arn), "{}", audit.arn);
    assert_eq!((audit.memory_mb, audit.timeout), (256, Duration::from_secs(50)));
    assert_eq!(audit.reserved_concurrency, Some(2));
    let table = "arn:aws:dynamodb:eu-central-1:000000000000:table/medzen-test-meeting-audit";
    assert_eq!(audit.environment["TABLE"], table);
    assert_eq!(audit.environment["DAYS"], "2555");
    let condition = ("StringEquals", "dynamodb:ReturnValues", ["NONE", "ALL_OLD"]);
    let expected = Statement {
        sid: "Put".to_owned(),
        allow: true,
        actions: vec!["dynamodb:PutItem".to_owned()],
        resources: vec![table.to_owned()],
        conditions: vec![(
            condition.0.to_owned(),
            condition.1.to_owned(),
            condition.2.map(str::to_owned).to_vec(),
        )],
    };
    assert_eq!(audit.role, [expected]);
    let sources: Vec<_> = audit
        .permissions
        .iter()
        .map(|Permission { principal, source_arn }| (principal.as_str(), source_arn.as_deref()))
        .collect();
    assert_eq!(sources.len(), 2);
    assert!(sources.contains(&("apigateway.amazonaws.com", None)));
    assert!(sources.contains(&("events.amazonaws.com", Some(&plan.schedules[0].arn))));
    Ok(())
}

#[test]
fn a_functions_name_is_no_longer_than_lambda_takes() -> Result<(), TemplateError> {
    let plan = system().with("Project", "medzen-of-a-long-name-in-test").deploy()?;
    let name = plan.functions[0].arn.rsplit(':').next().unwrap_or_default();
    assert!(name.len() <= 64, "{name} has {} characters", name.len());
    Ok(())
}

#[test]
fn an_api_has_its_routes_and_authorizer() -> Result<(), TemplateError> {
    let plan = system().deploy()?;
    let api = &plan.http_apis[0];
    assert_eq!((api.name.as_str(), api.stage.as_str()), ("medzen-test", "$default"));
    let cors = api.cors.as_ref().expect("CORS is configured");
    assert_eq!((cors.allow_origins.as_slice(), cors.max_age), (&["https://a".to_owned()][..], Some(60)));
    let route = |key: &str| api.routes.iter().find(|it| it.key == key).expect("the route is there");
    assert_eq!(route("GET /health").authorizer, None);
    assert_eq!(route("GET /health").throttling, Some((2.5, 5)));
    let audit = route("GET /appointments/{id}/audit");
    assert_eq!((audit.function.as_str(), audit.timeout), ("audit", Duration::from_secs(5)));
    let authorizer = audit.authorizer.as_ref().expect("the route has an authorizer");
    assert_eq!(
        (authorizer.issuer.as_str(), authorizer.header.as_str()),
        ("https://issuer", "x-firebase-token")
    );
    assert_eq!(authorizer.audience, ["one", "two"]);
    Ok(())
}

#[test]
fn schedules_and_tables_are_in_the_plan() -> Result<(), TemplateError> {
    let plan = system().deploy()?;
    let schedule = &plan.schedules[0];
    assert_eq!(
        (schedule.function.as_str(), schedule.every, schedule.enabled),
        ("audit", Duration::from_mins(5), true)
    );
    let table = &plan.tables[0];
    assert_eq!(table.ttl_attribute.as_deref(), Some("expiresAt"));
    let expected = json!({
        "TableName": "medzen-test-meeting-audit",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-time",
            "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    assert_eq!(table.create, expected);
    Ok(())
}

#[test]
fn properties_without_effect_are_listed_once_with_the_reason() -> Result<(), TemplateError> {
    let plan = system().deploy()?;
    let listed: Vec<_> = plan.without_effect.iter().map(|it| it.property.as_str()).collect();
    let expected = [
        "AWS::ApiGatewayV2::Api.Name",
        "AWS::ApiGatewayV2::Authorizer.Name",
        "AWS::DynamoDB::Table.SSESpecification.KMSMasterKeyId",
        "AWS::DynamoDB::Table.SSESpecification.SSEEnabled",
        "AWS::DynamoDB::Table.SSESpecification.SSEType",
        "AWS::Events::Rule.Targets.Id",
        "AWS::IAM::Role.Policies.PolicyName",
        "AWS::KMS::Key.DeletionPolicy",
        "AWS::KMS::Key.EnableKeyRotation",
        "AWS::Lambda::Function.Code",
    ];
    assert_eq!(listed, expected);
    let code = WithoutEffect {
        property: "AWS::Lambda::Function.Code".to_owned(),
        reason: "functions run as the binaries that this workspace builds".to_owned(),
    };
    assert!(plan.without_effect.contains(&code));
    Ok(())
}

#[test]
fn the_role_of_the_plan_is_what_iam_checks() {
    let plan = system().deploy().expect("the system is right");
    let iam = Iam::new(&plan).expect("the reference knows its actions");
    let put =
        |arn: &str| iam.check("audit", "dynamodb:PutItem", Some(arn), &[("dynamodb:ReturnValues", "NONE")]);
    assert!(put(&plan.tables[0].arn).is_allowed());
    assert!(!put("arn:aws:dynamodb:eu-central-1:000000000000:table/other").is_allowed());
}

#[test]
fn templates_that_aws_rejects_are_rejected() {
    let cases = [
        ("rate(5 minutes)", "rate(1 minutes)", "ScheduleExpression"),
        ("rate(5 minutes)", "cron(0 * * * ? *)", "ScheduleExpression"),
        ("Timeout: 50", "Timeout: 901", "Timeout"),
        ("Timeout: 50", "Timeout: soon", "Timeout"),
        ("MemorySize: 256", "MemorySize: 64", "MemorySize"),
        ("BillingMode: PAY_PER_REQUEST", "BillingMode: PROVISIONED", "BillingMode"),
        ("Role: !GetAtt Role.Arn", "Role: arn:aws:iam::000000000000:role/other", "Role"),
        // The templates do not contain the statements of AWS managed policies.
        (
            "      Policies:\n",
            "      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']\n      Policies:\n",
            "ManagedPolicyArns",
        ),
        ("Service: lambda.amazonaws.com", "Service: ec2.amazonaws.com", "AssumeRolePolicyDocument"),
        ("Resource: !Ref TableArn", "NotResource: a", "NotResource"),
        ("Effect: Allow\n", "Effect: Perhaps\n", "Effect"),
        ("AutoDeploy: true", "AutoDeploy: false", "AutoDeploy"),
        ("RouteKey: GET /health", "RouteKey: 'GET /appointments/{id}/audit'", "RouteKey"),
        ("RouteKey: GET /health", "RouteKey: GET health", "RouteKey"),
        ("!Sub 'integrations/${Integration}'", "integrations/other", "Target"),
        ("PayloadFormatVersion: 2.0", "PayloadFormatVersion: 1.0", "PayloadFormatVersion"),
        ("$request.header.X-Firebase-Token", "$request.querystring.token", "IdentitySource"),
        ("AuthorizationType: JWT", "AuthorizationType: AWS_IAM", "AuthorizationType"),
        ("FunctionName: !Ref AuditFunction", "FunctionName: other", "FunctionName"),
        ("Arn: !GetAtt AuditFunction.Arn}]", "Arn: 'arn:aws:sns:a:b:c'}]", "Targets.Arn"),
        ("DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Retain", "DeletionPolicy of Key"),
        (
            "ReservedConcurrentExecutions: 2",
            "ReservedConcurrentExecutions: 901",
            "ReservedConcurrentExecutions",
        ),
        // API Gateway has no such route yet when it makes the stage.
        ("AutoDeploy: true", "AutoDeploy: true\n      RouteSettings: {GET /health: {}}", "RouteSettings"),
    ];
    for (from, to, named) in cases {
        let error = changed(from, to).deploy().expect_err(to).to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}
