//! Invalid input is rejected by field and changes nothing.

use local_testing::malformed_input::Field;
use local_testing::{TestCloud, TestResult, refusals};
use serde_json::{Value, json};

/// The function's routes, and whether each reads a body.
const ROUTES: [refusals::Route; 7] = [
    ("POST /appointments/{appointmentId}/call/attendees", true),
    ("GET /appointments/{appointmentId}/call/attendees", false),
    ("DELETE /appointments/{appointmentId}/call/attendees/me", false),
    ("PATCH /appointments/{appointmentId}/call/attendees/{userId}", true),
    ("DELETE /appointments/{appointmentId}/call/attendees/{userId}", false),
    ("PUT /appointments/{appointmentId}/call/consent", true),
    ("POST /appointments/{appointmentId}/call/quality", true),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_and_bodies_are_rejected_on_every_route() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::routes_refuse(&cloud, "attendee", &ROUTES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_field_is_named_whatever_its_value() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    refusals::field_refuses(&cloud, &scenario, ROUTES[0].0, &json!({}), ("checked", Field::Flag)).await?;
    scenario.patient.join().await?;
    for word in ["recording", "transcription"] {
        refusals::field_refuses(&cloud, &scenario, ROUTES[5].0, &json!({}), (word, Field::Flag)).await?;
    }
    refusals::field_refuses(&cloud, &scenario, ROUTES[3].0, &json!({}), ("admitted", Field::Flag)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_capability_is_named_and_changes_nothing() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    let before = cloud.census().await?;
    let path = format!("/appointments/{{a}}/call/attendees/{}", scenario.patient.id);
    for medium in ["audio", "video", "content"] {
        for (what, value) in Field::Word.refuses() {
            let body = format!(r#"{{"capabilities": {{"{medium}": {value}}}}}"#);
            let answer = scenario.provider.ask_raw("PATCH", &path, body).await?;
            refusals::assert_refused(&answer, &format!("422 capabilities.{medium}"), what);
        }
    }
    for (capabilities, field) in [
        ("5", "capabilities"),
        ("[]", "capabilities"),
        (r#"["Send", "Send", "Send"]"#, "capabilities"),
        (r#""SendReceive""#, "capabilities"),
        ("{}", "capabilities"),
        (r#"{"audio": null}"#, "capabilities"),
        (r#"{"audio": "Send", "audio": "None"}"#, "capabilities.audio"),
        (r#"{"audio": "sendreceive"}"#, "capabilities.audio"),
        (r#"{"video": "None"}"#, "capabilities.content"),
        ("null", "admitted"),
    ] {
        let body = format!(r#"{{"capabilities": {capabilities}}}"#);
        let answer = scenario.provider.ask_raw("PATCH", &path, body).await?;
        refusals::assert_refused(&answer, &format!("422 {field}"), capabilities);
    }
    assert_eq!(cloud.census().await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_sample_is_named_by_its_index_and_nothing_of_the_request_is_stored() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    let before = cloud.census().await?;
    let path = "/appointments/{a}/call/quality";
    let good = r#"{"jitterMs": 1}"#;
    for (measure, most) in [
        ("packetLossPercent", "100"),
        ("roundTripMs", "60000"),
        ("jitterMs", "60000"),
        ("bitrateKbps", "100000"),
    ] {
        let too_much = format!("{most}.001");
        for value in [
            "-1",
            "-0.001",
            &too_much,
            "1e308",
            "1e999",
            "-1e999",
            "18446744073709551615",
            "-9223372036854775808",
            r#""5""#,
            r#""NaN""#,
            r#""Infinity""#,
            "true",
            "[]",
            "[1]",
            "{}",
            r#"{"$ne": null}"#,
        ] {
            let body = format!(r#"{{"samples": [{good}, {good}, {good}, {{"{measure}": {value}}}]}}"#);
            let answer = scenario.patient.ask_raw("POST", path, body).await?;
            refusals::assert_refused(&answer, &format!("422 samples[3].{measure}"), value);
        }
        for value in ["NaN", "Infinity", "-Infinity", "0x10", "1,5", "01"] {
            let body = format!(r#"{{"samples": [{{"{measure}": {value}}}]}}"#);
            let answer = scenario.patient.ask_raw("POST", path, body).await?;
            refusals::assert_refused(&answer, "400 body", value);
        }
    }
    for at in ["-1", "1e20", "4102444800001", "1.5", r#""2026-11-20T10:00:00Z""#, "true", "[]"] {
        let body = format!(r#"{{"samples": [{{"jitterMs": 1, "at": {at}}}]}}"#);
        let answer = scenario.patient.ask_raw("POST", path, body).await?;
        refusals::assert_refused(&answer, "422 samples[0].at", at);
    }
    let many = format!(r#"{{"samples": [{}]}}"#, vec![good; 61].join(","));
    for (body, field) in [
        ("{}".to_owned(), "samples"),
        (r#"{"samples": null}"#.to_owned(), "samples"),
        (r#"{"samples": 5}"#.to_owned(), "samples"),
        (r#"{"samples": {}}"#.to_owned(), "samples"),
        (r#"{"samples": []}"#.to_owned(), "samples"),
        (many, "samples"),
        (format!(r#"{{"samples": [{good}, 5]}}"#), "samples[1]"),
        (format!(r#"{{"samples": [{good}, null]}}"#), "samples[1]"),
        (format!(r#"{{"samples": [{good}, [1, 2, 3, 4, 5]]}}"#), "samples[1]"),
        (format!(r#"{{"samples": [{good}, {{}}]}}"#), "samples[1]"),
        (format!(r#"{{"samples": [{good}, {{"at": 1}}]}}"#), "samples[1]"),
        (format!(r#"{{"samples": [{good}, {{"jitterMs": null}}]}}"#), "samples[1]"),
    ] {
        let answer = scenario.patient.ask_raw("POST", path, body.clone()).await?;
        refusals::assert_refused(&answer, &format!("422 {field}"), body.get(..60).unwrap_or(&body));
    }
    assert_eq!(cloud.census().await?, before);
    let most = format!(r#"{{"samples": [{}]}}"#, vec![good; 60].join(","));
    assert_eq!(scenario.patient.ask_raw("POST", path, most).await?.brief(), "202");
    assert_ne!(cloud.census().await?, before, "what is kept is seen by the same means");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_change_no_answer() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::odd_headers_change_nothing(&cloud, "attendee").await
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_other_appointments_give_no_access() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (mine, theirs) = (cloud.scenario().await?, cloud.scenario().await?);
    mine.provider.start().await?;
    let others = theirs.provider.start().await?;
    let before = cloud.census().await?.without_audit();
    let their_call = format!("/appointments/{}/call/attendees", theirs.appointment);
    let own = json!({ "appointmentId": mine.appointment, "meetingId": others.text("meetingId"), "userId": theirs.patient.id });
    for (method, path, body) in [
        ("POST", their_call.clone(), own.clone()),
        ("GET", their_call.clone(), Value::Null),
        ("DELETE", format!("{their_call}/me"), own.clone()),
        ("PATCH", format!("{their_call}/{}", theirs.patient.id), json!({ "admitted": true })),
        ("DELETE", format!("{their_call}/{}", theirs.patient.id), own.clone()),
        ("PUT", their_call.replace("attendees", "consent"), json!({ "recording": true })),
        ("POST", their_call.replace("attendees", "quality"), json!({ "samples": [{ "jitterMs": 1 }] })),
    ] {
        let answer = mine.patient.ask(method, &path, &body).await?;
        assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "{method}");
    }
    assert_eq!(cloud.census().await?.without_audit(), before, "nothing was done");

    // The body's ids are ignored: the token names the user and the path names the call.
    let joined = mine.patient.ask("POST", "/appointments/{a}/call/attendees", &own).await?;
    assert_eq!(joined.brief(), "200", "{:?}", joined.body);
    assert_eq!(joined.text("appointmentId"), mine.appointment);
    assert_eq!(joined.body["attendee"]["ExternalUserId"], mine.patient.id.as_str());
    Ok(())
}
