//! The seeded users and their tokens.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, has_only, is_refused, ok_body};

const ROLES: [&str; 4] = ["provider", "patient", "stranger", "auditor"];

fn is_a_fixture(cast: &Value) {
    has_only(cast, &["api", "page", "databaseUrl", "appointmentId", "users"]);
    has_only(&cast["users"], &ROLES);
    for role in ROLES {
        has_only(&cast["users"][role], &["id", "firebaseUid", "token"]);
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| unreachable!("{pointer} in {value}"))
}

/// How the call of an appointment looks to the bearer of a token.
async fn status(cloud: &TestCloud, cast: &Value, token: &str) -> TestResult<local_testing::Answer> {
    let path = format!("/appointments/{}/call", text(cast, "/appointmentId"));
    cloud.request("GET", &path, Some(token), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_200_when_all_is_ready() -> TestResult {
    let cloud = TestCloud::new().await?;
    get(&cloud, "health").await?;
    assert_eq!(cloud.request("GET", "/health", None, "").await?.status, 200, "and so it is");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_is_an_appointment_with_four_people_who_can_sign_in() -> TestResult {
    let cloud = TestCloud::new().await?;
    let world = get(&cloud, "world").await?;
    is_a_fixture(&world);
    let statuses = [("provider", 200), ("patient", 200), ("stranger", 403), ("auditor", 403)];
    for (role, expected) in statuses {
        let answer = status(&cloud, &world, text(&world, &format!("/users/{role}/token"))).await?;
        assert_eq!(answer.status, expected, "{role}: {}", answer.body);
    }

    // The address of the API is the API's, and that of the database the database's.
    let api = text(&world, "/api").strip_prefix("http://").ok_or("an address")?.to_owned();
    tokio::net::TcpStream::connect(api).await?;
    let (database, driver) =
        tokio_postgres::connect(text(&world, "/databaseUrl"), tokio_postgres::NoTls).await?;
    tokio::spawn(driver);
    let rows = database.simple_query("SELECT id, firebase_uid FROM public.users ORDER BY id LIMIT 1").await?;
    let row = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some((row.get(0), row.get(1))),
        _ => None,
    });
    let provider =
        (Some(text(&world, "/users/provider/id")), Some(text(&world, "/users/provider/firebaseUid")));
    assert_eq!(row, Some(provider));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_appointment_has_new_people() -> TestResult {
    let cloud = TestCloud::new().await?;
    let world = get(&cloud, "world").await?;
    let cast = ok_body(&cloud, "POST", "appointments", Value::Null).await?;
    is_a_fixture(&cast);
    assert_ne!(cast["appointmentId"], world["appointmentId"]);
    for role in ROLES {
        for name in ["id", "firebaseUid"] {
            assert_ne!(cast["users"][role][name], world["users"][role][name], "{role}");
        }
    }
    let path = format!("/appointments/{}/call", text(&cast, "/appointmentId"));
    let started = cloud.request("POST", &path, Some(text(&cast, "/users/provider/token")), "").await?;
    assert_eq!(started.status, 201, "{}", started.body);
    let other = status(&cloud, &cast, text(&world, "/users/provider/token")).await?;
    assert_eq!(other.status, 403, "the first appointment's provider is a stranger here");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_claims_are_laid_over_those_of_the_provider() -> TestResult {
    let cloud = TestCloud::new().await?;
    let world = get(&cloud, "world").await?;
    let patient = text(&world, "/users/patient/firebaseUid");
    let cases = [
        (json!({}), 200, "provider"),
        (json!({"claims": {}, "expiresIn": 60, "key": "good"}), 200, "provider"),
        (json!({"claims": {"sub": patient}}), 200, "patient"),
        (json!({"claims": {"aud": "another"}}), 401, ""),
        (json!({"expiresIn": -1}), 401, ""),
        (json!({"key": "unknown"}), 401, ""),
    ];
    for (body, expected, role) in cases {
        let token = ok_body(&cloud, "POST", "tokens", body.clone()).await?;
        has_only(&token, &["token"]);
        let answer = status(&cloud, &world, text(&token, "/token")).await?;
        assert_eq!(answer.status, expected, "{body}: {}", answer.body);
        if expected == 200 {
            assert_eq!(answer.body["isProvider"], role == "provider", "{body}");
            assert_eq!(answer.body["isPatient"], role == "patient", "{body}");
        }
    }
    for body in [json!({"key": "bad"}), json!({"expires": 60}), json!({"expiresIn": "soon"})] {
        is_refused(&cloud.control_api("POST", "tokens", &body).await?);
    }
    Ok(())
}
