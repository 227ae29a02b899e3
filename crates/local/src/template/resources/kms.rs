//! Keys and their aliases. Nothing is encrypted here; they are there to be referred to.

use super::{DESCRIPTION, ResourceType, TAGS, effect, identity, without_effect};

const KEY: &str = "AWS::KMS::Key";
const ALIAS: &str = "AWS::KMS::Alias";
const NOTHING_ENCRYPTED: &str = "nothing is encrypted at rest on one machine";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: KEY,
        properties: &[
            DESCRIPTION,
            without_effect("EnableKeyRotation", NOTHING_ENCRYPTED),
            without_effect("Enabled", NOTHING_ENCRYPTED),
            without_effect("KeyPolicy", NOTHING_ENCRYPTED),
            without_effect("KeySpec", NOTHING_ENCRYPTED),
            without_effect("KeyUsage", NOTHING_ENCRYPTED),
            without_effect("MultiRegion", NOTHING_ENCRYPTED),
            without_effect("PendingWindowInDays", NOTHING_ENCRYPTED),
            without_effect("RotationPeriodInDays", NOTHING_ENCRYPTED),
            TAGS,
        ],
        identify: |naming, _| {
            let id = naming.uuid();
            let arn = naming.arn("kms", &format!("key/{id}"));
            Ok(identity(KEY, id.clone(), [("Arn", arn), ("KeyId", id)]))
        },
    },
    ResourceType {
        name: ALIAS,
        properties: &[effect("AliasName"), without_effect("TargetKeyId", NOTHING_ENCRYPTED)],
        identify: |_, properties| {
            let name = properties.required("AliasName")?;
            if !name.starts_with("alias/") || name.starts_with("alias/aws/") {
                return Err(properties.unsupported(
                    "AliasName",
                    &name,
                    "it must begin with alias/, not alias/aws/",
                ));
            }
            Ok(identity(ALIAS, name, []))
        },
    },
];
