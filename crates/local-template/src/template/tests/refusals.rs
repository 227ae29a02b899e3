//! Rejected templates and their error messages.

use super::*;

fn message(text: &str) -> String {
    app(text).deploy().expect_err("this template is wrong").to_string()
}

#[test]
fn an_unknown_resource_type_is_refused() {
    let text = "Resources:\n  A:\n    Type: AWS::Kinesis::Stream\n";
    assert_eq!(
        message(text),
        "app.yaml:2: the resource type AWS::Kinesis::Stream is not known to the local cloud"
    );
}

#[test]
fn an_unknown_property_is_refused_at_any_depth_and_in_branches_not_taken() {
    let top = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      FifoTopic: true\n";
    let expected = "app.yaml:5: the property FifoTopic of AWS::SNS::Topic is not known to the local cloud";
    assert_eq!(message(top), expected);

    let deep = "
Resources:
  A:
    Type: AWS::Lambda::Function
    Properties:
      Environment:
        Variables: {A: b}
        Variable: {A: b}
";
    assert!(message(deep).contains("8: the property Environment.Variable of"), "{}", message(deep));

    let branch = "
Conditions:
  No: !Equals [a, b]
Resources:
  A:
    Type: AWS::DynamoDB::Table
    Condition: No
    Properties:
      KeySchema: !If
        - No
        - - AttributeName: a
            Typ: b
        - !Ref AWS::NoValue
";
    assert!(message(branch).contains("12: the property KeySchema.Typ of"), "{}", message(branch));
}

/// Only what CloudFront has been seen to send: <https://github.com/ttoss/ttoss/pull/1205>.
#[test]
fn headers_that_cloudfront_sets_itself_are_refused() {
    let policy = |cors: &str, header: &str| {
        format!(
            "
Resources:
  Headers:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties:
      ResponseHeadersPolicyConfig:
        {cors}CustomHeadersConfig: {{Items: [{{Header: {header}, Value: a, Override: true}}]}}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption:
        ServerSideEncryptionConfiguration: [{{ServerSideEncryptionByDefault: {{SSEAlgorithm: AES256}}}}]
  Distribution:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - {{Id: page, DomainName: !GetAtt Bucket.RegionalDomainName, S3OriginConfig: {{OriginAccessIdentity: ''}}}}
        DefaultCacheBehavior:
          TargetOriginId: page
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
          ResponseHeadersPolicyId: !Ref Headers
"
        )
    };
    let cors = "CorsConfig: {AccessControlAllowCredentials: false, AccessControlAllowHeaders: {Items: ['*']}, \
                AccessControlAllowMethods: {Items: [GET]}, AccessControlAllowOrigins: {Items: ['*']}, OriginOverride: true}\n        ";
    for (cors, header) in [(cors, "Vary"), ("", "Access-Control-Allow-Origin")] {
        assert!(message(&policy(cors, header)).contains("CustomHeadersConfig"), "{header}");
    }
    app(&policy("", "Vary")).deploy().expect("without CORS the header is the policy's");
}

#[test]
fn unknown_names_are_refused_also_in_branches_not_taken() {
    let topic = |name: &str| {
        format!(
            "Conditions:\n  No: !Equals [a, b]\nResources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: {name}\n"
        )
    };
    let cases = [
        ("!Ref B", Problem::UnknownReference("B".to_owned())),
        ("!Sub 'x-${B}'", Problem::UnknownReference("B".to_owned())),
        ("!Sub 'x-${B.Arn}'", Problem::UnknownResource("B".to_owned())),
        ("!GetAtt B.Arn", Problem::UnknownResource("B".to_owned())),
        ("!If [No, !Ref B, c]", Problem::UnknownReference("B".to_owned())),
        ("!If [Maybe, b, c]", Problem::UnknownCondition("Maybe".to_owned())),
        ("!ImportValue b", Problem::UnknownFunction("!ImportValue".to_owned())),
        ("!FindInMap [M, a, b]", Problem::UnknownMapping("M.a.b".to_owned())),
        ("!Ref AWS::Regoin", Problem::UnknownReference("AWS::Regoin".to_owned())),
        ("!Equals [a, a]", Problem::FunctionNotHere { function: "Equals".to_owned() }),
    ];
    for (value, expected) in cases {
        assert_eq!(app(&topic(value)).problem(), (7, expected), "{value}");
    }
}

#[test]
fn unknown_names_in_outputs_are_refused_also_in_branches_not_taken() {
    let text = "Conditions:\n  No: !Equals [a, b]\nOutputs:\n  O: {Condition: No, Value: !Ref B}\n";
    assert_eq!(app(text).problem(), (4, Problem::UnknownReference("B".to_owned())));
}

#[test]
fn an_attribute_that_is_not_modelled_is_refused() {
    let text = "Resources:\n  A: {Type: AWS::SNS::Topic}\nOutputs:\n  O: {Value: !GetAtt A.Arn}\n";
    assert_eq!(
        message(text),
        "app.yaml:4: A (AWS::SNS::Topic) has no attribute Arn that the local cloud knows"
    );
}

#[test]
fn cycles_are_named() {
    let resources = "
Resources:
  A: {Type: AWS::SNS::Topic, Properties: {TopicName: !GetAtt B.TopicName}}
  B: {Type: AWS::SNS::Topic, DependsOn: C}
  C: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub '${A}'}}
";
    assert_eq!(app(resources).problem(), (3, Problem::Cycle("A -> B -> C -> A".to_owned())));
    let conditions = "Conditions:\n  A: !Not [!Condition B]\n  B: !Or [!Condition A, !Condition B]\n";
    assert_eq!(app(conditions).problem().1, Problem::Cycle("A -> B -> A".to_owned()));
    let nested = "Resources:\n  A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: app.yaml}}\n";
    assert_eq!(app(nested).problem().1, Problem::Cycle("app.yaml -> app.yaml".to_owned()));
}

#[test]
fn a_resource_with_a_false_condition_cannot_be_referenced() {
    let text = "
Conditions:
  No: !Equals [a, b]
Resources:
  A: {Type: AWS::SNS::Topic, Condition: No}
  B: {Type: AWS::SNS::Topic, Properties: {TopicName: !If [No, !GetAtt A.TopicName, b]}}
";
    assert!(app(text).deploy().is_ok(), "the branch that is not taken may refer to it");
    let taken = text.replace("!If [No, ", "!If [No, b, ").replace(", b]}}", "]}}");
    assert_eq!(app(&taken).problem(), (6, Problem::NotMade("A".to_owned())));
}

#[test]
fn sections_and_attributes_that_are_not_known_are_refused() {
    for text in [
        "Transform: AWS::Serverless-2016-10-31\n",
        "Resources:\n  A: {Type: AWS::SNS::Topic, CreationPolicy: {}}\n",
        "Outputs:\n  A: {Value: a, Export: {Name: b}}\n",
        "Parameters:\n  A: {Type: String, Defalt: a}\n",
    ] {
        assert!(matches!(app(text).problem().1, Problem::UnknownKey { .. }), "{text}");
    }
    let kind = "Parameters:\n  A: {Type: 'AWS::SSM::Parameter::Value<String>', Default: a}\n";
    assert!(matches!(app(kind).problem().1, Problem::Unsupported { .. }));
    assert!(matches!(app("A: [\n").deploy(), Err(TemplateError::Yaml { .. })), "no YAML");
    let twice = "Resources:\n  A: {Type: AWS::SNS::Topic}\n  A: {Type: AWS::SNS::Topic}\n";
    assert!(matches!(app(twice).deploy(), Err(TemplateError::Yaml { .. })), "the same name twice");
    assert_eq!(app("Resources:\n  A:\n").problem(), (2, Problem::Null));
}

#[test]
fn queues_and_rules_that_lambda_or_event_bridge_would_refuse_are_refused() {
    let queue = "  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: 60}\n";
    let rule = |properties: &str| {
        format!("Resources:\n{queue}  Rule:\n    Type: AWS::Events::Rule\n    Properties: {{{properties}}}\n")
    };
    let targets = "Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]";
    for (properties, expected) in [
        (format!("EventPattern: {{source: [5]}}, {targets}"), "\"5\" may be a text or not"),
        (
            format!("EventPattern: {{source: [{{like: a}}]}}, {targets}"),
            "source: has an operator that is not known",
        ),
        (format!("EventPattern: {{source: []}}, {targets}"), "source: must not be empty"),
        (format!("EventPattern: {{source: [a]}}, EventBusName: other, {targets}"), "Rule.EventBusName"),
        (format!("EventPattern: {{source: [a]}}, ScheduleExpression: rate(1 hour), {targets}"), "not both"),
        ("EventPattern: {source: [a]}".to_owned(), "Rule.Targets is missing"),
        ("EventPattern: {source: [a]}, Targets: [{Id: x, Arn: y}]".to_owned(), "Targets.Arn"),
    ] {
        let message = app(&rule(&properties)).problem().1.to_string();
        assert!(message.contains(expected), "{properties}: {message}");
    }
    let good = format!(
        "EventPattern: {{detail: {{n: [{{numeric: ['>', 0]}}], e: [{{exists: false}}]}}, source: [a]}}, {targets}"
    );
    let plan = app(&rule(&good)).deploy().expect("operators take numbers and truth values");
    assert!(plan.rules[0].pattern.matches(&serde_json::json!({"source": "a", "detail": {"n": 1}})));
}

#[test]
fn a_rule_of_the_template_refuses_parameters_and_regions() {
    let text = "
Parameters:
  Name: {Type: String, Default: ''}
  Proof: {Type: String, Default: ''}
Rules:
  NameNeedsProof:
    RuleCondition: !Not [!Equals [!Ref Name, '']]
    Assertions:
      - Assert: !Not [!Equals [!Ref Proof, '']]
        AssertDescription: Name needs Proof.
Resources:
  Topic: {Type: AWS::SNS::Topic}
";
    app(text).deploy().expect("the rule does not apply");
    app(text).with("Name", "a").with("Proof", "b").deploy().expect("the rule is kept");
    let error = app(text).with("Name", "a").deploy().expect_err("the rule is broken").to_string();
    assert_eq!(error, "app.yaml:9: the rule NameNeedsProof is broken: Name needs Proof.");
    let region = "
Rules:
  OneRegion:
    Assertions: [{Assert: !Equals [!Ref AWS::Region, us-east-1], AssertDescription: Not here.}]
Resources:
  Topic: {Type: AWS::SNS::Topic}
";
    assert!(message(region).contains("the rule OneRegion is broken: Not here."), "{}", message(region));
    assert!(message("Rules: {A: {Assert: b}}\n").contains("RuleCondition and a list of Assertions"));
}

#[test]
fn an_account_has_one_role_of_a_service() {
    let role = |id: &str, service: &str| {
        format!(
            "  {id}:\n    Type: AWS::IAM::ServiceLinkedRole\n    Properties: {{AWSServiceName: {service}}}\n"
        )
    };
    let (one, other) = ("mediapipelines.chime.amazonaws.com", "transcription.chime.amazonaws.com");
    let both = format!("Resources:\n{}{}", role("One", one), role("Other", other));
    assert_eq!(app(&both).deploy().expect("one of each service").service_roles, [one, other]);
    let error = app(&both.replace(other, one)).deploy().expect_err("two of one service").to_string();
    assert!(error.contains("Other.AWSServiceName") && error.contains("has that role"), "{error}");
}
