//! Buckets and their policies.

use super::super::error::TemplateError;
use super::{Made, ResourceType, TAGS, effect, identity, of_type, policy, without_effect};
use crate::plan::Bucket;

const BUCKET: &str = "AWS::S3::Bucket";
const POLICY: &str = "AWS::S3::BucketPolicy";

const NOT_SO_OLD: &str = "local objects do not live long enough";
const NO_ACLS: &str = "the local S3 has no access control lists";
const UNSIGNED_REJECTED: &str = "the local S3 rejects every unsigned request";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: BUCKET,
        properties: &[
            effect(
                "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.SSEAlgorithm",
            ),
            without_effect(
                "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.KMSMasterKeyID",
                "nothing is encrypted at rest on one machine",
            ),
            effect("BucketName"),
            without_effect("LifecycleConfiguration.Rules", NOT_SO_OLD),
            without_effect("OwnershipControls.Rules.ObjectOwnership", NO_ACLS),
            without_effect("PublicAccessBlockConfiguration.BlockPublicAcls", NO_ACLS),
            without_effect("PublicAccessBlockConfiguration.BlockPublicPolicy", UNSIGNED_REJECTED),
            without_effect("PublicAccessBlockConfiguration.IgnorePublicAcls", NO_ACLS),
            without_effect("PublicAccessBlockConfiguration.RestrictPublicBuckets", UNSIGNED_REJECTED),
            TAGS,
            effect("VersioningConfiguration.Status"),
        ],
        identify: |naming, properties| {
            let made = || naming.name().to_lowercase().chars().take(63).collect();
            let name = properties.text("BucketName")?.unwrap_or_else(made);
            let suffix = super::super::naming::url_suffix(naming.region);
            let attributes = [
                ("Arn", format!("arn:{}:s3:::{name}", super::super::naming::partition(naming.region))),
                ("DomainName", format!("{name}.s3.{suffix}")),
                ("RegionalDomainName", format!("{name}.s3.{}.{suffix}", naming.region)),
            ];
            Ok(identity(BUCKET, name, attributes))
        },
    },
    ResourceType {
        name: POLICY,
        properties: &[effect("Bucket"), effect("PolicyDocument")],
        identify: |_, properties| Ok(identity(POLICY, properties.required("Bucket")?, [])),
    },
];

/// All buckets.
pub(super) fn read(made: &[Made]) -> Result<Vec<Bucket>, TemplateError> {
    let mut buckets: Vec<Bucket> = of_type(made, BUCKET).map(bucket).collect::<Result<_, _>>()?;
    for it in of_type(made, POLICY) {
        let name = it.properties.required("Bucket")?;
        let bucket = buckets.iter_mut().find(|bucket| bucket.name == name);
        let bucket = bucket.ok_or_else(|| it.properties.dangling("Bucket", &name))?;
        bucket.policy = policy::statements(&it.properties.required_fields("PolicyDocument")?)?;
    }
    Ok(buckets)
}

fn bucket(made: &Made) -> Result<Bucket, TemplateError> {
    let properties = &made.properties;
    let versioned = match properties.fields("VersioningConfiguration")? {
        None => false,
        Some(versioning) => match versioning.required("Status")?.as_str() {
            "Enabled" => true,
            "Suspended" => false,
            other => {
                return Err(versioning.unsupported("Status", other, "it must be Enabled or Suspended"));
            }
        },
    };
    let mut encryption = "AES256".to_owned();
    if let Some(configuration) = properties.fields("BucketEncryption")? {
        for rule in configuration.items("ServerSideEncryptionConfiguration")? {
            encryption = rule.required_fields("ServerSideEncryptionByDefault")?.required("SSEAlgorithm")?;
        }
    }
    Ok(Bucket {
        name: made.identity.reference.clone(),
        arn: made.arn().to_owned(),
        domain: made.identity.attributes.get("RegionalDomainName").cloned().unwrap_or_default(),
        versioned,
        encryption,
        policy: Vec::new(),
    })
}
