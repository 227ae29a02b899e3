//! Tables.

use serde_json::{Map, Value, json};

use super::super::error::TemplateError;
use super::{Made, ResourceType, TAGS, effect, identity, of_type, without_effect};
use crate::plan::Table;

const TABLE: &str = "AWS::DynamoDB::Table";

const THROWN_AWAY: &str = "the local table lives as long as the local cloud";

pub(super) const TYPES: &[ResourceType] = &[ResourceType {
    name: TABLE,
    properties: &[
        effect("AttributeDefinitions.AttributeName"),
        effect("AttributeDefinitions.AttributeType"),
        effect("BillingMode"),
        without_effect("ContributorInsightsSpecification.Enabled", "the local cloud has no metrics"),
        without_effect("DeletionProtectionEnabled", THROWN_AWAY),
        effect("GlobalSecondaryIndexes.IndexName"),
        effect("GlobalSecondaryIndexes.KeySchema.AttributeName"),
        effect("GlobalSecondaryIndexes.KeySchema.KeyType"),
        effect("GlobalSecondaryIndexes.Projection.NonKeyAttributes"),
        effect("GlobalSecondaryIndexes.Projection.ProjectionType"),
        effect("KeySchema.AttributeName"),
        effect("KeySchema.KeyType"),
        without_effect("PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", THROWN_AWAY),
        without_effect("PointInTimeRecoverySpecification.RecoveryPeriodInDays", THROWN_AWAY),
        without_effect("SSESpecification.KMSMasterKeyId", "nothing is encrypted at rest on one machine"),
        without_effect("SSESpecification.SSEEnabled", "nothing is encrypted at rest on one machine"),
        without_effect("SSESpecification.SSEType", "nothing is encrypted at rest on one machine"),
        effect("StreamSpecification.StreamViewType"),
        without_effect("TableClass", THROWN_AWAY),
        effect("TableName"),
        TAGS,
        effect("TimeToLiveSpecification.AttributeName"),
        effect("TimeToLiveSpecification.Enabled"),
    ],
    identify: |naming, properties| {
        let name = properties.text("TableName")?.unwrap_or_else(|| naming.name());
        let arn = naming.arn("dynamodb", &format!("table/{name}"));
        let mut table = identity(TABLE, name, [("Arn", arn.clone())]);
        if properties.map.contains_key("StreamSpecification") {
            let stream = format!("{arn}/stream/2026-01-01T00:00:00.000");
            table.attributes.insert("StreamArn".to_owned(), stream);
        }
        Ok(table)
    },
}];

/// All tables.
pub(super) fn read(made: &[Made]) -> Result<Vec<Table>, TemplateError> {
    of_type(made, TABLE).map(table).collect()
}

fn table(made: &Made) -> Result<Table, TemplateError> {
    let properties = &made.properties;
    properties.only("BillingMode", "PAY_PER_REQUEST")?;
    let name = made.identity.reference.clone();
    let mut create = Map::new();
    create.insert("TableName".to_owned(), json!(name));
    create.insert("BillingMode".to_owned(), json!("PAY_PER_REQUEST"));
    for key in ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"] {
        if !properties.items(key)?.is_empty() {
            create.insert(key.to_owned(), properties.map[key].clone());
        }
    }
    if let Some(missing) =
        ["AttributeDefinitions", "KeySchema"].iter().find(|key| !create.contains_key(**key))
    {
        return Err(properties.missing(missing));
    }
    if let Some(stream) = properties.fields("StreamSpecification")? {
        let view = stream.required("StreamViewType")?;
        create
            .insert("StreamSpecification".to_owned(), json!({"StreamEnabled": true, "StreamViewType": view}));
    }
    let ttl_attribute = match properties.fields("TimeToLiveSpecification")? {
        Some(ttl) if ttl.flag("Enabled")?.ok_or_else(|| ttl.missing("Enabled"))? => {
            Some(ttl.required("AttributeName")?)
        }
        _ => None,
    };
    Ok(Table { name, arn: made.arn().to_owned(), create: Value::Object(create), ttl_attribute })
}
