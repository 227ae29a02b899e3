//! Input that must be refused by name, without a trace.

use local::testing::hostile::Field;
use local::testing::{Outcome, Stage, refusals};
use serde_json::{Value, json};

/// The function's routes, and whether each reads a body.
const ROUTES: [refusals::Route; 3] = [
    ("POST /appointments/{appointmentId}/call/attendees", true),
    ("GET /appointments/{appointmentId}/call/attendees", false),
    ("DELETE /appointments/{appointmentId}/call/attendees/me", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_and_bodies_are_refused_on_every_route() -> Outcome {
    let stage = Stage::new().await?;
    refusals::routes_refuse(&stage, "attendee", &ROUTES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_field_is_named_whatever_its_value() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    play.provider.start().await?;
    refusals::field_refuses(&stage, &play, ROUTES[0].0, &json!({}), ("checked", Field::Flag)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_change_no_answer() -> Outcome {
    let stage = Stage::new().await?;
    refusals::odd_headers_change_nothing(&stage, "attendee").await
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_others_open_nothing() -> Outcome {
    let stage = Stage::new().await?;
    let (mine, theirs) = (stage.play().await?, stage.play().await?);
    mine.provider.start().await?;
    let others = theirs.provider.start().await?;
    let before = stage.census().await?.without_audit();
    let their_call = format!("/appointments/{}/call/attendees", theirs.appointment);
    let own = json!({ "appointmentId": mine.appointment, "meetingId": others.text("meetingId"), "userId": theirs.patient.id });
    for (method, path, body) in [
        ("POST", their_call.clone(), own.clone()),
        ("GET", their_call.clone(), Value::Null),
        ("DELETE", format!("{their_call}/me"), own.clone()),
    ] {
        let answer = mine.patient.ask(method, &path, &body).await?;
        assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "{method}");
    }
    assert_eq!(stage.census().await?.without_audit(), before, "nothing was done");

    // And in a body they mean nothing: who joins is who the token names, which call is what the path names.
    let joined = mine.patient.ask("POST", "/appointments/{a}/call/attendees", &own).await?;
    assert_eq!(joined.brief(), "200", "{:?}", joined.body);
    assert_eq!(joined.text("appointmentId"), mine.appointment);
    assert_eq!(joined.body["attendee"]["ExternalUserId"], mine.patient.id.as_str());
    Ok(())
}
