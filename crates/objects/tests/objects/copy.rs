//! Copies with a checksum.

use local::faults::{Fault, FaultKind};
use local::s3::ObjectHeaders;
use local_testing::{ObjectCloud, TestResult};
use objects::{Copied, CopyLimits, Error};
use tokio::time::{Duration, Instant};

use crate::{BUCKET, calls, objects, put};

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(5)
}

/// The nth call of an operation.
fn fault(cloud: &ObjectCloud, operation: &str, kind: FaultKind, nth: u32) {
    let (service, operation) = ("s3".to_owned(), Some(operation.to_owned()));
    cloud.faults.add(Fault {
        service,
        operation,
        function: None,
        kind,
        nth: Some(nth),
        ms: None,
        times: None,
    });
}

#[tokio::test]
async fn a_copy_has_a_sha_256_and_is_made_once() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    put(&cloud, "concatenated/1", "hello")?;
    let objects = objects(&cloud);
    // Of `hello`.
    let copied = Copied { sha256: "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=".to_owned(), size: 5 };
    for _ in 0..2 {
        assert_eq!(objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await?, Some(copied.clone()));
    }
    assert_eq!(calls(&cloud, "CopyObject"), 1);
    let object = cloud.s3.object(BUCKET, "recordings/1/1.mp4").ok_or("the copy")?;
    assert_eq!(object.headers.content_type.as_deref(), Some("video/mp4"));

    put(&cloud, "concatenated/1", "hallo")?;
    let other = objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await?.ok_or("a copy")?;
    assert_ne!(other, copied, "another version is copied again");
    assert!(matches!(objects.copy("none", "x", soon()).await, Err(Error::NotFound)));
    Ok(())
}

#[tokio::test]
async fn a_copy_whose_answer_is_lost_is_found_by_the_next_attempt() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    put(&cloud, "concatenated/1", "hello")?;
    let objects = objects(&cloud);
    fault(&cloud, "CopyObject", FaultKind::Drop, 1);
    let failed = objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await;
    assert!(matches!(failed, Err(Error::Unavailable { backend: "s3", .. })), "{failed:?}");
    assert!(objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await?.is_some());
    assert_eq!(calls(&cloud, "CopyObject"), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_for_one_request_is_copied_in_parts_that_another_call_continues() -> TestResult {
    const PART: u64 = 5 * 1024 * 1024;
    let cloud = ObjectCloud::start().await?;
    let file = tempfile::tempfile()?;
    file.set_len(5 * PART + 10)?;
    cloud.s3.put_file(BUCKET, "concatenated/1", file, ObjectHeaders::default())?;
    // Times have whole seconds; the source must be the older one.
    cloud.clock.advance(2);
    let objects = objects(&cloud).with_copy_limits(CopyLimits { single: 2 * PART, part: PART });
    fault(&cloud, "UploadPartCopy", FaultKind::Error, 3);
    let failed = objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    let late = objects.copy("concatenated/1", "recordings/1/1.mp4", Instant::now()).await?;
    assert_eq!(late, None, "no time left");
    let copied = objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await?.ok_or("a copy")?;
    assert_eq!(copied.size, 5 * PART + 10);
    assert!(copied.sha256.ends_with("-6"), "{copied:?}");
    assert_eq!(calls(&cloud, "CreateMultipartUpload"), 1, "the same upload");
    let again = objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await?;
    assert_eq!((again, calls(&cloud, "CompleteMultipartUpload")), (Some(copied), 1));
    Ok(())
}

#[tokio::test]
async fn parts_of_another_source_are_not_continued() -> TestResult {
    const PART: u64 = 5 * 1024 * 1024;
    let cloud = ObjectCloud::start().await?;
    let objects = objects(&cloud).with_copy_limits(CopyLimits { single: PART, part: PART });
    for (number, calls_of_parts) in [(1, 2), (2, 5)] {
        let file = tempfile::tempfile()?;
        file.set_len(3 * PART)?;
        cloud.s3.put_file(BUCKET, "concatenated/1", file, ObjectHeaders::default())?;
        cloud.clock.advance(2);
        if number == 1 {
            fault(&cloud, "UploadPartCopy", FaultKind::Error, 2);
            let failed = objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await;
            assert!(failed.is_err(), "{failed:?}");
            cloud.faults.clear();
        } else {
            assert!(objects.copy("concatenated/1", "recordings/1/1.mp4", soon()).await?.is_some());
        }
        assert!(calls(&cloud, "UploadPartCopy") >= calls_of_parts, "all parts of the new source");
        cloud.clock.advance(2);
    }
    assert_eq!((calls(&cloud, "CreateMultipartUpload"), calls(&cloud, "AbortMultipartUpload")), (2, 1));
    Ok(())
}
