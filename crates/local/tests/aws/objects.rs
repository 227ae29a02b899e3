//! S3: versions, legal hold, parts, lifecycle, policies.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier,
    ObjectLockLegalHold, ObjectLockLegalHoldStatus,
};
use local::s3::ObjectHeaders;
use local_testing::{ObjectCloud, TestResult};

const BUCKET: &str = ObjectCloud::BUCKET;
const PIPELINES: &str = "mediapipelines.chime.amazonaws.com";
const DAY: u32 = 86_400;
/// Of `hello`.
const SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

async fn put(client: &Client, key: &str, text: &'static str) -> TestResult<String> {
    let put = client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(text.as_bytes()));
    Ok(put.send().await?.version_id().ok_or("a version")?.to_owned())
}

async fn text(client: &Client, key: &str, version: Option<&str>) -> TestResult<String> {
    let get = client.get_object().bucket(BUCKET).key(key).set_version_id(version.map(str::to_owned));
    Ok(String::from_utf8(get.send().await?.body.collect().await?.to_vec())?)
}

async fn hold(client: &Client, key: &str, version: &str, on: bool) -> TestResult {
    let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
    let hold = ObjectLockLegalHold::builder().status(status).build();
    client
        .put_object_legal_hold()
        .bucket(BUCKET)
        .key(key)
        .version_id(version)
        .legal_hold(hold)
        .send()
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_object_is_a_marker_and_its_versions_stay_until_they_are_deleted() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let client = Client::new(cloud.sdk());
    let first = put(&client, "a/1", "one").await?;
    let second = put(&client, "a/1", "two").await?;
    assert_eq!(text(&client, "a/1", None).await?, "two");
    assert_eq!(text(&client, "a/1", Some(&first)).await?, "one");

    let deleted = client.delete_object().bucket(BUCKET).key("a/1").send().await?;
    assert_eq!(deleted.delete_marker(), Some(true));
    let gone = client.head_object().bucket(BUCKET).key("a/1").send().await;
    assert_eq!(
        gone.map_err(|it| it.raw_response().map(|it| it.status().as_u16())).err().flatten(),
        Some(404)
    );
    let all = client.list_object_versions().bucket(BUCKET).prefix("a/").send().await?;
    let ids: Vec<_> = all.versions().iter().filter_map(|it| it.version_id()).collect();
    assert_eq!(ids, [&*second, &*first], "the newest first");
    let marker = all.delete_markers().first().and_then(|it| it.version_id()).ok_or("a marker")?;

    for version in [marker, &*second] {
        client.delete_object().bucket(BUCKET).key("a/1").version_id(version).send().await?;
    }
    assert_eq!(text(&client, "a/1", None).await?, "one", "without the marker the rest is there again");
    let unknown = client.get_object().bucket(BUCKET).key("a/1").version_id(&second).send().await;
    assert_eq!(unknown.err().and_then(|it| it.code().map(str::to_owned)).as_deref(), Some("NoSuchVersion"));
    Ok(())
}

#[tokio::test]
async fn versions_are_listed_page_by_page_also_when_the_page_before_was_deleted() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let client = Client::new(cloud.sdk());
    for key in ["b/1", "b/2", "b/2", "b/2", "c/1"] {
        put(&client, key, "x").await?;
    }
    let (mut key, mut version, mut found) = (None, None, Vec::new());
    loop {
        let list = client.list_object_versions().bucket(BUCKET).prefix("b/").max_keys(1);
        let page = list.set_key_marker(key).set_version_id_marker(version).send().await?;
        let one = page.versions().first().ok_or("a version")?;
        let (one_key, one_version) = (one.key().unwrap_or_default(), one.version_id().unwrap_or_default());
        found.push(one_key.to_owned());
        client.delete_object().bucket(BUCKET).key(one_key).version_id(one_version).send().await?;
        if page.is_truncated() != Some(true) {
            break;
        }
        key = page.next_key_marker().map(str::to_owned);
        version = page.next_version_id_marker().map(str::to_owned);
    }
    assert_eq!(found, ["b/1", "b/2", "b/2", "b/2"]);
    assert_eq!(cloud.s3.keys(BUCKET), ["c/1"]);
    Ok(())
}

#[tokio::test]
async fn a_version_under_legal_hold_cannot_be_deleted() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let client = Client::new(cloud.sdk());
    let held = put(&client, "a/1", "one").await?;
    let free = put(&client, "a/1", "two").await?;
    hold(&client, "a/1", &held, true).await?;
    let status = client.get_object_legal_hold().bucket(BUCKET).key("a/1").version_id(&held).send().await?;
    let status = status.legal_hold().and_then(|it| it.status()).cloned();
    assert_eq!(status, Some(ObjectLockLegalHoldStatus::On));

    let one = client.delete_object().bucket(BUCKET).key("a/1").version_id(&held).send().await;
    assert_eq!(one.err().and_then(|it| it.code().map(str::to_owned)).as_deref(), Some("AccessDenied"));
    let object = |version: &str| ObjectIdentifier::builder().key("a/1").version_id(version).build();
    let both = Delete::builder().objects(object(&held)?).objects(object(&free)?).build()?;
    let answer = client.delete_objects().bucket(BUCKET).delete(both).send().await?;
    assert_eq!(answer.deleted().len(), 1);
    assert_eq!(answer.errors().first().and_then(|it| it.code()), Some("AccessDenied"));
    // Hidden, not deleted.
    client.delete_object().bucket(BUCKET).key("a/1").send().await?;
    assert_eq!(text(&client, "a/1", Some(&held)).await?, "one");

    hold(&client, "a/1", &held, false).await?;
    client.delete_object().bucket(BUCKET).key("a/1").version_id(&held).send().await?;
    assert!(text(&client, "a/1", Some(&held)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn without_object_lock_nothing_can_be_held() -> TestResult {
    let cloud =
        ObjectCloud::with(|it| it.replace("ObjectLockEnabled: true", "ObjectLockEnabled: false")).await?;
    let client = Client::new(cloud.sdk());
    let version = put(&client, "a/1", "one").await?;
    let refused = hold(&client, "a/1", &version, true).await.expect_err("the bucket has no lock");
    assert!(format!("{refused:?}").contains("InvalidRequest"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_copy_has_the_checksum_that_it_asks_for() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let client = Client::new(cloud.sdk());
    put(&client, "captures/a b", "hello").await?;
    let copy = client
        .copy_object()
        .bucket(BUCKET)
        .key("recordings/1")
        .copy_source(format!("{BUCKET}/captures/a%20b"));
    let copied = copy.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await?;
    let result = copied.copy_object_result().ok_or("a result")?;
    assert_eq!(result.checksum_sha256(), Some(SHA256));
    let head = client.head_object().bucket(BUCKET).key("recordings/1").checksum_mode(ChecksumMode::Enabled);
    assert_eq!(head.send().await?.checksum_sha256(), Some(SHA256));

    let wrong = client.put_object().bucket(BUCKET).key("x").body(ByteStream::from_static(b"hallo"));
    let wrong = wrong.checksum_sha256(SHA256).send().await.err().and_then(|it| it.code().map(str::to_owned));
    assert_eq!(wrong.as_deref(), Some("BadDigest"));
    let changed =
        client.copy_object().bucket(BUCKET).key("y").copy_source(format!("{BUCKET}/captures/a%20b"));
    let changed = changed.copy_source_if_match("\"another\"").send().await;
    assert_eq!(
        changed.err().and_then(|it| it.code().map(str::to_owned)).as_deref(),
        Some("PreconditionFailed")
    );
    Ok(())
}

#[tokio::test]
async fn a_copy_in_parts_goes_on_where_it_ended_and_has_a_composite_checksum() -> TestResult {
    const PART: u64 = 5 * 1024 * 1024;
    let cloud = ObjectCloud::start().await?;
    let client = Client::new(cloud.sdk());
    let file = tempfile::tempfile()?;
    file.set_len(2 * PART + 10)?;
    cloud.s3.put_file(BUCKET, "captures/1", file, ObjectHeaders::default())?;
    let create = client.create_multipart_upload().bucket(BUCKET).key("recordings/1");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await?;
    let upload = create.upload_id().ok_or("an id")?;
    for (number, range) in [(1, 0..PART), (2, PART..2 * PART), (3, 2 * PART..2 * PART + 10)] {
        let part = client.upload_part_copy().bucket(BUCKET).key("recordings/1").upload_id(upload);
        let part = part.part_number(number).copy_source(format!("{BUCKET}/captures/1"));
        part.copy_source_range(format!("bytes={}-{}", range.start, range.end - 1)).send().await?;
    }
    let open = client.list_multipart_uploads().bucket(BUCKET).prefix("recordings/").send().await?;
    assert_eq!(open.uploads().first().and_then(|it| it.upload_id()), Some(upload));
    let listed = client.list_parts().bucket(BUCKET).key("recordings/1").upload_id(upload).send().await?;
    let sizes: Vec<_> = listed.parts().iter().filter_map(aws_sdk_s3::types::Part::size).collect();
    assert_eq!(sizes, [5_242_880, 5_242_880, 10]);
    let parts = listed.parts().iter().map(|it| {
        CompletedPart::builder()
            .set_part_number(it.part_number())
            .set_e_tag(it.e_tag().map(str::to_owned))
            .set_checksum_sha256(it.checksum_sha256().map(str::to_owned))
            .build()
    });
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("recordings/1").upload_id(upload);
    let complete = complete.multipart_upload(parts).send().await?;
    assert!(complete.checksum_sha256().is_some_and(|it| it.ends_with("-3")), "{complete:?}");
    let object = cloud.s3.object(BUCKET, "recordings/1").ok_or("the copy")?;
    assert_eq!(object.size(), 2 * PART + 10);
    let open = client.list_multipart_uploads().bucket(BUCKET).send().await?;
    assert!(open.uploads().is_empty());
    Ok(())
}

#[tokio::test]
async fn lifecycle_rules_follow_the_clouds_clock_and_spare_what_is_held() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let client = Client::new(cloud.sdk());
    let old = put(&client, "expiring/1", "one").await?;
    put(&client, "staying/1", "one").await?;
    put(&client, "expiring/2", "one").await?;
    hold(&client, "expiring/1", &old, true).await?;
    client.create_multipart_upload().bucket(BUCKET).key("staying/2").send().await?;

    cloud.clock.advance(DAY);
    assert_eq!(cloud.s3.keys(BUCKET).len(), 3, "after a day nothing is expired");
    cloud.clock.advance(2 * DAY);
    assert_eq!(cloud.s3.keys(BUCKET), ["staying/1"], "expired after two days");
    let versions = client.list_object_versions().bucket(BUCKET).prefix("expiring/").send().await?;
    assert_eq!((versions.versions().len(), versions.delete_markers().len()), (2, 2), "hidden by markers");
    cloud.clock.advance(5 * DAY);
    let versions = client.list_object_versions().bucket(BUCKET).prefix("expiring/").send().await?;
    let left: Vec<_> = versions.versions().iter().filter_map(|it| it.key()).collect();
    assert_eq!(left, ["expiring/1"], "what is held stays");
    let open = client.list_multipart_uploads().bucket(BUCKET).send().await?;
    assert!(open.uploads().is_empty(), "an upload of seven days is aborted");
    Ok(())
}

#[tokio::test]
async fn a_service_may_do_what_the_policies_of_bucket_and_key_say() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let arn = "arn:aws:chime:eu-central-1:000000000000:media-pipeline/1";
    let of = |account| [("aws:SourceAccount", account), ("aws:SourceArn", arn)];
    let chunk = "arn:aws:s3:::test-recordings/captures/1/audio/x.mp4";
    let bucket = "arn:aws:s3:::test-recordings";
    let may = |cloud: &ObjectCloud, action: &str, resource: &str, account| {
        cloud.s3.allows_service(PIPELINES, action, resource, &of(account))
    };
    let ours = "000000000000";
    for (action, resource) in [("s3:PutObject", chunk), ("s3:GetObject", chunk), ("s3:ListBucket", bucket)] {
        assert!(may(&cloud, action, resource, ours), "{action}");
        assert!(!may(&cloud, action, resource, "111111111111"), "{action} of another account");
    }
    assert!(
        !may(&cloud, "s3:PutObject", "arn:aws:s3:::test-recordings/recordings/1", ours),
        "another prefix"
    );
    assert!(!may(&cloud, "s3:DeleteObject", chunk, ours), "another action");
    let policy = Client::new(cloud.sdk()).get_bucket_policy().bucket(BUCKET).send().await?;
    assert!(policy.policy().is_some_and(|it| it.contains(PIPELINES)), "{policy:?}");

    let both = "Action: [kms:GenerateDataKey, kms:Decrypt]";
    for (left, put, get) in [("kms:Decrypt", false, true), ("kms:GenerateDataKey", true, false)] {
        let cloud = ObjectCloud::with(|it| it.replacen(both, &format!("Action: {left}"), 1)).await?;
        assert_eq!(may(&cloud, "s3:PutObject", chunk, ours), put, "with {left} alone");
        assert_eq!(may(&cloud, "s3:GetObject", chunk, ours), get, "with {left} alone");
    }
    Ok(())
}

/// The actions of each operation are in the role of the template; without one its operation alone is denied.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of the operations")]
async fn each_operation_needs_its_own_permission() -> TestResult {
    for action in [
        "s3:DeleteObjectVersion",
        "s3:GetBucketPolicy",
        "s3:GetObjectLegalHold",
        "s3:GetObjectVersion",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "s3:PutObjectLegalHold",
        "kms:Decrypt",
        "kms:GenerateDataKey",
    ] {
        let cloud = ObjectCloud::with(|it| without(&it, action)).await?;
        let client = Client::new(cloud.sdk());
        cloud.s3.put(BUCKET, "a/1", "one".into(), ObjectHeaders::default())?;
        let version = cloud.s3.object(BUCKET, "a/1").ok_or("it is there")?.version.clone();
        let results = [
            (
                "s3:GetBucketPolicy",
                client
                    .get_bucket_policy()
                    .bucket(BUCKET)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| it.code().map(str::to_owned)),
            ),
            (
                "s3:ListBucketVersions",
                client
                    .list_object_versions()
                    .bucket(BUCKET)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| it.code().map(str::to_owned)),
            ),
            (
                "s3:ListBucketMultipartUploads",
                client
                    .list_multipart_uploads()
                    .bucket(BUCKET)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| it.code().map(str::to_owned)),
            ),
            (
                "s3:GetObjectLegalHold",
                client
                    .get_object_legal_hold()
                    .bucket(BUCKET)
                    .key("a/1")
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| it.code().map(str::to_owned)),
            ),
            (
                "s3:PutObjectLegalHold",
                hold(&client, "a/1", &version, false).await.map_err(|it| {
                    format!("{it:?}").contains("AccessDenied").then(|| "AccessDenied".to_owned())
                }),
            ),
            (
                "kms:Decrypt",
                text(&client, "a/1", None).await.map(drop).map_err(|it| {
                    format!("{it:?}").contains("AccessDenied").then(|| "AccessDenied".to_owned())
                }),
            ),
            (
                "s3:GetObjectVersion",
                client
                    .head_object()
                    .bucket(BUCKET)
                    .key("a/1")
                    .version_id(&version)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| {
                        it.raw_response()
                            .filter(|it| it.status().as_u16() == 403)
                            .map(|_| "AccessDenied".to_owned())
                    }),
            ),
            (
                "kms:GenerateDataKey",
                client
                    .put_object()
                    .bucket(BUCKET)
                    .key("a/2")
                    .body(ByteStream::from_static(b"two"))
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| it.code().map(str::to_owned)),
            ),
            (
                "s3:DeleteObjectVersion",
                client
                    .delete_object()
                    .bucket(BUCKET)
                    .key("a/1")
                    .version_id(&version)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|it| it.code().map(str::to_owned)),
            ),
        ];
        for (needs, result) in results {
            let expected = if needs == action { Err(Some("AccessDenied".to_owned())) } else { Ok(()) };
            assert_eq!(result, expected, "{needs} without {action}");
        }
    }
    Ok(())
}

/// The template without an action in the function's role.
fn without(template: &str, action: &str) -> String {
    let start = template.find("  Role:\n").unwrap_or_default();
    let (before, role) = template.split_at(start);
    let item = format!("                  - {action}\n");
    let role = if role.contains(&item) {
        role.replacen(&item, "", 1)
    } else {
        // A list in one line.
        role.replacen(&format!("{action}, "), "", 1).replacen(
            &format!(", {action}]"),
            "]",
            usize::from(!role.contains(&format!("{action}, "))),
        )
    };
    format!("{before}{role}")
}
