//! Authorization: every route called by every role, as one table.

use local::tokens::Key;
use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests;

pub(crate) const ROUTES: [(&str, &str); 28] = [
    ("POST", "/appointments/{a}/call/recordings"),
    ("DELETE", "/appointments/{a}/call/recordings"),
    ("GET", "/appointments/{a}/recordings"),
    ("GET", "/recordings/{r}"),
    ("POST", "/recordings/{r}/pause"),
    ("POST", "/recordings/{r}/resume"),
    ("POST", "/recordings/{r}/stop"),
    ("GET", "/recordings/{r}/playback"),
    ("GET", "/recordings/{r}/playback?download=true"),
    ("DELETE", "/recordings/{r}"),
    ("POST", "/appointments/{a}/call/transcription"),
    ("DELETE", "/appointments/{a}/call/transcription"),
    ("GET", "/transcription/languages"),
    ("GET", "/appointments/{a}/transcript"),
    ("DELETE", "/transcripts/{t}"),
    ("POST", "/transcripts/search"),
    ("GET", "/appointments/{a}/call"),
    ("GET", "/appointments/{a}/call/attendees"),
    ("POST", "/appointments/{a}/call/attendees"),
    ("DELETE", "/appointments/{a}/call/attendees/me"),
    ("POST", "/appointments/{a}/call"),
    ("PUT", "/appointments/{a}/call/consent"),
    ("POST", "/appointments/{a}/call/quality"),
    ("PATCH", "/appointments/{a}/call/attendees/{u}"),
    ("DELETE", "/appointments/{a}/call/attendees/{u}"),
    ("DELETE", "/appointments/{a}/call"),
    ("POST", "/meetings"),
    ("GET", "/health"),
];

/// Routes that ask for the auditor's role and for no membership.
const AUDITOR_ROUTES: [(&str, &str); 3] = [
    ("PUT", "/appointments/{a}/hold"),
    ("GET", "/appointments/{a}/hold"),
    ("DELETE", "/appointments/{a}/hold"),
];

/// A finished transcript of the call.
pub(crate) const TRANSCRIPT: &str = "00000000-0000-4000-8000-0000000000d1";

/// Gives the call its transcript.
pub(crate) async fn add_transcript(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    let appointment = &scenario.appointment;
    let transcript = format!(
        "INSERT INTO medzen.transcripts (id, session_id, created_at, finished_at, outcome, segment_count, sha256)
         SELECT '{TRANSCRIPT}', id, now(), now(), 'ready', 0, '' FROM video_call_sessions WHERE appointment_id = '{appointment}'
         RETURNING ''"
    );
    cloud.sql(&transcript).await?;
    Ok(())
}

pub(crate) async fn ask(
    cloud: &TestCloud,
    scenario: &Scenario,
    recording: &str,
    token: Option<&str>,
    (method, path): (&str, &str),
) -> TestResult<String> {
    let body = match path {
        "/meetings" => json!({ "action": "get-status", "appointmentId": scenario.appointment }).to_string(),
        "/transcripts/search" => json!({ "query": "knee" }).to_string(),
        "/appointments/{a}/call/consent" => json!({ "recording": true }).to_string(),
        "/appointments/{a}/call/quality" => json!({ "samples": [{ "jitterMs": 1 }] }).to_string(),
        "/appointments/{a}/hold" if method == "PUT" => json!({ "reason": "AZ-7" }).to_string(),
        _ if method == "PATCH" => json!({ "capabilities": { "audio": "SendReceive" } }).to_string(),
        _ => String::new(),
    };
    let path = path.replace("{a}", &scenario.appointment).replace("{u}", &scenario.patient.id);
    let path = path.replace("{r}", recording).replace("{t}", TRANSCRIPT);
    Ok(cloud.request(method, &path, token, body).await?.brief())
}

/// 401 only for a bad token, and no route but /health without one.
#[expect(clippy::too_many_lines, reason = "a table of routes and callers")]
#[tokio::test(flavor = "multi_thread")]
async fn every_route_by_everyone() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let recording = requests::record(&scenario).await?;
    add_transcript(&cloud, &scenario).await?;
    let token = |claims: Value, expires_in, key| cloud.parts().token(&claims, expires_in, key);
    let bad = [
        ("nobody", None),
        ("expired", Some(token(json!({}), -10, Key::Good)?)),
        ("of another audience", Some(token(json!({ "aud": "somebody-else" }), 60, Key::Good)?)),
        ("of another issuer", Some(token(json!({ "iss": "https://example.com" }), 60, Key::Good)?)),
        ("by an unknown key", Some(token(json!({}), 60, Key::Unknown)?)),
        ("not yet valid", Some(token(json!({ "nbf": 9_999_999_999_i64 }), 60, Key::Good)?)),
        ("no token at all", Some("nonsense".to_owned())),
    ];
    for (who, token) in &bad {
        for (method, path) in ROUTES.into_iter().chain(AUDITOR_ROUTES) {
            let expected = if path == "/health" { "200" } else { "401" };
            let answer = ask(&cloud, &scenario, &recording, token.as_deref(), (method, path)).await?;
            assert_eq!(answer, expected, "{who}: {method} {path}");
        }
    }

    let unknown = token(json!({ "sub": "an-account-nobody-knows" }), 60, Key::Good)?;
    let without_subject = token(json!({ "sub": "" }), 60, Key::Good)?;
    // The stranger has the role beside an account; the other auditor has none.
    let role = |mut claims: Value| {
        claims["medzen_role"] = json!("auditor");
        claims
    };
    let stranger =
        cloud.sql(&format!("SELECT firebase_uid FROM users WHERE id = '{}'", scenario.stranger.id)).await?;
    let auditor = token(role(json!({ "sub": stranger })), 60, Key::Good)?;
    let outside_auditor = token(role(json!({ "sub": "an-auditor-nobody-knows" })), 60, Key::Good)?;
    let list = token(json!({ "sub": stranger, "medzen_role": ["auditor", "doctor"] }), 60, Key::Good)?;
    let (yes, only, no_right) = ("200", "403 PROVIDER_ONLY", "403 RECORDING_RIGHT_MISSING");
    let (not_a_member, unknown_user) =
        (["403 NOT_A_MEMBER"; ROUTES.len()], ["403 UNKNOWN_USER"; ROUTES.len()]);
    let (no_auditor, is_auditor) = (["403 AUDITOR_ONLY"; 3], ["201", "200", "200"]);
    let table: [(&str, &str, [&str; ROUTES.len()], [&str; 3]); 8] = [
        ("unknown account", &unknown, unknown_user, no_auditor),
        ("without subject", &without_subject, ["401 NO_IDENTITY"; ROUTES.len()], ["401 NO_IDENTITY"; 3]),
        ("stranger", &scenario.stranger.token, not_a_member, no_auditor),
        ("auditor", &auditor, not_a_member, is_auditor),
        ("auditor without an account", &outside_auditor, unknown_user, is_auditor),
        ("stranger with a list of roles", &list, not_a_member, no_auditor),
        (
            "patient",
            &scenario.patient.token,
            [
                only,
                only,
                no_right,
                no_right,
                only,
                only,
                only,
                no_right,
                no_right,
                no_right,
                only,
                only,
                yes,
                "403 TRANSCRIPT_RIGHT_MISSING",
                "403 TRANSCRIPT_RIGHT_MISSING",
                // Its calls are searched in which the caller's role may read: none.
                yes,
                yes,
                yes,
                yes,
                yes,
                "403 PATIENT_CANNOT_CREATE",
                yes,
                "202",
                only,
                only,
                "403 PATIENT_CANNOT_END",
                yes,
                yes,
            ],
            no_auditor,
        ),
        (
            "provider",
            &scenario.provider.token,
            [
                yes,
                yes,
                yes,
                yes,
                yes,
                yes,
                yes,
                "409 RECORDING_NOT_READY",
                no_right,
                no_right,
                "409 CONSENT_REQUIRED",
                "404 TRANSCRIPT_NOT_FOUND",
                yes,
                yes,
                "409 TRANSCRIPT_RETAINED",
                yes,
                yes,
                yes,
                yes,
                yes,
                yes,
                yes,
                "202",
                yes,
                yes,
                yes,
                yes,
                yes,
            ],
            no_auditor,
        ),
    ];
    for (who, token, expected, of_auditor) in table {
        let routes = ROUTES.into_iter().zip(expected).chain(AUDITOR_ROUTES.into_iter().zip(of_auditor));
        for ((method, path), expected) in routes {
            // About no appointment: whoever is signed in may know the languages, and a member of no call finds nothing.
            let is_open = path == "/transcription/languages" && expected.starts_with("403")
                || path == "/transcripts/search" && expected == "403 NOT_A_MEMBER";
            let expected = if path == "/health" || is_open { "200" } else { expected };
            let answer = ask(&cloud, &scenario, &recording, Some(token), (method, path)).await?;
            assert_eq!(answer, expected, "{who}: {method} {path}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appointment_that_is_not_there_is_404_for_everyone() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut scenario = cloud.scenario().await?;
    scenario.provider.appointment = "7d9f1c5e-0000-4000-8000-00000000dead".to_owned();
    for answer in
        [scenario.provider.start().await?, scenario.provider.status().await?, scenario.provider.join().await?]
    {
        assert_eq!(answer.brief(), "404 APPOINTMENT_NOT_FOUND");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_call_there_is_nothing_to_join_or_end() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.patient.join().await?.brief(), "404 NO_ACTIVE_CALL");
    assert_eq!(scenario.patient.leave().await?.brief(), "404 NO_ACTIVE_CALL");
    assert_eq!(scenario.provider.end().await?.brief(), "404 NO_ACTIVE_CALL");
    assert_eq!(scenario.provider.roster().await?.brief(), "404 NO_ACTIVE_CALL");
    let status = scenario.patient.status().await?;
    assert_eq!((status.brief().as_str(), status.text("callStatus").as_str()), ("200", "not_started"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appointment_without_video_or_cancelled_starts_no_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    for (change, code) in [
        ("video_enabled = false", "409 VIDEO_NOT_ENABLED"),
        ("status = 'cancelled'", "409 APPOINTMENT_CANCELLED"),
        ("status = 'canceled'", "409 APPOINTMENT_CANCELLED"),
    ] {
        let scenario = cloud.scenario().await?;
        let update =
            format!("UPDATE appointments SET {change} WHERE id = '{}' RETURNING id", scenario.appointment);
        cloud.sql(&update).await?;
        assert_eq!(scenario.provider.start().await?.brief(), code);
    }
    assert!(cloud.meetings().is_empty());
    Ok(())
}
