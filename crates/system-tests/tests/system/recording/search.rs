//! The daily search for chunks without a row, over several runs.

use local::faults::{Fault, FaultKind};
use local::s3::ObjectHeaders;
use local_testing::{TestCloud, TestResult};

/// Two pages of S3.
const PREFIXES: usize = 1_100;

fn reports(cloud: &TestCloud) -> Vec<String> {
    let lines = cloud.parts().lambda.logs().into_iter().map(|line| line.line);
    lines.filter(|line| line.contains("\"ChunkPrefixesWithoutRow\":")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_was_cut_off_is_continued_by_the_next_run_and_repeated_the_next_day() -> TestResult {
    let cloud = TestCloud::new().await?;
    let parts = cloud.parts();
    let bucket = &parts.plan.outputs["RecordingsBucketName"];
    for n in 0..PREFIXES {
        let key = format!("captures/00000000-0000-4000-8000-{n:012}/audio/1.mp4");
        parts.s3.put(bucket, &key, b"x".as_slice().into(), ObjectHeaders::default())?;
    }
    parts.s3.put(bucket, "speech/no-id/1.mp4", b"x".as_slice().into(), ObjectHeaders::default())?;
    parts.faults.add(Fault {
        service: "s3".to_owned(),
        operation: Some("ListObjectsV2".to_owned()),
        function: None,
        kind: FaultKind::Error,
        nth: Some(2),
        ms: None,
        times: Some(100),
    });
    assert!(cloud.run_schedule("recording").await.is_err());
    parts.faults.clear();
    assert_eq!(reports(&cloud), Vec::<String>::new(), "it goes on");

    let watch = cloud.watch();
    cloud.run_schedule("recording").await?;
    assert_eq!(watch.count("ListObjectsV2"), 2, "the second page, and the other root");
    let found = reports(&cloud);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains(&format!("\"ChunkPrefixesWithoutRow\":{}", PREFIXES + 1)), "{found:?}");

    parts.clock.advance(3600);
    let watch = cloud.watch();
    cloud.run_schedule("recording").await?;
    assert_eq!(watch.count("ListObjectsV2"), 0, "once a day");
    parts.clock.advance(23 * 3600);
    cloud.run_schedule("recording").await?;
    assert_eq!(reports(&cloud).len(), 2);
    Ok(())
}
