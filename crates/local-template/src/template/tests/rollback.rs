//! Templates whose first creation could not be repeated, and resources without tags.

use super::*;

const TABLE: &str = "
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    DependsOn: [Topic]
    Properties:
      TableName: audit
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      DeletionProtectionEnabled: true
  Topic:
    Type: AWS::SNS::Topic
    Properties: {KmsMasterKeyId: !Ref Key}
  Key:
    Type: AWS::KMS::Key
";

#[test]
fn what_a_rollback_cannot_delete_is_created_last() {
    app(TABLE).deploy().expect("the table needs the topic, which needs the key");
    for (from, to) in [("DependsOn: [Topic]", "DependsOn: [Key]"), ("    DependsOn: [Topic]\n", "")] {
        let error = app(&TABLE.replace(from, to)).deploy().expect_err(to).to_string();
        assert!(
            error.contains("Table.DeletionProtectionEnabled") && error.contains("Topic may fail"),
            "{error}"
        );
    }
    app(&TABLE
        .replace("DeletionProtectionEnabled: true", "DeletionProtectionEnabled: false")
        .replace("[Topic]", "[]"))
    .deploy()
    .expect("without protection the order does not matter");
}

#[test]
fn resources_without_tags_are_listed_unless_their_stack_has_some() -> Result<(), TemplateError> {
    let nested = |tags: &str| {
        let stack = format!(
            "
Resources:
  Own:
    Type: AWS::SNS::Topic
    Properties: {{Tags: [{{Key: Project, Value: medzen}}]}}
  Other:
    Type: AWS::SNS::Topic
    Properties: {{Tags: [{{Key: Cost, Value: medzen}}]}}
  Api:
    Type: AWS::CloudFormation::Stack
    Properties: {{TemplateURL: nested.yaml, {tags}}}
"
        );
        let inner = "Resources:\n  Inner:\n    Type: AWS::SNS::Topic\n";
        app(&stack)
            .file("nested.yaml", inner)
            .file("storage.yaml", "Resources: {}")
            .file("cdn.yaml", "Resources: {}")
    };
    let untagged = |tags| nested(tags).deploy().map(|plan| plan.untagged);
    assert_eq!(untagged("")?, ["app.yaml: Other", "app.yaml: Api", "nested.yaml: Inner"]);
    assert_eq!(untagged("Tags: [{Key: Project, Value: medzen}]")?, ["app.yaml: Other"]);
    Ok(())
}
