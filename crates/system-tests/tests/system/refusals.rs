//! Denials: answered to the caller and appended to the caller's audit chain.

use domain::audit::stranger_chain;
use local::faults::FaultKind;
use local::tokens::Key;
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::access::{self, ROUTES};
use crate::{outbox, requests};

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_appended_to_the_audit_chain_of_the_caller() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let watch = cloud.watch();
    assert_eq!(scenario.stranger.status().await?.brief(), "403 NOT_A_MEMBER");
    assert_eq!(watch.operations(), ["load_call", "count_denial"], "one turn more");
    assert_eq!(scenario.stranger.roster().await?.brief(), "403 NOT_A_MEMBER");
    assert_eq!(scenario.patient.end().await?.brief(), "403 PATIENT_CANNOT_END");
    let body = json!({"action": "end", "appointmentId": scenario.appointment, "userId": scenario.patient.id});
    let direct = cloud.invoke("meeting-manager", &json!({"body": body.to_string()})).await?;
    assert_eq!(direct["statusCode"], 403);

    cloud.run_schedule("audit").await?;
    let of_stranger = cloud.audit_chain(&format!("ACTOR#{}", scenario.stranger.id))?;
    let audited: Vec<_> =
        of_stranger.iter().map(|entry| [&entry["event"], &entry["code"], &entry["route"]]).collect();
    assert_eq!(
        audited,
        [
            [
                &json!("access.denied"),
                &json!("NOT_A_MEMBER"),
                &json!("GET /appointments/{appointmentId}/call")
            ],
            [
                &json!("access.denied"),
                &json!("NOT_A_MEMBER"),
                &json!("GET /appointments/{appointmentId}/call/attendees")
            ],
        ]
    );
    assert_eq!(of_stranger[0]["appointmentId"], json!(scenario.appointment));
    assert_eq!(of_stranger[0]["actor"], json!(scenario.stranger.id));
    let of_patient = cloud.audit_chain(&format!("ACTOR#{}", scenario.patient.id))?;
    let routes: Vec<_> = of_patient.iter().map(|entry| &entry["route"]).collect();
    assert_eq!(routes, ["DELETE /appointments/{appointmentId}/call", "direct"]);
    assert_eq!(
        cloud.audit_table(&scenario.appointment)?.len(),
        1,
        "the appointment's chain has the call's entries alone"
    );
    for entry in of_stranger.iter().chain(&of_patient) {
        let text = entry.to_string();
        for secret in [&scenario.stranger.token, &scenario.patient.token, "Stranger", "Patient"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_names_the_appointment_the_recording_and_the_participant_of_every_route() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let recording = requests::record(&scenario).await?;
    access::add_transcript(&cloud, &scenario).await?;
    let other = cloud.scenario().await?;
    let named: Vec<_> = ROUTES.into_iter().filter(|(_, path)| path.contains('{')).collect();
    for (place, (method, path)) in named.iter().enumerate() {
        // Ten entries are appended in an hour, and fewer than that here.
        let stranger = [&other.provider, &other.patient, &other.stranger][place % 3];
        let route = (*method, *path);
        let answer = access::ask(&cloud, &scenario, &recording, Some(&stranger.token), route).await?;
        assert_eq!(answer, "403 NOT_A_MEMBER", "{method} {path}");
        let entries = outbox::chain(&cloud, &format!("ACTOR#{}", stranger.id)).await?;
        let entry = entries.last().ok_or("no entry")?;
        assert_eq!(entry["appointmentId"], json!(scenario.appointment), "{method} {path}: {entry}");
        let expected = |holds: bool, id: &str| if holds { json!(id) } else { Value::Null };
        assert_eq!(entry["recordingId"], expected(path.contains("{r}"), &recording), "{method} {path}");
        let transcript = expected(path.contains("{t}"), access::TRANSCRIPT);
        assert_eq!(entry["transcriptId"], transcript, "{method} {path}");
        let patient = expected(path.contains("{u}"), &scenario.patient.id);
        assert_eq!(entry["participantId"], patient, "{method} {path}");
    }
    let patient = &scenario.patient;
    for (function, action, id, value) in [
        ("recording", "pause", "recordingId", &recording),
        ("attendee", "remove", "participantId", &scenario.provider.id),
    ] {
        let body = json!({
            "action": action, id: value, "appointmentId": scenario.appointment, "userId": patient.id,
        });
        let denied = cloud.invoke(function, &json!({ "body": body.to_string() })).await?;
        assert_eq!(denied["statusCode"], 403, "{denied}");
        let entries = outbox::chain(&cloud, &format!("ACTOR#{}", patient.id)).await?;
        let entry = entries.last().ok_or("no entry")?;
        assert_eq!((&entry[id], &entry["route"]), (&json!(value), &json!("direct")), "{entry}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_account_leaves_a_hash_and_nothing_that_is_not_there() -> TestResult {
    let cloud = TestCloud::new().await?;
    let subject = "somebody@example.com";
    let token = cloud.parts().token(&json!({"sub": subject}), 3600, Key::Good)?;
    let nowhere = "/appointments/7d9f1c5e-0000-4000-8000-00000000dead/call";
    for path in [nowhere, &format!("/appointments/{}/call", cloud.first_scenario()?.appointment)] {
        assert_eq!(cloud.request("GET", path, Some(&token), "").await?.brief(), "403 UNKNOWN_USER");
    }
    let entries = outbox::chain(&cloud, &stranger_chain(subject)).await?;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["appointmentId"], Value::Null, "there is no such appointment");
    assert_eq!(entries[1]["appointmentId"], json!(cloud.first_scenario()?.appointment));
    let anywhere = "SELECT count(*)::text FROM medzen.audit_outbox WHERE payload LIKE '%somebody%' OR chain LIKE '%somebody%'";
    assert_eq!(cloud.sql(anywhere).await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_of_an_hour_make_ten_entries_and_the_next_one_counts_the_rest() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut stranger = cloud.scenario().await?.stranger;
    let all_at_once = (0..25).map(|_| {
        let stranger = stranger.clone();
        tokio::spawn(async move { stranger.start().await })
    });
    for answer in all_at_once.collect::<Vec<_>>() {
        assert_eq!(answer.await??.brief(), "403 NOT_A_MEMBER");
    }
    let chain = format!("ACTOR#{}", stranger.id);
    assert_eq!(outbox::chain(&cloud, &chain).await?.len(), 10);

    cloud.parts().clock.advance(3601);
    let subject = cloud.sql(&format!("SELECT firebase_uid FROM users WHERE id = '{}'", stranger.id)).await?;
    stranger.token = cloud.parts().token(&json!({"sub": subject}), 3600, Key::Good)?;
    for _ in 0..2 {
        assert_eq!(stranger.start().await?.brief(), "403 NOT_A_MEMBER");
    }
    let entries = outbox::chain(&cloud, &chain).await?;
    let suppressed: Vec<_> = entries[9..].iter().map(|entry| &entry["suppressed"]).collect();
    assert_eq!(suppressed, [&Value::Null, &json!(15), &Value::Null]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_cannot_be_noted_is_still_a_refusal() -> TestResult {
    for kind in [FaultKind::Error, FaultKind::Throttle] {
        let cloud = TestCloud::new().await?;
        let scenario = cloud.scenario().await?;
        cloud.fault("postgres", Some("count_denial"), kind, None);
        assert_eq!(scenario.stranger.status().await?.brief(), "403 NOT_A_MEMBER", "{kind:?}");
        let logs = cloud.parts().lambda.logs();
        assert!(logs.iter().any(|line| line.line.contains("denial not audited")), "it is in the log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_whose_answer_was_lost_counts_once() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.fault("postgres", Some("count_denial"), FaultKind::Drop, Some(1));
    let watch = cloud.watch();
    assert_eq!(scenario.stranger.status().await?.brief(), "403 NOT_A_MEMBER");
    assert_eq!(watch.count("count_denial"), 2, "it was sent again");
    assert_eq!(outbox::chain(&cloud, &format!("ACTOR#{}", scenario.stranger.id)).await?.len(), 1);
    Ok(())
}
