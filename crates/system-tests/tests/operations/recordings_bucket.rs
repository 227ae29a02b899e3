//! The bucket of recordings: what keeps them, who may use them, and what deletes nothing.

use local_template::iam::policy_allows;
use local_template::plan::{Bucket, Key, Plan};
use local_testing::TestResult;

use crate::deployed;

const CHIME: &str = "mediapipelines.chime.amazonaws.com";
const OWN: &[(&str, &str)] = &[
    ("aws:SourceAccount", "000000000000"),
    ("aws:SourceArn", "arn:aws:chime:us-east-1:000000000000:meeting/m-1"),
    ("aws:SecureTransport", "true"),
];
const WITHOUT_TLS: &[(&str, &str)] = &[
    ("aws:SourceAccount", "000000000000"),
    ("aws:SourceArn", "arn:aws:chime:us-east-1:000000000000:meeting/m-1"),
    ("aws:SecureTransport", "false"),
];
const OF_ANOTHER_ACCOUNT: &[(&str, &str)] = &[
    ("aws:SourceAccount", "111122223333"),
    ("aws:SourceArn", "arn:aws:chime:us-east-1:111122223333:meeting/m-1"),
    ("aws:SecureTransport", "true"),
];

fn bucket(plan: &Plan) -> TestResult<&Bucket> {
    let name = plan.outputs.get("RecordingsBucketName").ok_or("no output")?;
    Ok(plan.buckets.iter().find(|it| it.name == *name).ok_or("no bucket")?)
}

fn key<'a>(plan: &'a Plan, arn: &str) -> TestResult<&'a Key> {
    Ok(plan.keys.iter().find(|it| it.arn == arn).ok_or("no key")?)
}

#[test]
fn recordings_are_versioned_can_be_held_and_are_encrypted_by_a_key_of_their_own() -> TestResult {
    let plan = deployed()?;
    let bucket = bucket(&plan)?;
    assert!(bucket.versioned && bucket.lock, "{bucket:?}");
    assert_eq!(bucket.encryption, "aws:kms");
    assert_eq!(bucket.key.as_ref(), plan.outputs.get("RecordingsKeyArn"));
    assert_ne!(bucket.key.as_ref(), plan.outputs.get("DataKeyArn"));
    let origin = format!("https://{}", bucket.domain);
    assert_eq!(plan.outputs.get("RecordingsOrigin"), Some(&origin));
    Ok(())
}

/// The chunks of a segment whose file is incomplete are all that there is of it.
#[test]
fn no_rule_of_the_bucket_deletes_a_recording_or_a_chunk_by_its_age() -> TestResult {
    let plan = deployed()?;
    let rules = &bucket(&plan)?.lifecycle;
    for rule in rules {
        assert_eq!(rule.expiration_days, None, "{rule:?}");
        let versions = rule.noncurrent_days.is_none() || rule.prefix == "concatenations/";
        assert!(versions, "{rule:?} deletes versions that are not concatenations");
    }
    assert!(rules.iter().any(|it| it.noncurrent_days.is_some()), "{rules:?}");
    let uploads = rules.iter().find(|it| it.abort_days.is_some()).ok_or("unfinished uploads stay")?;
    assert_eq!(uploads.prefix, "", "of the whole bucket");
    Ok(())
}

#[test]
fn chime_may_capture_and_concatenate_for_this_account_and_touch_no_verified_file() -> TestResult {
    let plan = deployed()?;
    let bucket = bucket(&plan)?;
    let may = |action: &str, key: &str, context: &'static [(&'static str, &'static str)]| {
        policy_allows(&bucket.policy, CHIME, action, &format!("{}{key}", bucket.arn), context)
    };
    for prefix in
        ["/captures/c/p/audio/1.mp4", "/speech/c/p/audio/1.mp4", "/concatenations/c-1/p/audio/p.mp4"]
    {
        for action in ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject"] {
            assert!(may(action, prefix, OWN), "{action} {prefix}");
            assert!(!may(action, prefix, OF_ANOTHER_ACCOUNT), "{action} {prefix} for another account");
            assert!(!may(action, prefix, &[]), "{action} {prefix} for nobody");
        }
        assert!(!may("s3:DeleteObject", prefix, OWN), "{prefix}");
        assert!(!may("s3:PutObject", prefix, WITHOUT_TLS), "{prefix} without TLS");
    }
    assert!(may("s3:ListBucket", "", OWN) && !may("s3:ListBucket", "", OF_ANOTHER_ACCOUNT));
    for action in ["s3:PutObject", "s3:GetObject"] {
        assert!(!may(action, "/recordings/r/1.mp4", OWN), "{action}");
        let other = policy_allows(&bucket.policy, "events.amazonaws.com", action, &bucket.arn, OWN);
        assert!(!other, "{action} by another service");
    }
    Ok(())
}

/// Without it Chime writes nothing, and says so only in its events.
#[test]
fn chime_may_use_the_recordings_key_for_this_account_and_no_other_key() -> TestResult {
    let plan = deployed()?;
    let own = key(&plan, plan.outputs.get("RecordingsKeyArn").ok_or("no output")?)?;
    let may = |key: &Key, action: &str, context| policy_allows(&key.policy, CHIME, action, &key.arn, context);
    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
        assert!(may(own, action, OWN), "{action}");
        assert!(!may(own, action, OF_ANOTHER_ACCOUNT) && !may(own, action, &[]), "{action}");
        for other in plan.keys.iter().filter(|it| it.arn != own.arn) {
            assert!(!may(other, action, OWN), "{action} with {}", other.arn);
        }
    }
    assert!(!may(own, "kms:CreateGrant", OWN));
    Ok(())
}
