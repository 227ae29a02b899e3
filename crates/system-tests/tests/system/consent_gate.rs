//! While a capture is open, nobody gets a join token without consent to its purposes, and no capture is opened while somebody
//! without consent holds one.
//!
//! The captures are opened by the database function that the recording of a call will use; nothing is captured here.

use std::collections::BTreeSet;

use local::faults::FaultKind;
use local_testing::{Answer, Caller, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::{admit, at_chime, consent, invite, remove, with_waiting_room};
use crate::{invariants, outbox};

/// Opens a capture with the rights of the functions and returns whether it was opened.
async fn open(cloud: &TestCloud, session: &str, purposes: &str) -> TestResult<bool> {
    let now = cloud.parts().clock.now().unix_timestamp();
    let open = format!(
        "SELECT medzen.open_capture(gen_random_uuid(), '{session}', '{{{purposes}}}', to_timestamp({now}))::text"
    );
    Ok(cloud.sql(&open).await? == "true")
}

/// As the recording does once media is no longer captured.
async fn close_all(cloud: &TestCloud) -> TestResult {
    cloud
        .sql(
            "WITH closed AS (
               UPDATE medzen.media_captures SET status = 'stopped', ended_at = opened_at,
                 stop_requested_at = coalesce(stop_requested_at, opened_at), stop_reason = coalesce(stop_reason, 'requested')
               WHERE ended_at IS NULL RETURNING 1)
             SELECT count(*) FROM closed",
        )
        .await
        .map(drop)
}

/// The captures that are being stopped because of a refusal.
async fn stops(cloud: &TestCloud) -> TestResult<String> {
    cloud
        .sql(
            "SELECT coalesce(string_agg(stop_reason || ' ' || revoked::text, ', '), '')
             FROM medzen.media_captures WHERE status = 'stopping'",
        )
        .await
}

fn required(answer: &Answer) -> (String, Value, Value) {
    assert_eq!(answer.brief(), "202", "{:?}", answer.body);
    for name in ["meeting", "attendee", "attendeeToken"] {
        assert_eq!(answer.body[name], Value::Null, "{name}");
    }
    let poll = answer.text("poll");
    assert_eq!(
        (answer.headers.get("location"), answer.headers.get("retry-after")),
        (Some(&poll), Some(&"3".to_owned()))
    );
    (answer.text("status"), answer.body["purposes"].clone(), answer.body["stopping"].clone())
}

fn consent_required(purposes: &[&str], stopping: &[&str]) -> (String, Value, Value) {
    ("consent_required".to_owned(), json!(purposes), json!(stopping))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_during_a_capture_gets_a_token_after_consent() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    consent(&scenario.provider, json!({ "recording": true, "transcription": true })).await?;
    assert!(open(&cloud, &session, "recording,transcription").await?);

    let watch = cloud.watch();
    let first = scenario.patient.join().await?;
    assert_eq!(required(&first), consent_required(&["recording", "transcription"], &[]));
    assert_eq!(watch.operations(), ["load_call"], "nothing is created at Chime");
    assert_eq!(first.text("poll"), format!("/appointments/{}/call", scenario.appointment));
    let status = scenario.patient.status().await?;
    assert_eq!(status.body["me"]["consentRequired"], json!(["recording", "transcription"]));

    assert_eq!(consent(&scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    assert_eq!(required(&scenario.patient.join().await?), consent_required(&["transcription"], &[]));
    assert_eq!(consent(&scenario.patient, json!({ "transcription": true })).await?.brief(), "200");
    assert_eq!(scenario.patient.status().await?.body["me"]["consentRequired"], json!([]));
    let watch = cloud.watch();
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call", "CreateAttendee", "join"], "join: 3");
    assert_eq!(scenario.patient.leave().await?.brief(), "200");
    let watch = cloud.watch();
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call", "join"], "rejoin: 2");
    assert_eq!(stops(&cloud).await?, "");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_after_a_refusal_gets_a_token_once_the_capture_has_stopped() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    consent(&scenario.provider, json!({ "recording": true })).await?;
    assert!(open(&cloud, &session, "recording").await?);
    assert_eq!(required(&scenario.patient.join().await?), consent_required(&["recording"], &[]));

    assert_eq!(consent(&scenario.patient, json!({ "recording": false })).await?.brief(), "200");
    assert_eq!(stops(&cloud).await?, "", "a user who has not joined stops nothing");
    assert_eq!(required(&scenario.patient.join().await?), consent_required(&["recording"], &["recording"]));
    assert_eq!(stops(&cloud).await?, "consent_revoked {recording}", "the recording function stops it");
    assert_eq!(required(&scenario.patient.join().await?), consent_required(&["recording"], &["recording"]));
    assert_eq!(stops(&cloud).await?, "consent_revoked {recording}", "once");
    assert_eq!(scenario.patient.status().await?.body["me"]["consentRequired"], json!(["recording"]));
    close_all(&cloud).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert!(!open(&cloud, &session, "recording").await?, "and none is opened now");
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, consent.given, consent.revoked, participant.joined"
    );
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_that_a_participant_revokes_stops_the_capture_before_the_answer() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    for person in [&scenario.provider, &scenario.patient] {
        consent(person, json!({ "recording": true, "transcription": true })).await?;
    }
    assert!(open(&cloud, &session, "recording").await?);
    assert!(!open(&cloud, &session, "transcription").await?, "a call has one capture at a time");
    assert_eq!(consent(&scenario.provider, json!({ "transcription": false })).await?.brief(), "200");
    assert_eq!(stops(&cloud).await?, "", "nothing is transcribed");
    assert_eq!(consent(&scenario.provider, json!({ "recording": false })).await?.brief(), "200");
    assert_eq!(stops(&cloud).await?, "consent_revoked {recording}");
    for again in [scenario.provider.start().await?, scenario.provider.join().await?] {
        assert_eq!(required(&again), consent_required(&["recording"], &["recording"]));
    }
    assert_eq!(scenario.patient.join().await?.brief(), "200", "the patient has consented");
    assert_eq!(consent(&scenario.provider, json!({ "recording": true })).await?.brief(), "200");
    assert_eq!(scenario.provider.start().await?.brief(), "200", "and so has the provider again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_user_neither_stops_a_capture_nor_is_asked_before_admission() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    consent(&scenario.provider, json!({ "recording": true })).await?;
    assert!(open(&cloud, &session, "recording").await?);
    assert_eq!(scenario.patient.join().await?.text("status"), "waiting");
    consent(&scenario.patient, json!({ "recording": false })).await?;
    assert_eq!(stops(&cloud).await?, "");
    admit(&scenario.provider, &scenario.patient).await?;
    assert_eq!(required(&scenario.patient.join().await?), consent_required(&["recording"], &["recording"]));
    assert_eq!(stops(&cloud).await?, "consent_revoked {recording}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_needs_the_consent_of_everyone_who_holds_a_token() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    // The status says what the statements decide.
    let may_open = async |missing: &[&Caller]| -> TestResult {
        let shown = scenario.provider.status().await?.body["consent"]["recording"].clone();
        let ids: BTreeSet<_> = missing.iter().map(|user| user.id.as_str()).collect();
        let listed: BTreeSet<_> =
            shown["missing"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!((listed, &shown["allowed"]), (ids, &json!(missing.is_empty())));
        assert_eq!(open(&cloud, &session, "recording").await?, missing.is_empty());
        close_all(&cloud).await
    };
    may_open(&[&scenario.provider]).await?;
    consent(&scenario.provider, json!({ "recording": true })).await?;
    may_open(&[]).await?;
    invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    may_open(&[]).await?; // An invited user gets the token by joining.
    scenario.patient.join().await?;
    may_open(&[&scenario.patient]).await?;
    scenario.patient.leave().await?;
    may_open(&[&scenario.patient]).await?; // The token still admits its holder.
    scenario.stranger.join().await?;
    may_open(&[&scenario.patient, &scenario.stranger]).await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(remove(&scenario.provider, &scenario.stranger).await?.status, 503);
    may_open(&[&scenario.patient, &scenario.stranger]).await?; // Chime has not deleted the attendee.
    cloud.parts().faults.clear();
    assert_eq!(remove(&scenario.provider, &scenario.stranger).await?.brief(), "200");
    may_open(&[&scenario.patient]).await?;
    consent(&scenario.patient, json!({ "recording": true })).await?;
    may_open(&[]).await?;
    scenario.provider.leave().await?;
    assert!(!open(&cloud, &session, "recording").await?, "nobody is in the call");
    scenario.provider.end().await?;
    assert!(!open(&cloud, &session, "recording").await?, "the call is over");
    Ok(())
}

/// A join and the opening of a capture at the same moment, in any order: the capture is open, or the patient has a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_races_with_the_opening_of_a_capture_yields_no_token_without_consent() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut outcomes = BTreeSet::new();
    for round in 0..24 {
        let scenario = cloud.scenario().await?;
        let session = scenario.provider.start().await?.text("sessionId");
        consent(&scenario.provider, json!({ "recording": true })).await?;
        let returns = round % 3 == 0;
        if returns {
            assert_eq!(scenario.patient.join().await?.brief(), "200");
            assert_eq!(scenario.patient.leave().await?.brief(), "200");
        }
        let opening = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            open(&cloud, &session, "recording").await
        };
        let (joined, opened) = tokio::join!(scenario.patient.join(), opening);
        let (joined, opened) = (joined?, opened?);
        match joined.status {
            200 => assert!(!opened, "round {round}: a token and a capture"),
            202 => {
                assert!(opened && !returns, "round {round}");
                assert_eq!(required(&joined), consent_required(&["recording"], &[]));
                assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new());
            }
            status => return Err(format!("round {round}: {status} {:?}", joined.body).into()),
        }
        outcomes.insert(joined.status);
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    assert!(outcomes.contains(&200), "{outcomes:?}");
    Ok(())
}
