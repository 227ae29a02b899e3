//! The span of a capture's chunks, and prefixes.

use domain::recording::segment::{File, Verdict, verify};
use local_testing::{ObjectCloud, TestResult};
use time::Duration;
use time::macros::datetime;

use crate::{calls, objects, put, sample};

#[tokio::test]
async fn the_span_of_more_than_a_page_of_chunks_is_that_of_their_names_and_the_last_one() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    let began = datetime!(2026-11-29 10:00:00.250 UTC);
    for number in 0..1100 {
        let at = began + Duration::seconds(5 * number);
        let (date, time) = (at.date(), at.time());
        let name = format!("{date}-{:02}-{:02}-{:02}-250", time.hour(), time.minute(), time.second());
        let bytes = if number == 1099 { sample::small(2, 2, true) } else { b"x".to_vec() };
        put(&cloud, &format!("captures/1/2/audio/{name}.mp4"), bytes)?;
        put(&cloud, &format!("captures/1/2/meeting-events/{name}.txt"), "x")?;
    }
    put(&cloud, "captures/12/2/audio/2020-01-01-00-00-00-000.mp4", "another's")?;
    let found = objects(&cloud).chunks("captures/1/").await?.ok_or("chunks")?;
    assert_eq!((found.count, found.span.first_at), (1100, began));
    assert_eq!(found.span.last_at, began + Duration::seconds(5495));
    assert!((found.span.last_length - Duration::seconds(2)).abs() < Duration::milliseconds(200));
    assert_eq!(calls(&cloud, "ListObjectsV2"), 3);
    let file = |seconds| File {
        longest_track: Duration::seconds(seconds),
        shortest_track: Duration::seconds(seconds),
    };
    assert_eq!(verify(file(5497), found.span), Verdict::Complete);
    assert!(matches!(verify(file(5480), found.span), Verdict::Defective(..)));
    Ok(())
}

#[tokio::test]
async fn a_last_chunk_that_cannot_be_read_counts_five_seconds_and_no_chunks_are_none() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    put(&cloud, "captures/1/2/audio/2026-11-29-10-00-00-000.mp4", "x")?;
    let objects = objects(&cloud);
    let found = objects.chunks("captures/1/").await?.ok_or("a chunk")?;
    assert_eq!(found.span.span(), Duration::seconds(5));
    assert_eq!(objects.chunks("captures/2/").await?, None);
    put(&cloud, "captures/1/2/audio/named-otherwise.mp4", "x")?;
    assert!(objects.chunks("captures/1/").await.is_err(), "its time is not known, so neither is the span");
    Ok(())
}

#[tokio::test]
async fn prefixes_are_listed_page_by_page() -> TestResult {
    let cloud = ObjectCloud::start().await?;
    for number in 0..1005 {
        put(&cloud, &format!("captures/{number:04}/2/audio/1.mp4"), "x")?;
        put(&cloud, &format!("captures/{number:04}/2/audio/2.mp4"), "x")?;
    }
    put(&cloud, "recordings/1/1.mp4", "x")?;
    let objects = objects(&cloud);
    let first = objects.list_prefixes("captures/", None).await?;
    assert_eq!((first.prefixes.len(), first.prefixes[0].as_str()), (1000, "captures/0000/"));
    let second = objects.list_prefixes("captures/", first.next.as_deref()).await?;
    let last = second.prefixes.last().map(String::as_str);
    assert_eq!((second.prefixes.len(), last, second.next), (5, Some("captures/1004/"), None));
    Ok(())
}
