//! `PutEvents` over the wire.

use std::sync::atomic::Ordering;

use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder;
use local::events::DeliveryOutcome;
use local::faults::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, BUS, Fixture, REGION};

fn entry() -> PutEventsRequestEntryBuilder {
    PutEventsRequestEntry::builder()
        .source("medzen.calls")
        .detail_type("Call Started")
        .detail(r#"{"version": "1"}"#)
        .event_bus_name(BUS)
}

async fn put(
    fixture: &Fixture,
    entries: impl IntoIterator<Item = PutEventsRequestEntryBuilder>,
) -> Result<PutEventsOutput, String> {
    let entries = entries.into_iter().map(PutEventsRequestEntryBuilder::build).collect();
    let answer = fixture.eventbridge().put_events().set_entries(Some(entries)).send().await;
    answer.map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

fn received_events(fixture: &Fixture) -> Vec<Value> {
    fixture.received_events.lock().expect("no test panics here").clone()
}

#[tokio::test]
async fn an_event_comes_to_the_bus_as_event_bridge_wraps_it() {
    let fixture = Fixture::start().await;
    let answer = put(&fixture, [entry().time(DateTime::from_secs(1_767_225_600)).resources("one")]).await;
    let answer = answer.expect("it is taken");
    assert_eq!(answer.failed_entry_count(), 0);
    let id = answer.entries()[0].event_id().expect("it has an id");
    let expected = json!({
        "version": "0", "id": id, "detail-type": "Call Started", "source": "medzen.calls", "account": ACCOUNT,
        "time": "2026-01-01T00:00:00Z", "region": REGION, "resources": ["one"], "detail": {"version": "1"},
    });
    assert_eq!(received_events(&fixture), [expected]);

    let asked = fixture.last_asked();
    let bus = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}");
    assert_eq!(asked, ("events:PutEvents".to_owned(), Some(bus)));
    let keys = fixture.keys.lock().expect("no test panics here").clone();
    assert_eq!(
        (keys["events:source"].as_str(), keys["events:detail-type"].as_str()),
        ("medzen.calls", "Call Started")
    );
    let calls = fixture.calls.since(0);
    assert_eq!(
        (calls[0].service.as_str(), calls[0].operation.as_str(), calls[0].status),
        ("events", "PutEvents", 200)
    );
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let fixture = Fixture::start().await;
    let rows = [
        (entry(), ""),
        (entry().set_source(None), "InvalidArgument"),
        (entry().detail_type(""), "InvalidArgument"),
        (entry().set_detail(None), "InvalidArgument"),
        (entry().detail("{"), "MalformedDetail"),
        (entry().detail("[1]"), "MalformedDetail"),
        (entry().source("aws.chime"), "NotAuthorizedForSourceException"),
        (entry().source("s".repeat(257)), "InvalidArgument"),
        (entry(), ""),
    ];
    let answer = put(&fixture, rows.iter().map(|(entry, _)| entry.clone())).await.expect("some are taken");
    let codes: Vec<_> = answer.entries().iter().map(|it| it.error_code().unwrap_or_default()).collect();
    assert_eq!(codes, rows.map(|(_, code)| code));
    assert_eq!(answer.failed_entry_count(), 7);
    let ids: Vec<_> = answer.entries().iter().filter_map(|it| it.event_id()).collect();
    let came: Vec<_> = received_events(&fixture);
    let came: Vec<_> = came.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(came, ids);
}

#[tokio::test]
async fn a_call_that_is_too_large_is_refused_whole() {
    let fixture = Fixture::start().await;
    let text = |size: usize| format!(r#"{{"x":"{}"}}"#, "x".repeat(size));
    for entries in [
        vec![],
        vec![entry(); 11],
        vec![entry().detail(text(256 * 1024))],
        vec![entry().detail(text(130 * 1024)); 2],
    ] {
        assert_eq!(put(&fixture, entries).await.expect_err("too much"), "ValidationException");
    }
    assert!(received_events(&fixture).is_empty());
    assert!(put(&fixture, vec![entry(); 10]).await.is_ok());
    assert!(put(&fixture, [entry().detail(text(255 * 1024))]).await.is_ok());
}

#[tokio::test]
async fn an_event_for_an_unknown_bus_is_dropped_and_listed_by_the_control_api() {
    let fixture = Fixture::start().await;
    let answer = put(&fixture, [entry().event_bus_name("other")]).await.expect("AWS takes it, too");
    assert_eq!(answer.failed_entry_count(), 0);
    assert_eq!(fixture.bridge.deliveries()[0].outcome, DeliveryOutcome::NoBus);
}

/// The effect of a fault: the answer's code, events on the bus, kills.
async fn felt(kind: FaultKind) -> (Option<String>, usize, usize) {
    let fixture = Fixture::start().await;
    let (service, operation) = ("events".to_owned(), Some("PutEvents".to_owned()));
    fixture.faults.add(Fault {
        service,
        operation,
        function: None,
        kind,
        nth: None,
        ms: Some(1),
        times: None,
    });
    let code = put(&fixture, [entry()]).await.err();
    (code, received_events(&fixture).len(), fixture.kills.load(Ordering::SeqCst))
}

#[tokio::test]
async fn each_fault_takes_effect_or_not_and_answers_or_not() {
    let code = |text: &str| Some(text.to_owned());
    assert_eq!(felt(FaultKind::Throttle).await, (code("ThrottlingException"), 0, 0));
    assert_eq!(felt(FaultKind::Error).await, (code("InternalException"), 0, 0));
    assert_eq!(felt(FaultKind::Latency).await, (None, 1, 0));
    assert_eq!(felt(FaultKind::Drop).await, (code("no answer"), 1, 0));
    assert_eq!(felt(FaultKind::KillBefore).await, (code("no answer"), 0, 1));
    assert_eq!(felt(FaultKind::KillAfter).await, (code("no answer"), 1, 1));
}

#[tokio::test]
async fn a_role_that_may_not_put_on_the_bus_is_refused() {
    let fixture = Fixture::start().await;
    fixture.deny("events:PutEvents");
    assert_eq!(put(&fixture, [entry()]).await.expect_err("the role lacks it"), "AccessDeniedException");
    assert!(received_events(&fixture).is_empty());
}
