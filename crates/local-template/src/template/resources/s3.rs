//! Buckets and their policies.

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::{Made, ResourceType, TAGS, effect, identity, kms, of_type, policy, without_effect};
use crate::plan::{Bucket, LifecycleRule};

const BUCKET: &str = "AWS::S3::Bucket";
const POLICY: &str = "AWS::S3::BucketPolicy";

const NO_ACLS: &str = "the local S3 has no access control lists";
const UNSIGNED_REJECTED: &str = "the local S3 rejects every unsigned request";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: BUCKET,
        properties: &[
            effect(
                "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.SSEAlgorithm",
            ),
            effect(
                "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.KMSMasterKeyID",
            ),
            without_effect(
                "BucketEncryption.ServerSideEncryptionConfiguration.BucketKeyEnabled",
                "it is about the price of KMS",
            ),
            effect("BucketName"),
            effect("LifecycleConfiguration.Rules.AbortIncompleteMultipartUpload.DaysAfterInitiation"),
            effect("LifecycleConfiguration.Rules.ExpirationInDays"),
            effect("LifecycleConfiguration.Rules.ExpiredObjectDeleteMarker"),
            without_effect("LifecycleConfiguration.Rules.Id", "it is for people"),
            effect("LifecycleConfiguration.Rules.NoncurrentVersionExpiration.NoncurrentDays"),
            effect("LifecycleConfiguration.Rules.Prefix"),
            effect("LifecycleConfiguration.Rules.Status"),
            effect("ObjectLockEnabled"),
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
    let mut buckets: Vec<Bucket> =
        of_type(made, BUCKET).map(|it| bucket(made, it)).collect::<Result<_, _>>()?;
    for it in of_type(made, POLICY) {
        let name = it.properties.required("Bucket")?;
        let bucket = buckets.iter_mut().find(|bucket| bucket.name == name);
        let bucket = bucket.ok_or_else(|| it.properties.dangling("Bucket", &name))?;
        bucket.policy = policy::statements(&it.properties.required_fields("PolicyDocument")?)?;
    }
    Ok(buckets)
}

fn bucket(made: &[Made], bucket: &Made) -> Result<Bucket, TemplateError> {
    let properties = &bucket.properties;
    let lock = properties.flag("ObjectLockEnabled")?.unwrap_or(false);
    let versioned = match properties.fields("VersioningConfiguration")? {
        // Locked objects are versions, so S3 turns it on.
        None => lock,
        Some(versioning) => match versioning.required("Status")?.as_str() {
            "Enabled" => true,
            "Suspended" if !lock => false,
            other => {
                let wanted = "it must be Enabled, or Suspended without object lock";
                return Err(versioning.unsupported("Status", other, wanted));
            }
        },
    };
    let (mut encryption, mut key) = ("AES256".to_owned(), None);
    if let Some(configuration) = properties.fields("BucketEncryption")? {
        for rule in configuration.items("ServerSideEncryptionConfiguration")? {
            let by_default = rule.required_fields("ServerSideEncryptionByDefault")?;
            encryption = by_default.required("SSEAlgorithm")?;
            key = by_default.text("KMSMasterKeyID")?.map(|key| kms::arn_of(made, &key));
            if let (Some(key), "AES256") = (&key, &*encryption) {
                return Err(by_default.unsupported("KMSMasterKeyID", key, "it needs aws:kms"));
            }
        }
    }
    let mut lifecycle = Vec::new();
    if let Some(configuration) = properties.fields("LifecycleConfiguration")? {
        for rule in configuration.items("Rules")? {
            lifecycle.extend(lifecycle_rule(&rule)?);
        }
    }
    Ok(Bucket {
        name: bucket.identity.reference.clone(),
        arn: bucket.arn().to_owned(),
        domain: bucket.identity.attributes.get("RegionalDomainName").cloned().unwrap_or_default(),
        versioned,
        encryption,
        key,
        lock,
        lifecycle,
        policy: Vec::new(),
    })
}

/// None if it is not enabled.
fn lifecycle_rule(rule: &Fields) -> Result<Option<LifecycleRule>, TemplateError> {
    const DAYS: std::ops::RangeInclusive<u32> = 1..=36_500;
    let status = rule.required("Status")?;
    if status != "Enabled" && status != "Disabled" {
        return Err(rule.unsupported("Status", &status, "it must be Enabled or Disabled"));
    }
    let within = |name: &str, days: &str| match rule.fields(name)? {
        None => Ok(None),
        Some(fields) => {
            fields.within(days, DAYS)?.map_or_else(|| Err(fields.missing(days)), |it| Ok(Some(it)))
        }
    };
    let found = LifecycleRule {
        prefix: rule.text("Prefix")?.unwrap_or_default(),
        expiration_days: rule.within("ExpirationInDays", DAYS)?,
        noncurrent_days: within("NoncurrentVersionExpiration", "NoncurrentDays")?,
        abort_days: within("AbortIncompleteMultipartUpload", "DaysAfterInitiation")?,
        removes_markers: rule.flag("ExpiredObjectDeleteMarker")?.unwrap_or(false),
    };
    if found.expiration_days.is_some() && found.removes_markers {
        let wanted = "S3 takes no number of days with it";
        return Err(rule.unsupported("ExpiredObjectDeleteMarker", "true", wanted));
    }
    Ok((status == "Enabled").then_some(found))
}
