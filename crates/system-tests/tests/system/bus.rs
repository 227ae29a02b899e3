//! The events on our bus match the schemas in `events/bus/`.

use std::collections::{BTreeMap, BTreeSet};

use domain::outbound::EventType;
use jsonschema::Validator;
use local_testing::{Scenario, TestCloud, TestResult, workspace};
use serde_json::{Value, json};

use crate::recording::with_events;
use crate::requests::{record, run_recording, start_with_consent, with_waiting_room};

const KINDS: [(EventType, &str); 9] = [
    (EventType::CallStarted, "call-started"),
    (EventType::ParticipantWaiting, "participant-waiting"),
    (EventType::MembershipEnded, "membership-ended"),
    (EventType::CallEnded, "call-ended"),
    (EventType::RecordingStarted, "recording-started"),
    (EventType::RecordingReady, "recording-ready"),
    (EventType::RecordingFailed, "recording-failed"),
    (EventType::TranscriptReady, "transcript-ready"),
    (EventType::TranscriptFailed, "transcript-failed"),
];

fn read(file: &str) -> TestResult<Value> {
    let path = workspace().join("events/bus").join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// The schemas by detail type, each with its text.
fn schemas() -> TestResult<BTreeMap<&'static str, (Validator, Value)>> {
    let mut all = BTreeMap::new();
    for (kind, file) in KINDS {
        let schema = read(&format!("{file}.schema.json"))?;
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let validator = jsonschema::options().should_validate_formats(true).build(&schema);
        all.insert(kind.as_str(), (validator.map_err(|error| error.to_string())?, schema));
    }
    Ok(all)
}

fn faults(schema: &Validator, event: &Value) -> Vec<String> {
    schema.iter_errors(event).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

#[test]
fn each_detail_type_has_an_example_that_its_schema_takes_and_each_field_a_meaning() -> TestResult {
    let schemas = schemas()?;
    let mut files = BTreeSet::new();
    for (kind, file) in KINDS {
        let (schema, text) = &schemas[kind.as_str()];
        let example = read(&format!("{file}.json"))?;
        assert_eq!(faults(schema, &example), Vec::<String>::new(), "{file}");
        let described = text["properties"]["detail"]["properties"].as_object().ok_or("no fields")?;
        for (name, field) in described {
            assert!(field["description"].is_string(), "{file}: what is {name}?");
            assert!(!example["detail"][name].is_null(), "{file}: the example has no {name}");
        }
        // Required fields must be present; additional ones are allowed.
        for name in text["properties"]["detail"]["required"].as_array().ok_or("nothing required")? {
            let mut without = example.clone();
            without["detail"].as_object_mut().ok_or("no detail")?.remove(name.as_str().unwrap_or_default());
            assert_ne!(faults(schema, &without), Vec::<String>::new(), "{file} without {name}");
        }
        let mut wrong = example.clone();
        wrong["detail"]["userIds"] = json!(["somebody"]);
        assert_ne!(faults(schema, &wrong), Vec::<String>::new(), "{file}: a user's id is a UUID");
        let mut later = example.clone();
        later["detail"]["more"] = json!(1);
        assert_eq!(faults(schema, &later), Vec::<String>::new(), "{file}");
        files.extend([format!("{file}.json"), format!("{file}.schema.json")]);
    }
    for file in std::fs::read_dir(workspace().join("events/bus"))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        assert!(files.contains(&name), "events/bus/{name} is of no detail type");
    }
    Ok(())
}

/// The events on our bus for the host application. Each matches its schema and bears nothing that the schema does not describe.
fn described(cloud: &TestCloud) -> TestResult<Vec<Value>> {
    let schemas = schemas()?;
    let mut events = cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    events.retain(|event| event["source"] == bus::SOURCE);
    for event in &events {
        let kind = event["detail-type"].as_str().ok_or("no detail type")?;
        let (schema, text) = schemas.get(kind).ok_or_else(|| format!("{kind} is not described"))?;
        assert_eq!(faults(schema, event), Vec::<String>::new(), "{event}");
        let described = &text["properties"]["detail"]["properties"];
        for name in event["detail"].as_object().ok_or("no detail")?.keys() {
            assert!(!described[name].is_null(), "{kind} bears {name}, which is not described");
        }
    }
    Ok(events)
}

#[tokio::test(flavor = "multi_thread")]
async fn published_events_match_their_schemas_exactly() -> TestResult {
    let cloud = with_waiting_room().await?;
    let (ended, over, gone) = (cloud.scenario().await?, cloud.scenario().await?, cloud.scenario().await?);
    for scenario in [&ended, &over, &gone] {
        assert_eq!(scenario.provider.start().await?.brief(), "201");
    }
    assert_eq!(ended.patient.join().await?.brief(), "202");
    let cancel = format!(
        "UPDATE appointments SET status = 'cancelled' WHERE id = '{}' RETURNING id",
        ended.appointment
    );
    cloud.sql(&cancel).await?;
    assert_eq!(ended.patient.status().await?.brief(), "200");
    assert_eq!(ended.provider.end().await?.brief(), "200");
    let meeting = over.provider.status().await?.text("meetingId");
    cloud.chime_event(&meeting, "MeetingEnded", None)?;
    cloud.drain_queues().await?;
    cloud.parts().clock.advance(301);
    cloud.run_schedule("meeting-manager").await?;

    let ours = described(&cloud)?;
    let reasons: BTreeSet<_> = ours.iter().filter_map(|event| event["detail"]["reason"].as_str()).collect();
    assert_eq!(ours.len(), 8, "{ours:?}");
    assert_eq!(reasons, BTreeSet::from(["cancelled", "ended_by_provider", "meeting_ended", "meeting_gone"]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_recordings_match_their_schemas_exactly() -> TestResult {
    let cloud = with_events().await?;
    let (good, bad) = (cloud.scenario().await?, cloud.scenario().await?);
    let recording = record(&good).await?;
    run_recording(&cloud, 1, 30).await?;
    let stop = format!("/recordings/{recording}/stop");
    assert_eq!(good.provider.ask("POST", &stop, &json!({})).await?.brief(), "200");
    run_recording(&cloud, 3, 60).await?;
    // The quota of pipelines is exhausted.
    start_with_consent(&bad).await?;
    cloud.parts().chime.set_pipeline_quota(Some(0));
    let refused = bad.provider.ask("POST", "/appointments/{a}/call/recordings", &json!({})).await?;
    assert_eq!(refused.brief(), "503 RECORDING_CAPACITY", "{:?}", refused.body);
    run_recording(&cloud, 3, 60).await?;

    let ours = described(&cloud)?;
    let of = |scenario: &Scenario| -> Vec<&Value> {
        let appointment = scenario.appointment.as_str();
        let of = ours.iter().filter(|event| event["detail"]["appointmentId"] == appointment);
        of.filter(|event| !event["detail"]["recordingId"].is_null()).collect()
    };
    let kinds = |events: &[&Value]| -> Vec<String> {
        events.iter().filter_map(|event| event["detail-type"].as_str()).map(str::to_owned).collect()
    };
    let good_events = of(&good);
    assert_eq!(kinds(&good_events), ["Recording Started", "Recording Ready"]);
    let mut both = [&good.provider.id, &good.patient.id];
    both.sort();
    assert_eq!(good_events[0]["detail"]["userIds"], json!(both));
    assert_eq!(good_events[1]["detail"]["userIds"], json!([good.provider.id]));
    assert_eq!(
        (&good_events[1]["detail"]["segments"], &good_events[1]["detail"]["complete"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(kinds(&of(&bad)), ["Recording Failed"]);
    Ok(())
}
