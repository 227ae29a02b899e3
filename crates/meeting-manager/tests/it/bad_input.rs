//! Invalid input is rejected by field and changes nothing.

use bytes::Bytes;
use local_testing::malformed_input::{self, Field};
use local_testing::{TestCloud, TestResult, refusals};
use serde_json::{Value, json};

/// The function's routes, and whether each reads a body.
const ROUTES: [refusals::Route; 6] = [
    ("POST /appointments/{appointmentId}/call", true),
    ("GET /appointments/{appointmentId}/call", false),
    ("DELETE /appointments/{appointmentId}/call", true),
    ("GET /appointments/{appointmentId}/call/link", false),
    ("POST /meetings", true),
    ("GET /health", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_and_bodies_are_rejected_on_every_route() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::routes_refuse(&cloud, "meeting-manager", &ROUTES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_field_is_named_whatever_its_value() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (idle, on) = (cloud.scenario().await?, cloud.scenario().await?);
    on.provider.start().await?;
    let start = "POST /appointments/{appointmentId}/call";
    let end = "DELETE /appointments/{appointmentId}/call";
    let act = "POST /meetings";
    for (scenario, route, body, field) in [
        (&idle, start, json!({}), ("enableRecording", Field::Flag)),
        (&idle, start, json!({}), ("enableTranscription", Field::Flag)),
        (&idle, start, json!({}), ("transcriptionLanguage", Field::Word)),
        (&idle, start, json!({}), ("mediaRegion", Field::Word)),
        (&idle, start, json!({}), ("checked", Field::Flag)),
        (&on, start, json!({}), ("checked", Field::Flag)),
        (&on, end, json!({}), ("sessionId", Field::Id)),
        (&on, act, json!({ "appointmentId": on.appointment }), ("action", Field::Word)),
        (&idle, act, json!({ "action": "create" }), ("appointmentId", Field::Id)),
        (
            &idle,
            act,
            json!({ "action": "create", "appointmentId": idle.appointment }),
            ("enableRecording", Field::Flag),
        ),
        (
            &idle,
            act,
            json!({ "action": "create", "appointmentId": idle.appointment }),
            ("transcriptionLanguage", Field::Word),
        ),
        (&on, act, json!({ "action": "join" }), ("appointmentId", Field::Id)),
        (&on, act, json!({ "action": "join", "appointmentId": on.appointment }), ("meetingId", Field::Id)),
        (&on, act, json!({ "action": "join", "appointmentId": on.appointment }), ("checked", Field::Flag)),
        (&on, act, json!({ "action": "leave" }), ("appointmentId", Field::Id)),
        (&on, act, json!({ "action": "leave", "appointmentId": on.appointment }), ("meetingId", Field::Id)),
        (&on, act, json!({ "action": "end" }), ("appointmentId", Field::Id)),
        (&on, act, json!({ "action": "end", "appointmentId": on.appointment }), ("sessionId", Field::Id)),
        (&on, act, json!({ "action": "get-status" }), ("appointmentId", Field::Id)),
        (&on, act, json!({ "action": "create", "appointmentId": on.appointment }), ("checked", Field::Flag)),
        (&on, act, json!({ "action": "get-link" }), ("appointmentId", Field::Id)),
        (
            &on,
            act,
            json!({ "action": "batch-join", "userIds": [on.patient.id] }),
            ("appointmentId", Field::Id),
        ),
        (
            &on,
            act,
            json!({ "action": "batch-join", "appointmentId": on.appointment }),
            ("userIds", Field::Ids),
        ),
        (
            &on,
            act,
            json!({ "action": "batch-join", "appointmentId": on.appointment, "userIds": [on.patient.id] }),
            ("observerKind", Field::Word),
        ),
    ] {
        refusals::field_refuses(&cloud, scenario, route, &body, field).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_id_in_a_list_is_named_and_no_user_is_invited() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let before = cloud.census().await?;
    let (appointment, patient, stranger) =
        (&scenario.appointment, &scenario.patient.id, &scenario.stranger.id);
    for (what, item) in malformed_input::items() {
        let body = format!(
            r#"{{"action":"batch-join","appointmentId":"{appointment}","userIds":["{patient}",{item},"{stranger}"]}}"#
        );
        let answer = scenario.provider.ask_raw("POST", "/meetings", body).await?;
        refusals::assert_refused(&answer, "422 userIds[1]", what);
    }
    let missing = json!({ "action": "batch-join", "appointmentId": appointment });
    let answer = scenario.provider.ask("POST", "/meetings", &missing).await?;
    refusals::assert_refused(&answer, "422 userIds", "none at all");
    assert_eq!(cloud.census().await?, before);

    // Duplicates of an id are not an error: eleven ids that are two users.
    let mut ids = vec![patient; 6];
    ids.extend([stranger; 5]);
    let twice = json!({ "action": "batch-join", "appointmentId": appointment, "userIds": ids });
    let answer = scenario.provider.ask("POST", "/meetings", &twice).await?;
    assert_eq!(answer.brief(), "200", "{:?}", answer.body);
    let invited = answer.body["attendees"].as_array().ok_or("no attendees")?;
    let mut users: Vec<_> = invited.iter().filter_map(|attendee| attendee["userId"].as_str()).collect();
    users.sort_unstable();
    let mut expected = vec![patient.as_str(), stranger.as_str()];
    expected.sort_unstable();
    assert_eq!(users, expected, "each is invited once: {:?}", answer.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_change_no_answer() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::odd_headers_change_nothing(&cloud, "meeting-manager").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_field_is_rejected() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, other) = (cloud.scenario().await?, cloud.scenario().await?);
    let before = cloud.census().await?;
    for (name, body) in [
        (
            "action",
            format!(
                r#"{{"action":"get-status","action":"create","appointmentId":"{}"}}"#,
                scenario.appointment
            ),
        ),
        (
            "appointmentId",
            format!(
                r#"{{"action":"create","appointmentId":"{}","appointmentId":"{}"}}"#,
                other.appointment, scenario.appointment
            ),
        ),
    ] {
        let answer = scenario.provider.ask_raw("POST", "/meetings", body).await?;
        refusals::assert_refused(&answer, &format!("422 {name}"), name);
    }
    assert_eq!(cloud.census().await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_other_appointments_give_no_access() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (mine, theirs) = (cloud.scenario().await?, cloud.scenario().await?);
    let started = mine.provider.start().await?;
    let others = theirs.provider.start().await?;
    let before = cloud.census().await?.without_audit();
    let me = &mine.provider;
    let their_call = format!("/appointments/{}/call", theirs.appointment);

    // The path names the appointment and the user, whatever the body says.
    let own = json!({ "appointmentId": mine.appointment, "userId": theirs.provider.id });
    let their_link = format!("{their_call}/link");
    for (method, path, body) in [
        ("POST", &their_call, own.clone()),
        ("GET", &their_call, Value::Null),
        ("GET", &their_link, Value::Null),
        ("DELETE", &their_call, own),
    ] {
        let answer = me.ask(method, path, &body).await?;
        assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "{method} {path}");
    }
    // The same in the body, by appointment or by meeting; the meeting has precedence where both are named.
    let of_meeting = json!({ "meetingId": others.text("meetingId"), "appointmentId": mine.appointment });
    let of_appointment = json!({ "appointmentId": theirs.appointment, "userId": theirs.provider.id });
    for action in ["create", "join", "leave", "end", "get-status"] {
        let mut bodies = vec![of_appointment.clone()];
        // A start has no meeting yet: the field is ignored.
        bodies.extend((action != "create").then(|| of_meeting.clone()));
        for mut body in bodies {
            body["action"] = action.into();
            let answer = me.ask("POST", "/meetings", &body).await?;
            assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "{body}");
        }
    }
    // A link and an invitation are requested by appointment only.
    for action in ["get-link", "batch-join"] {
        let mut body = of_appointment.clone();
        body["action"] = action.into();
        body["userIds"] = json!([mine.provider.id]);
        let answer = me.ask("POST", "/meetings", &body).await?;
        assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "{body}");
    }
    // A patient who names the provider in the body stays the patient.
    let pretend = json!({ "userId": mine.provider.id, "role": "provider" });
    let answer = mine.patient.ask("POST", "/appointments/{a}/call", &pretend).await?;
    assert_eq!(answer.brief(), "403 PATIENT_CANNOT_CREATE");
    let answer = mine.patient.ask("DELETE", "/appointments/{a}/call", &pretend).await?;
    assert_eq!(answer.brief(), "403 PATIENT_CANNOT_END");
    // A session of another appointment does not exist here.
    let session = json!({ "sessionId": others.text("sessionId") });
    let answer = me.ask("DELETE", "/appointments/{a}/call", &session).await?;
    assert_eq!(answer.brief(), "404 NO_ACTIVE_CALL");

    assert_eq!(cloud.census().await?.without_audit(), before, "nothing was done");
    assert_eq!(cloud.live_meetings().len(), 2);
    let again = me.start().await?;
    assert_eq!(again.body, started.body, "and the own call is as it was");
    assert_eq!(me.end().await?.brief(), "200");
    assert_ne!(cloud.census().await?.without_audit(), before, "what is done is seen by the same means");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_fields_are_ignored() -> TestResult {
    let cloud = TestCloud::new().await?;
    let other = cloud.scenario().await?;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = "x".repeat(1 << 20);
    for more in [
        format!(r#""appointmentId":"{}""#, other.appointment),
        format!(r#""meetingId":"{}","sessionId":null"#, other.appointment),
        format!(r#""userId":"{}","role":"provider""#, other.provider.id),
        format!(r#""more":{deep}"#),
        format!(r#""more":"{large}""#),
        r#""__proto__":{"action":"end"},"":0,"👩‍⚕️":"\u0000""#.to_owned(),
    ] {
        let brief = more.get(..40).unwrap_or(&more);
        let scenario = cloud.scenario().await?;
        let answer =
            scenario.provider.ask_raw("POST", "/appointments/{a}/call", format!("{{{more}}}")).await?;
        assert_eq!(answer.brief(), "201", "{brief}");
        assert_eq!(answer.text("appointmentId"), scenario.appointment, "{brief}");
        // Not where the field belongs to the action.
        if !more.contains("appointmentId") && !more.contains("meetingId") {
            let id = &scenario.appointment;
            for action in ["create", "join", "get-status", "leave", "end"] {
                let body = format!(r#"{{"action":"{action}","appointmentId":"{id}",{more}}}"#);
                let answer = scenario.provider.ask_raw("POST", "/meetings", body).await?;
                assert_eq!(answer.brief(), "200", "{action} {brief}");
            }
        }
    }
    let untouched =
        format!("SELECT count(*) FROM video_call_sessions WHERE appointment_id = '{}'", other.appointment);
    assert_eq!(cloud.sql(&untouched).await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_parsed_by_its_content_and_not_by_its_content_type() -> TestResult {
    let cloud = TestCloud::new().await?;
    for kind in [
        "application/json",
        "text/plain",
        "text/xml",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ] {
        let scenario = cloud.scenario().await?;
        let body = json!({ "action": "create", "appointmentId": scenario.appointment }).to_string();
        let headers = [("content-type", kind.as_bytes().to_vec())];
        let answer = scenario.provider.ask_with("POST", "/meetings", &headers, Bytes::from(body)).await?;
        assert_eq!(answer.brief(), "201", "{kind}: {:?}", answer.body);
    }
    Ok(())
}
