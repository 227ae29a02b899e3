//! How many sequential backend round trips a warm function makes, with 20 ms put on each so that none hides.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::{record, start_with_consent};

#[tokio::test(flavor = "multi_thread")]
async fn each_use_case_keeps_its_budget_of_round_trips() -> TestResult {
    let cloud = TestCloud::new().await?;
    let warm = cloud.scenario().await?;
    warm.provider.start().await?;
    warm.patient.join().await?;
    cloud.slow("*", None, 20);

    let scenario = cloud.scenario().await?;
    let watch = cloud.watch();
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(watch.operations(), ["start_call", "CreateMeetingWithAttendees", "activate"], "start: 3");

    let watch = cloud.watch();
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call", "CreateAttendee", "join"], "join: 3");

    let watch = cloud.watch();
    assert_eq!(scenario.patient.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"], "status: 1");

    let watch = cloud.watch();
    assert_eq!(scenario.patient.roster().await?.brief(), "200");
    assert_eq!(watch.operations(), ["roster"], "roster: 1");

    let watch = cloud.watch();
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"], "a rejoin without a leave: 1 of 2");

    let watch = cloud.watch();
    assert_eq!(scenario.patient.leave().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call", "leave"], "leave: 2");

    let watch = cloud.watch();
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call", "join"], "rejoin: 2");

    let watch = cloud.watch();
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(
        watch.operations(),
        ["load_call", "begin_end", "DeleteMeeting", "close", "PutEvents", "complete_operations"],
        "end: 4, and 2 to publish the event"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_about_a_recording_keeps_its_budget_of_round_trips() -> TestResult {
    let cloud = TestCloud::new().await?;
    // Environments and connections begin here.
    let warm = cloud.scenario().await?;
    record(&warm).await?;
    let scenario = cloud.scenario().await?;
    start_with_consent(&scenario).await?;
    cloud.slow("*", None, 20);

    let start = async || scenario.provider.ask("POST", "/appointments/{a}/call/recordings", &json!({})).await;
    let watch = cloud.watch();
    let started = start().await?;
    assert_eq!(started.brief(), "201");
    let expected = [
        "load_call",
        "apply_captures",
        "CreateMediaCapturePipeline",
        "load_call",
        "apply_captures",
        "complete_operations",
        "list_recordings",
    ];
    assert_eq!(watch.operations(), expected, "start: 6");

    let watch = cloud.watch();
    assert_eq!(start().await?.brief(), "200");
    assert_eq!(
        watch.operations(),
        ["load_call", "load_call", "list_recordings"],
        "a start of one that goes on: 3"
    );

    let path = format!("/recordings/{}", started.text("recordingId"));
    let watch = cloud.watch();
    assert_eq!(scenario.provider.ask("GET", &path, &Value::Null).await?.brief(), "200");
    assert_eq!(watch.operations(), ["list_recordings"], "get: 1");

    let watch = cloud.watch();
    let list = scenario.provider.ask("GET", "/appointments/{a}/recordings", &Value::Null).await?;
    assert_eq!(list.brief(), "200");
    assert_eq!(watch.operations(), ["list_recordings"], "list: 1");

    let watch = cloud.watch();
    assert_eq!(scenario.provider.ask("POST", &format!("{path}/stop"), &json!({})).await?.brief(), "200");
    let expected = [
        "find_recording",
        "load_call",
        "apply_captures",
        "DeleteMediaCapturePipeline",
        "complete_operations",
        "list_recordings",
    ];
    assert_eq!(watch.operations(), expected, "stop: 5");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reading_of_transcripts_keeps_its_budget_of_round_trips() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    start_with_consent(&scenario).await?;
    let transcript = "WITH transcript AS (
          INSERT INTO medzen.transcripts (id, session_id, created_at, finished_at, outcome, segment_count, sha256)
          SELECT gen_random_uuid(), id, now(), now(), 'ready', 4000, '' FROM video_call_sessions RETURNING id
        ), said AS (
          INSERT INTO medzen.transcript_segments (
            transcript_id, result_id, place, rank, source, start_ms, end_ms, content, speaker, body, language, spans, unfinished, revoked,
            search)
          SELECT id, 'r-' || n, 0, '1', 'live', n, n, false, 's', 'knee', 'en-US', '[]', false, false, 'knee'
          FROM transcript, generate_series(1, 4000) AS n RETURNING 1
        )
        SELECT count(*)::text FROM said";
    assert_eq!(cloud.sql(transcript).await?, "4000");
    let read = async || scenario.provider.ask("GET", "/appointments/{a}/transcript", &Value::Null).await;
    // Environments and connections begin here.
    assert_eq!(read().await?.brief(), "200");
    cloud.slow("*", None, 20);

    let watch = cloud.watch();
    assert_eq!(read().await?.body["segments"].as_array().map(Vec::len), Some(4000));
    let pages = ["transcript_segments"; 3];
    let expected: Vec<_> = ["view_transcript"].into_iter().chain(pages).chain(["audit_reading"]).collect();
    assert_eq!(watch.operations(), expected, "1, 1 for each 2,000 segments, the last empty, and the audit");

    let watch = cloud.watch();
    let query = json!({ "query": "knee" });
    let found = scenario.provider.ask("POST", "/transcripts/search", &query).await?;
    assert_eq!(found.body["results"].as_array().map(Vec::len), Some(20), "{:?}", found.body);
    assert_eq!(watch.operations(), ["search_transcripts"], "search with its audit: 1");
    Ok(())
}
