//! Files are read by ranges.

use local::s3::ObjectHeaders;
use local_testing::{ObjectCloud, TestResult};
use objects::{Error, Inspection};
use time::Duration;

use crate::{BUCKET, GIB, calls, long, objects, put, sample};

#[tokio::test]
async fn two_gigabytes_are_verified_by_at_most_twelve_ranges() -> TestResult {
    for moov_first in [true, false] {
        let cloud = ObjectCloud::start().await?;
        cloud.s3.put_file(BUCKET, "recordings/1", long(2 * GIB, moov_first)?, ObjectHeaders::default())?;
        let found = objects(&cloud).inspect("recordings/1").await?;
        let Inspection::File { file, tracks, size } = found else { return Err(format!("{found:?}").into()) };
        assert_eq!((tracks.len(), size), (2, 2 * GIB));
        assert!((file.longest_track - Duration::hours(3)).abs() < Duration::seconds(1), "{file:?}");
        assert!(file.longest_track - file.shortest_track < Duration::seconds(1), "{file:?}");
        let gets = calls(&cloud, "GetObject");
        assert!(gets <= 12 && cloud.calls.since(0).len() == gets, "{gets} ranges");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_whole_file_is_unverifiable_and_what_is_not_there_is_an_error() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let whole = sample::small(2, 2, false);
    put(&cloud, "empty", "")?;
    put(&cloud, "text", "a text")?;
    put(&cloud, "cut", whole[..whole.len() / 2].to_vec())?;
    put(&cloud, "whole", whole)?;
    let objects = objects(&cloud);
    for key in ["empty", "text", "cut"] {
        let found = objects.inspect(key).await?;
        assert!(matches!(found, Inspection::Unverifiable { .. }), "{key}: {found:?}");
    }
    assert!(matches!(objects.inspect("whole").await?, Inspection::File { .. }));
    assert!(matches!(objects.inspect("none").await, Err(Error::NotFound)));
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_read_is_read_again_later() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    cloud.s3.put_file(BUCKET, "recordings/1", long(GIB, false)?, ObjectHeaders::default())?;
    let (objects, s3) = (objects(&cloud), cloud.s3.clone());
    let replaced = async {
        // After the first range.
        while calls(&cloud, "GetObject") == 0 {
            tokio::task::yield_now().await;
        }
        s3.put_file(BUCKET, "recordings/1", long(GIB, false)?, ObjectHeaders::default())?;
        TestResult::Ok(())
    };
    let (found, replaced) = tokio::join!(objects.inspect("recordings/1"), replaced);
    replaced?;
    // If the file was read before it was replaced, all is of one version as well.
    assert!(matches!(found, Ok(Inspection::File { .. }) | Err(Error::Unavailable { .. })), "{found:?}");
    Ok(())
}
