//! `make cdn` and `make cdn-rollback`.

use std::path::Path;

use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};

use crate::script::{Desk, served};

const DAY: u32 = 24 * 3600;

#[tokio::test(flavor = "multi_thread")]
async fn s3_here_does_what_boto3_expects_of_it() -> TestResult {
    let desk = Desk::new().await?;
    let ran = desk.python("s3.py", &[&desk.cloud.aws_url(), &desk.bucket]).await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_puts_what_the_local_cloud_puts_itself_and_a_second_one_nothing() -> TestResult {
    let desk = Desk::new().await?;
    let page = desk.build("one").await?;
    let ran = desk.upload(&page).await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);

    let other = TestCloud::with_page(&page).await?;
    let (mut by_script, mut by_cloud) = (desk.served(), served(&other));
    let config = |it: Option<(_, bytes::Bytes)>| {
        it.map(|(_, bytes)| serde_json::from_slice::<serde_json::Value>(&bytes))
    };
    let uploaded = config(by_script.remove("config.json")).ok_or("a configuration")??;
    let served = config(by_cloud.remove("config.json")).ok_or("a configuration")??;
    assert_eq!(by_script, by_cloud);
    assert_eq!(uploaded["embeddingOrigins"], serde_json::json!([desk.cloud.aws_url()]));
    for name in ["deepLinkBase", "tokenHeader"] {
        assert!(uploaded[name].is_string() && uploaded[name] == served[name], "{uploaded} {served}");
    }

    let watch = desk.cloud.watch();
    let ran = desk.upload(&page).await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert!(ran.said.contains("live already"), "{}", ran.said);
    assert_eq!((watch.count("PutObject"), watch.count("DeleteObjects")), (0, 0), "{:?}", watch.operations());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_an_upload_is_broken_off_the_live_page_is_whole() -> TestResult {
    let desk = Desk::new().await?;
    let first = desk.upload(&desk.build("page 0").await?).await?;
    assert_eq!(first.status, Some(0), "{}", first.said);
    let mut kills: u32 = 0;
    loop {
        let n = kills + 1;
        let page = desk.build(&format!("page {n}")).await?;
        // A read changes nothing: a kill after it equals a kill after the change before.
        desk.cloud.fault("s3", Some("PutObject"), FaultKind::KillAfter, Some(n));
        let ran = desk.upload(&page).await?;
        desk.cloud.parts().faults.clear();
        let live = desk.live()?;
        assert!(live.iter().all(|it| it.starts_with("page ")), "{live:?}");
        if ran.status.is_some() {
            assert_eq!(ran.status, Some(0), "{}", ran.said);
            assert!(live.iter().all(|it| *it == format!("page {n}")), "{live:?}");
            break;
        }
        kills = n;
    }
    // Three of the script, three of the page's own place, three of the live page, two manifests; and one that says, after
    // the first of the two uploads failed, that page 0 was the live one until now.
    assert_eq!(kills, 12, "it was killed after each object that it puts");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upload_is_finished_by_the_next_run() -> TestResult {
    let desk = Desk::new().await?;
    assert_eq!(desk.upload(&desk.build("one").await?).await?.status, Some(0));
    let two = desk.build("two").await?;
    desk.cloud.fault("s3", Some("PutObject"), FaultKind::KillAfter, Some(7));
    assert_eq!(desk.upload(&two).await?.status, None, "it is killed");
    desk.cloud.parts().faults.clear();
    let ran = desk.upload(&two).await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert!(desk.live()?.iter().all(|it| it == "two"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_leads_to_the_page_before_and_then_to_the_one_before_that() -> TestResult {
    let desk = Desk::new().await?;
    for says in ["one", "two", "three"] {
        assert_eq!(desk.upload(&desk.build(says).await?).await?.status, Some(0));
        desk.cloud.parts().clock.advance(60);
    }
    for expected in ["two", "one"] {
        let ran = desk.rollback().await?;
        assert_eq!(ran.status, Some(0), "{}", ran.said);
        assert!(desk.live()?.iter().all(|it| it == expected), "{:?}", desk.live()?);
        let gzip = desk.served().remove("index.html.gz").ok_or("the gzip page")?;
        assert_eq!(gzip.0.content_encoding.as_deref(), Some("gzip"), "headers come back too");
        assert_eq!(gzip.0.cache_control.as_deref(), Some("no-cache"));
    }
    let ran = desk.rollback().await?;
    assert_eq!(ran.status, Some(1), "there is none before the first");
    assert!(ran.said.contains("no page before"), "{}", ran.said);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_of_what_came_after_a_rollback_leads_past_the_page_that_was_taken_back() -> TestResult {
    let desk = Desk::new().await?;
    for says in ["one", "two", "three"] {
        assert_eq!(desk.upload(&desk.build(says).await?).await?.status, Some(0));
        desk.cloud.parts().clock.advance(60);
    }
    assert_eq!(desk.rollback().await?.status, Some(0));
    desk.cloud.parts().clock.advance(60);
    assert_eq!(desk.upload(&desk.build("four").await?).await?.status, Some(0));
    for expected in ["two", "one"] {
        desk.cloud.parts().clock.advance(60);
        let ran = desk.rollback().await?;
        assert_eq!(ran.status, Some(0), "{}", ran.said);
        assert!(desk.live()?.iter().all(|it| it == expected), "{:?}", desk.live()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_broken_off_leaves_a_whole_page_and_is_finished_by_the_next() -> TestResult {
    let desk = Desk::new().await?;
    let (one, two) = (desk.build("one").await?, desk.build("two").await?);
    assert_eq!(desk.upload(&one).await?.status, Some(0));
    let changes =
        [("PutObject", 1), ("CopyObject", 1), ("CopyObject", 2), ("CopyObject", 3), ("PutObject", 2)];
    for (operation, nth) in changes {
        desk.cloud.parts().clock.advance(60);
        assert_eq!(desk.upload(&two).await?.status, Some(0));
        desk.cloud.fault("s3", Some(operation), FaultKind::KillAfter, Some(nth));
        assert_eq!(desk.rollback().await?.status, None, "{operation} {nth}");
        desk.cloud.parts().faults.clear();
        desk.live()?;
        if (operation, nth) != ("PutObject", 2) {
            let ran = desk.rollback().await?;
            assert_eq!(ran.status, Some(0), "{operation} {nth}: {}", ran.said);
        }
        assert!(desk.live()?.iter().all(|it| it == "one"), "{operation} {nth}: {:?}", desk.live()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_of_an_upload_that_was_broken_off_leads_to_the_last_whole_one() -> TestResult {
    let desk = Desk::new().await?;
    for says in ["one", "two"] {
        assert_eq!(desk.upload(&desk.build(says).await?).await?.status, Some(0));
        desk.cloud.parts().clock.advance(60);
    }
    // After the last of the live page's three files, before the manifests.
    desk.cloud.fault("s3", Some("PutObject"), FaultKind::KillAfter, Some(9));
    assert_eq!(desk.upload(&desk.build("three").await?).await?.status, None);
    desk.cloud.parts().faults.clear();
    assert!(desk.live()?.iter().all(|it| it == "three"), "{:?}", desk.live()?);
    let ran = desk.rollback().await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert!(desk.live()?.iter().all(|it| it == "two"), "{:?}", desk.live()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_ninety_days_after_the_last_page_that_named_them_and_never_by_their_age() -> TestResult {
    let desk = Desk::new().await?;
    let upload = async |says: &str| desk.uploaded(says).await;
    upload("one").await?;
    desk.cloud.parts().clock.advance(DAY);
    upload("two").await?;
    // Two is live for a year; that makes it old, not unused.
    desk.cloud.parts().clock.advance(365 * DAY);
    upload("two").await?;
    assert!(desk.live()?.iter().all(|it| it == "two"));
    assert_eq!(desk.kept()?, ["one", "two"], "one is the page before: the way back to it stays");
    upload("three").await?;
    assert_eq!(desk.kept()?, ["three", "two"], "one is gone; two was live a moment ago");
    desk.cloud.parts().clock.advance(89 * DAY);
    upload("four").await?;
    assert_eq!(desk.kept()?, ["four", "three", "two"], "two was live 89 days ago");
    desk.cloud.parts().clock.advance(2 * DAY);
    upload("four").await?;
    assert_eq!(desk.kept()?, ["four", "three"], "two is gone; three and four are there");
    assert!(desk.live()?.iter().all(|it| it == "four"));
    assert_eq!(desk.rollback().await?.status, Some(0));
    assert!(desk.live()?.iter().all(|it| it == "three"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_where_the_ninety_days_of_the_page_that_it_takes_back_begin() -> TestResult {
    let desk = Desk::new().await?;
    let days = |n| desk.cloud.parts().clock.advance(n * DAY);
    for says in ["one", "two", "three"] {
        desk.uploaded(says).await?;
        days(1);
    }
    days(200);
    let ran = desk.rollback().await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    days(89);
    desk.uploaded("two").await?;
    assert_eq!(desk.kept()?, ["one", "three", "two"], "three was live 89 days ago, one is the page before");
    days(2);
    desk.uploaded("two").await?;
    assert_eq!(desk.kept()?, ["one", "two"], "three is gone");
    // Two was replaced once, long ago; but it is live again, and these are days that count.
    desk.uploaded("four").await?;
    days(1);
    desk.uploaded("five").await?;
    assert_eq!(desk.kept()?, ["five", "four", "two"], "two was live yesterday");
    days(88);
    desk.uploaded("five").await?;
    assert_eq!(desk.kept()?, ["five", "four", "two"], "two was live 89 days ago");
    days(2);
    desk.uploaded("five").await?;
    assert_eq!(desk.kept()?, ["five", "four"], "two is gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_broken_off_rollback_made_live_is_not_forgotten() -> TestResult {
    let desk = Desk::new().await?;
    for says in ["one", "two"] {
        desk.uploaded(says).await?;
        desk.cloud.parts().clock.advance(DAY);
    }
    desk.cloud.parts().clock.advance(200 * DAY);
    desk.cloud.fault("s3", Some("CopyObject"), FaultKind::KillAfter, Some(3));
    assert_eq!(desk.rollback().await?.status, None, "it is killed");
    desk.cloud.parts().faults.clear();
    assert!(desk.live()?.iter().all(|it| it == "one"), "{:?}", desk.live()?);
    desk.cloud.parts().clock.advance(DAY);
    desk.uploaded("three").await?;
    assert_eq!(desk.kept()?, ["one", "three", "two"], "one was live a moment ago, two is the page before");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_broken_off_rollback_left_live_counts_until_it_is_replaced() -> TestResult {
    for again in [None, Some("three")] {
        let desk = Desk::new().await?;
        for says in ["one", "two", "three"] {
            desk.uploaded(says).await?;
            desk.cloud.parts().clock.advance(DAY);
        }
        desk.cloud.fault("s3", Some("PutObject"), FaultKind::KillAfter, Some(1));
        assert_eq!(desk.rollback().await?.status, None, "it is killed");
        desk.cloud.parts().faults.clear();
        assert!(desk.live()?.iter().all(|it| it == "three"), "{:?}", desk.live()?);
        if let Some(says) = again {
            desk.uploaded(says).await?;
        }
        desk.cloud.parts().clock.advance(200 * DAY);
        desk.uploaded("four").await?;
        desk.cloud.parts().clock.advance(DAY);
        desk.uploaded("five").await?;
        let kept = desk.kept()?;
        assert!(kept.contains(&"three".to_owned()), "three was live yesterday, here is {kept:?}; {again:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_as_built_is_not_uploaded() -> TestResult {
    let desk = Desk::new().await?;
    let page = desk.build("one").await?;
    std::fs::write(page.join("index.html"), "tampered with")?;
    let ran = desk.upload(&page).await?;
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    assert!(ran.said.contains("index.html is not what the manifest says"), "{}", ran.said);
    assert!(desk.served().is_empty());
    Ok(())
}

/// The SDK's bundles in the bucket, without their compressed files.
fn bundles(desk: &Desk) -> Vec<String> {
    let is_script = |key: &str| Path::new(key).extension().is_some_and(|extension| extension == "js");
    desk.served().into_keys().filter(|key| key.starts_with("assets/chime-sdk-") && is_script(key)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_and_integrity_of_the_sdk_are_printed_under_the_names_that_apps_know() -> TestResult {
    let desk = Desk::new().await?;
    let ran = desk.upload(&desk.build("one").await?).await?;
    let page_url = desk.cloud.parts().plan.outputs.get("PageUrl").ok_or("the page's address")?;
    let url = format!("{}/{}", page_url.trim_end_matches("/call"), bundles(&desk)[0]);
    for line in [format!("chimeSdkCdnUrl: {url}"), format!("CHIME_SDK_CDN_URL={url}")] {
        assert!(ran.said.lines().any(|it| it == line), "{line} is not in {}", ran.said);
    }
    let integrity = ran.said.lines().find_map(|it| it.strip_prefix("integrity: ")).ok_or("an integrity")?;
    let manifest = std::fs::read_to_string(desk.directory.path().join("one/manifest.json"))?;
    assert!(integrity.starts_with("sha384-") && manifest.contains(integrity), "{integrity}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_the_sdk_is_never_deleted() -> TestResult {
    let desk = Desk::new().await?;
    for (says, sdk) in [("one", "an SDK"), ("two", "a newer one"), ("three", "the newest")] {
        assert_eq!(desk.upload(&desk.build_with(says, sdk).await?).await?.status, Some(0));
        desk.cloud.parts().clock.advance(400 * DAY);
    }
    desk.uploaded("four").await?;
    assert_eq!(desk.kept()?, ["four", "three"], "the pages are gone");
    assert_eq!(bundles(&desk).len(), 4, "apps in stores load these for years");
    let compressed = desk.served().into_keys().filter(|it| it.starts_with("assets/chime-sdk-")).count();
    assert_eq!(compressed, 12, "with their compressed files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_the_sdk_is_never_overwritten() -> TestResult {
    let desk = Desk::new().await?;
    desk.uploaded("one").await?;
    let (s3, bundle) = (&desk.cloud.parts().s3, bundles(&desk).remove(0));
    let before = s3.object(&desk.bucket, &bundle).ok_or("the bundle")?;
    // A compressor of another version: the bundle is the same, its compressed file is not.
    let compressed = format!("{bundle}.br");
    s3.put(&desk.bucket, &compressed, "compressed otherwise".into(), before.headers.clone())?;
    desk.uploaded("two").await?;
    let kept = s3.object(&desk.bucket, &compressed).ok_or("the compressed bundle")?;
    assert_eq!(kept.bytes()?, "compressed otherwise");

    s3.put(&desk.bucket, &bundle, "tampered with".into(), before.headers.clone())?;
    let watch = desk.cloud.watch();
    let ran = desk.upload(&desk.build("three").await?).await?;
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    assert!(ran.said.contains(&bundle) && ran.said.contains("other bytes"), "{}", ran.said);
    assert_eq!(watch.count("PutObject"), 0, "nothing is changed: {:?}", watch.operations());
    assert!(desk.live()?.iter().all(|it| it == "two"));
    Ok(())
}
