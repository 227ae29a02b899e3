//! Faults and denials, as a function sees them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aws_sdk_chimesdkmeetings::error::ProvideErrorMetadata;
use local::faults::{Fault, FaultKind};

use crate::fixture::{Fixture, create};

fn fault(service: &str, kind: FaultKind) -> Fault {
    Fault {
        service: service.to_owned(),
        operation: None,
        function: None,
        kind,
        nth: None,
        ms: Some(150),
        times: None,
    }
}

/// The effect of a fault: the error's code if there was an answer, meetings made, kills, the recorded status.
async fn felt(kind: FaultKind) -> (Option<String>, bool, usize, usize, u16) {
    let fixture = Fixture::start().await;
    fixture.faults.add(fault("chime", kind));
    let result = create(&fixture.chime(), "token-1").send().await;
    let (code, answered) = match &result {
        Ok(_) => (None, true),
        Err(error) => (error.code().map(ToOwned::to_owned), error.raw_response().is_some()),
    };
    let calls = fixture.calls.since(0);
    assert_eq!(calls.len(), 1, "one call is one call");
    (code, answered, fixture.meetings().len(), fixture.kills.load(Ordering::SeqCst), calls[0].status)
}

#[tokio::test]
async fn each_fault_takes_effect_or_not_and_answers_or_not() {
    let code = |text: &str| Some(text.to_owned());
    assert_eq!(felt(FaultKind::Throttle).await, (code("ThrottlingException"), true, 0, 0, 429));
    assert_eq!(felt(FaultKind::Error).await, (code("ServiceFailureException"), true, 0, 0, 500));
    assert_eq!(felt(FaultKind::Latency).await, (None, true, 1, 0, 200));
    assert_eq!(felt(FaultKind::Drop).await, (None, false, 1, 0, 0), "effect, no answer");
    assert_eq!(felt(FaultKind::KillBefore).await, (None, false, 0, 1, 0), "no effect, no answer");
    assert_eq!(felt(FaultKind::KillAfter).await, (None, false, 1, 1, 0), "effect, no answer");
}

#[tokio::test]
async fn latency_makes_a_call_later() {
    let fixture = Fixture::start().await;
    fixture.faults.add(fault("*", FaultKind::Latency));
    let start = Instant::now();
    create(&fixture.chime(), "token-1").send().await.expect("it only takes longer");
    assert!(start.elapsed().as_millis() >= 150, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_call_whose_client_gave_up_takes_effect() {
    let fixture = Fixture::start().await;
    fixture.faults.add(fault("chime", FaultKind::Latency));
    let client = fixture.chime();
    let request = tokio::spawn(create(&client, "token-1").send());
    until("the call arrived", || !fixture.calls.since(0).is_empty()).await;
    request.abort();
    drop(client);
    until("the call took effect", || !fixture.meetings().is_empty()).await;
}

/// Waits for a condition, and not for ever.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect(what);
}

#[tokio::test]
async fn other_services_have_their_own_words_for_the_same_faults() {
    let fixture = Fixture::start().await;
    for (kind, dynamodb, secrets) in [
        (FaultKind::Throttle, ("ThrottlingException", 400), ("ThrottlingException", 400)),
        (FaultKind::Error, ("InternalServerError", 500), ("InternalServiceError", 500)),
    ] {
        fixture.faults.clear();
        fixture.faults.add(fault("*", kind));
        let error = fixture.dynamodb().list_tables().send().await.expect_err("a fault");
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        assert_eq!((error.code().unwrap_or_default(), status), dynamodb);
        let error = fixture.secrets().get_secret_value().secret_id("x").send().await.expect_err("a fault");
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        assert_eq!((error.code().unwrap_or_default(), status), secrets);
    }
}

#[tokio::test]
async fn a_missing_permission_is_denied_with_the_message_of_aws() {
    let fixture = Fixture::start().await;
    fixture.deny("chime:CreateMeeting");
    fixture.deny("dynamodb:ListTables");
    let error = create(&fixture.chime(), "token-1").send().await.expect_err("the role lacks it");
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(403));
    let message = error.message().unwrap_or_default();
    let expected = "User: arn:aws:sts::111122223333:assumed-role/meeting-manager/meeting-manager is not authorized to \
                    perform: chime:CreateMeeting on resource: *";
    assert!(message.starts_with(expected), "{message}");
    let error = fixture.dynamodb().list_tables().send().await.expect_err("the role lacks it");
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert_eq!(
        error.raw_response().map(|response| response.status().as_u16()),
        Some(400),
        "as JSON services do"
    );
    let calls = fixture.calls.since(0);
    assert!(calls.iter().all(|call| !call.allowed), "{calls:?}");
    assert!(fixture.meetings().is_empty(), "a refused call has no effect");
}

#[tokio::test]
async fn tagging_at_creation_needs_its_own_permission() {
    let fixture = Fixture::start().await;
    fixture.deny("chime:TagResource");
    let tag = aws_sdk_chimesdkmeetings::types::Tag::builder().key("k").value("v").build().expect("a tag");
    let error = create(&fixture.chime(), "token-1").tags(tag).send().await.expect_err("the role may not tag");
    assert_eq!(error.code(), Some("AccessDeniedException"));
    create(&fixture.chime(), "token-1").send().await.expect("without tags it may");
}
