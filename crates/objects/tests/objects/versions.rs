//! Deletion of all versions, and legal holds.

use local_testing::{ObjectCloud, TestResult};
use objects::{Error, Objects, Progress};
use tokio::time::{Duration, Instant};

use crate::{BUCKET, calls, objects, put};

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(5)
}

async fn versions(cloud: &ObjectCloud, prefix: &str) -> TestResult<usize> {
    let client = aws_sdk_s3::Client::new(cloud.sdk());
    let all = client.list_object_versions().bucket(BUCKET).prefix(prefix).send().await?;
    Ok(all.versions().len() + all.delete_markers().len())
}

async fn all(objects: &Objects, prefix: &str) -> Result<Progress, Error> {
    objects.delete_page(prefix, "", None).await
}

#[tokio::test]
async fn all_versions_and_markers_below_a_prefix_are_deleted_and_no_others() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    for number in 0..3 {
        for _ in 0..2 {
            put(&cloud, &format!("captures/1/{number}"), "x")?;
        }
    }
    put(&cloud, "captures/10/0", "another's")?;
    aws_sdk_s3::Client::new(cloud.sdk()).delete_object().bucket(BUCKET).key("captures/1/0").send().await?;
    let deleted = all(&objects(&cloud), "captures/1/").await?;
    assert_eq!(deleted, Progress { done: 7, held: 0, next: None });
    assert_eq!((versions(&cloud, "captures/1/").await?, versions(&cloud, "captures/10/").await?), (0, 1));
    assert_eq!(all(&objects(&cloud), "captures/1/").await?, Progress::default(), "again: nothing is left");
    Ok(())
}

#[tokio::test]
async fn a_deletion_goes_on_from_its_marker_when_its_time_was_over() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    for number in 0..1200 {
        put(&cloud, &format!("captures/1/{number:04}"), "x")?;
    }
    let objects = objects(&cloud);
    let (mut next, mut done, mut calls_of_it) = (None, 0, 0);
    loop {
        let progress = objects.delete_page("captures/1/", "", next).await?;
        done += progress.done;
        calls_of_it += 1;
        next = progress.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!((done, calls_of_it, versions(&cloud, "captures/1/").await?), (1200, 3, 0));
    Ok(())
}

#[tokio::test]
async fn what_is_held_stays_and_is_counted_until_the_hold_is_lifted() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    for key in ["recordings/1/1.mp4", "recordings/1/1.mp4", "recordings/1/2.mp4"] {
        put(&cloud, key, "x")?;
    }
    let objects = objects(&cloud);
    let held = objects.hold("recordings/1/", true, None, soon()).await?;
    assert_eq!(held, Progress { done: 3, held: 0, next: None });
    put(&cloud, "recordings/1/3.mp4", "later")?;
    assert_eq!(all(&objects, "recordings/1/").await?, Progress { done: 1, held: 3, next: None });
    assert_eq!(
        objects.hold("recordings/1/", true, None, soon()).await?.done,
        3,
        "a repetition changes nothing"
    );
    objects.hold("recordings/1/", false, None, soon()).await?;
    assert_eq!(all(&objects, "recordings/1/").await?, Progress { done: 3, held: 0, next: None });
    Ok(())
}

#[tokio::test]
async fn a_role_that_may_not_delete_is_no_hold() -> TestResult {
    let cloud =
        ObjectCloud::with(|it| it.replace("                  - s3:DeleteObjectVersion\n", "")).await?;
    put(&cloud, "captures/1/1", "x")?;
    let refused = all(&objects(&cloud), "captures/1/").await;
    assert!(matches!(refused, Err(Error::Refused { ref code, .. }) if code == "AccessDenied"), "{refused:?}");
    assert_eq!(calls(&cloud, "DeleteObjects"), 1);
    Ok(())
}
