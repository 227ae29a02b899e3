//! Files: verified before they are ready, and played by links that expire.

use local_testing::TestResult;
use serde_json::{Value, json};

use super::{Recorded, control};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_verified_copied_and_played_by_links_that_expire() -> TestResult {
    let call = Recorded::with_consent().await?;
    let (provider, patient) = (&call.scenario.provider, &call.scenario.patient);
    let id = call.capturing().await?;
    call.pass(30).await?;
    let path = format!("/recordings/{id}/playback");
    assert_eq!(provider.ask("GET", &path, &Value::Null).await?.brief(), "409 RECORDING_NOT_READY");
    assert_eq!(control(provider, &id, "stop").await?.brief(), "200");
    let done = call.finished(&id).await?;
    assert_eq!(done["state"], "ready", "{done}");
    let seconds = done["segments"][0]["durationSeconds"].as_f64().ok_or("no duration")?;
    assert!((29.0..=36.0).contains(&seconds), "{seconds} s");

    assert_eq!(patient.ask("GET", &path, &Value::Null).await?.brief(), "403 RECORDING_RIGHT_MISSING");
    assert_eq!(call.scenario.stranger.ask("GET", &path, &Value::Null).await?.brief(), "403 NOT_A_MEMBER");
    let links = provider.ask("GET", &path, &Value::Null).await?;
    assert_eq!(links.brief(), "200", "{:?}", links.body);
    let url = links.body["segments"][0]["url"].as_str().ok_or("no url")?;
    let (status, body) = call.fetch(url, Some("bytes=4-7")).await?;
    assert_eq!((status, String::from_utf8_lossy(&body).as_ref()), (206, "ftyp"));
    let other = url.replace(&id, "00000000-0000-4000-8000-0000000000ff");
    assert_eq!(call.fetch(&other, None).await?.0, 403, "a link to another's recording");
    call.pass(16 * 60).await?;
    assert_eq!(call.fetch(url, None).await?.0, 403, "15 minutes");

    let sha = call.cloud.sql("SELECT sha256 FROM medzen.recording_segments").await?;
    assert_eq!(sha.len(), 44, "{sha}");
    call.minute().await?;
    let keys = call.keys();
    assert_eq!(keys, [format!("recordings/{id}/1.mp4")], "the chunks are deleted");
    // A request about a recording that there is not names it.
    let unknown =
        provider.ask("GET", "/recordings/00000000-0000-4000-8000-0000000000ff", &Value::Null).await?;
    assert_eq!(unknown.brief(), "404 RECORDING_NOT_FOUND");
    let ledger = call.cloud.sql("SELECT quantity::text FROM medzen.usage_ledger").await?;
    assert!((30..=36).contains(&ledger.parse::<i64>()?), "{ledger} s");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_better_of_two_files_is_kept_where_neither_is_complete() -> TestResult {
    let call = Recorded::with_consent().await?;
    for fault in ["outputTruncated", "outputFails"] {
        let body = json!({ "kind": fault, "times": 1 });
        let set = call.cloud.control_api("POST", "chime/pipelines/faults", &body).await?;
        assert!(set.status < 300, "{:?}", set.body);
    }
    let id = call.capturing().await?;
    call.pass(60).await?;
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    let done = call.finished(&id).await?;
    assert_eq!(done["state"], "incomplete", "{done}");
    let played = done["segments"][0]["durationSeconds"].as_f64().ok_or("no file")?;
    let missing = done["segments"][0]["missingSeconds"].as_f64().ok_or("nothing is missing")?;
    assert!(played > 20.0 && missing > 10.0, "{done}");
    let path = format!("/recordings/{id}/playback");
    assert_eq!(call.scenario.provider.ask("GET", &path, &Value::Null).await?.brief(), "200");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_short_is_concatenated_once_more() -> TestResult {
    for (fault, times, state) in [
        ("outputTruncated", 1, "ready"),
        ("lastChunkMissing", 1, "ready"),
        ("tracksApart", 1, "ready"),
        ("outputTruncated", 2, "incomplete"),
        ("outputFails", 1, "ready"),
    ] {
        let call = Recorded::with_consent().await?;
        let body = json!({ "kind": fault, "times": times });
        let set = call.cloud.control_api("POST", "chime/pipelines/faults", &body).await?;
        assert!(set.status < 300, "{:?}", set.body);
        let id = call.capturing().await?;
        call.pass(60).await?;
        assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
        let done = call.finished(&id).await?;
        assert_eq!(done["state"], state, "{fault} {times}: {done}");
        if state == "incomplete" {
            assert!(done["segments"][0]["missingSeconds"].as_f64().is_some_and(|it| it > 10.0), "{done}");
            assert!(call.keys().iter().any(|key| key.starts_with("captures/")), "the chunks are kept");
        }
    }
    Ok(())
}
