//! STS: roles that are assumed, their session policies, and links that their credentials sign.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client as S3Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_sts::Client;
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use local::s3::ObjectHeaders;
use local_testing::{ObjectCloud, TestResult};

const BUCKET: &str = ObjectCloud::BUCKET;

async fn assume(
    cloud: &ObjectCloud,
    role: &str,
    policy: Option<&str>,
    seconds: i32,
) -> Result<AssumeRoleOutput, String> {
    let assume = Client::new(cloud.sdk()).assume_role().role_arn(role).role_session_name("recording-1");
    let answer = assume.set_policy(policy.map(str::to_owned)).duration_seconds(seconds).send().await;
    answer.map_err(|it| it.code().unwrap_or("no code").to_owned())
}

fn credentials(answer: &AssumeRoleOutput) -> TestResult<Credentials> {
    let given = answer.credentials().ok_or("credentials")?;
    let token = Some(given.session_token().to_owned());
    Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "session"))
}

async fn get(client: &S3Client, key: &str) -> Result<(), String> {
    let got = client.get_object().bucket(BUCKET).key(key).send().await;
    got.map(drop).map_err(|it| it.code().unwrap_or("no code").to_owned())
}

fn of_one(key: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{BUCKET}/{key}"}},
            {{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}}]}}"#
    )
}

fn put(cloud: &ObjectCloud, keys: &[&str]) -> TestResult {
    for key in keys {
        cloud.s3.put(BUCKET, key, "one".into(), ObjectHeaders::default())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_session_may_do_what_both_the_role_and_its_own_policy_allow() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    put(&cloud, &["recordings/1", "recordings/2", "captures/1"])?;
    let role = cloud.output("PlaybackRoleArn");
    let whole = S3Client::new(&cloud.sdk_as(credentials(&assume(&cloud, role, None, 900).await?)?));
    assert_eq!(get(&whole, "recordings/1").await, Ok(()));
    assert_eq!(get(&whole, "captures/1").await, Err("AccessDenied".to_owned()), "not the role's");
    for (policy, allowed) in [(of_one("recordings/1"), true), (of_one("captures/1"), false)] {
        let session = assume(&cloud, role, Some(&policy), 900).await?;
        let client = S3Client::new(&cloud.sdk_as(credentials(&session)?));
        assert_eq!(get(&client, "recordings/1").await.is_ok(), allowed);
        assert_eq!(get(&client, "recordings/2").await, Err("AccessDenied".to_owned()), "not the policy's");
        assert_eq!(get(&client, "captures/1").await, Err("AccessDenied".to_owned()), "a policy adds nothing");
        let list = client.list_objects_v2().bucket(BUCKET).send().await;
        assert_eq!(list.err().and_then(|it| it.code().map(str::to_owned)).as_deref(), Some("AccessDenied"));
    }
    let without_key = of_one("recordings/1").replace("kms:Decrypt", "kms:Encrypt");
    let session = assume(&cloud, role, Some(&without_key), 900).await?;
    let client = S3Client::new(&cloud.sdk_as(credentials(&session)?));
    assert_eq!(get(&client, "recordings/1").await, Err("AccessDenied".to_owned()), "S3 decrypts in its name");
    Ok(())
}

#[tokio::test]
async fn a_role_is_assumed_by_those_alone_that_it_trusts_and_that_may() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let other = cloud.output("OtherRoleArn").to_owned();
    assert_eq!(assume(&cloud, &other, None, 900).await.err().as_deref(), Some("AccessDenied"), "no trust");
    let unknown = "arn:aws:iam::000000000000:role/none";
    assert_eq!(assume(&cloud, unknown, None, 900).await.err().as_deref(), Some("AccessDenied"));
    let may_not = ObjectCloud::with(|it| it.replace("Action: sts:AssumeRole\n                Resource", "Action: sts:AssumeRole\n                Condition: {StringEquals: {sts:RoleSessionName: other}}\n                Resource")).await?;
    let role = may_not.output("PlaybackRoleArn").to_owned();
    assert_eq!(
        assume(&may_not, &role, None, 900).await.err().as_deref(),
        Some("AccessDenied"),
        "not permitted"
    );
    let role = cloud.output("PlaybackRoleArn").to_owned();
    for (policy, seconds, code) in [
        (None, 899, "ValidationError"),
        (None, 3601, "ValidationError"),
        (Some("{}".to_owned()), 900, "MalformedPolicyDocument"),
        (Some(of_one("x").replace("s3:GetObject", "s3:Nothing")), 900, "MalformedPolicyDocument"),
        (Some(of_one(&"x".repeat(2048))), 900, "PackedPolicyTooLarge"),
    ] {
        let refused = assume(&cloud, &role, policy.as_deref(), seconds).await.err();
        assert_eq!(refused.as_deref(), Some(code), "{policy:?} for {seconds} s");
    }
    Ok(())
}

#[tokio::test]
async fn a_role_that_trusts_nobody_who_exists_is_refused_at_the_deployment() {
    let gone = ObjectCloud::with(|it| {
        it.replace("AWS: !GetAtt PlaybackRole.Arn", "AWS: 'arn:aws:iam::000000000000:role/gone'")
    });
    let error = gone.await.err().expect("IAM refuses a principal that is not there").to_string();
    assert!(error.contains("AssumeRolePolicyDocument.Principal.AWS"), "{error}");
}

#[tokio::test]
async fn credentials_of_a_role_end_by_the_clouds_clock() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    put(&cloud, &["recordings/1"])?;
    cloud.clock.advance(3600);
    let session = assume(&cloud, cloud.output("PlaybackRoleArn"), None, 900).await?;
    let expires_at = session.credentials().ok_or("credentials")?.expiration().secs();
    let left = expires_at - cloud.clock.now().unix_timestamp();
    assert!((895..=900).contains(&left), "{left} s");
    let client = S3Client::new(&cloud.sdk_as(credentials(&session)?));
    cloud.clock.advance(890);
    assert_eq!(get(&client, "recordings/1").await, Ok(()));
    cloud.clock.advance(10);
    assert_eq!(get(&client, "recordings/1").await, Err("ExpiredToken".to_owned()));
    let sts = Client::new(&cloud.sdk_as(credentials(&session)?));
    let again = sts.assume_role().role_arn("arn:aws:iam::000000000000:role/x").role_session_name("again");
    let again = again.send().await.err().and_then(|it| it.code().map(str::to_owned));
    assert_eq!(again.as_deref(), Some("ExpiredToken"));
    Ok(())
}

#[tokio::test]
async fn a_link_ends_before_the_credentials_that_signed_it() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    put(&cloud, &["recordings/1"])?;
    cloud.clock.advance(100_000);
    let session = assume(&cloud, cloud.output("PlaybackRoleArn"), None, 3600).await?;
    let client = S3Client::new(&cloud.sdk_as(credentials(&session)?));
    let link = PresigningConfig::expires_in(Duration::from_mins(15))?;
    let link = client.get_object().bucket(BUCKET).key("recordings/1").presigned(link).await?;
    let status = async || {
        let http =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let request = http::Request::get(link.uri()).body(http_body_util::Empty::<bytes::Bytes>::new())?;
        TestResult::Ok(http.request(request).await?.status().as_u16())
    };
    assert_eq!(status().await?, 200);
    cloud.clock.advance(890);
    assert_eq!(status().await?, 200);
    cloud.clock.advance(15);
    assert_eq!(status().await?, 403);
    Ok(())
}
