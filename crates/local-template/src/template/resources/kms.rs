//! Keys and their aliases. Nothing is encrypted here: other resources refer to them, and their policies say which
//! service may use them.

use super::super::error::TemplateError;
use super::policy;
use super::{DESCRIPTION, Made, ResourceType, TAGS, effect, identity, of_type, without_effect};
use crate::plan::Key;

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
            effect("KeyPolicy"),
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

/// All keys with their policies. Without one a key has that of AWS, which leaves all to the account's own policies.
pub(super) fn read(made: &[Made]) -> Result<Vec<Key>, TemplateError> {
    of_type(made, KEY)
        .map(|it| {
            let policy = it.properties.fields("KeyPolicy")?;
            let policy = policy.map(|policy| policy::statements(&policy)).transpose()?.unwrap_or_default();
            Ok(Key { arn: it.arn().to_owned(), policy })
        })
        .collect()
}

/// The ARN of a key that is named by its id or ARN; other names stay as they are.
pub(super) fn arn_of(made: &[Made], key: &str) -> String {
    let named = of_type(made, KEY).find(|it| it.identity.reference == key);
    named.map_or(key, |it| it.arn()).to_owned()
}
