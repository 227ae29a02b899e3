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
