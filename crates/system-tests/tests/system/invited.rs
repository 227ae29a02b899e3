//! Links, invitations, and those who come by them.

use local::chime;
use local::faults::FaultKind;
use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::outbox;

async fn act(caller: &Caller, action: &str, more: Value) -> TestResult<Answer> {
    let mut body = json!({"action": action, "appointmentId": caller.appointment});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    caller.ask("POST", "/meetings", &body).await
}

async fn invite(scenario: &Scenario, users: &[&str]) -> TestResult<Answer> {
    act(&scenario.provider, "batch-join", json!({"userIds": users})).await
}

/// Leads into the call of another appointment than the caller's own.
fn at(caller: &Caller, scenario: &Scenario) -> Caller {
    let mut caller = caller.clone();
    caller.appointment.clone_from(&scenario.appointment);
    caller
}

const NOBODY: &str = "7d9f1c5e-0000-4000-8000-00000000dead";

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_gets_links_that_say_the_appointment_and_nothing_else() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.status().await?;
    let watch = cloud.watch();
    let link = scenario.provider.ask("GET", "/appointments/{a}/call/link", &Value::Null).await?;
    assert_eq!(watch.operations(), ["load_call"]);
    assert_eq!(link.brief(), "200", "{:?}", link.body);
    assert_eq!(link.text("deepLink"), format!("medzen://call/{}", scenario.appointment));
    assert_eq!(
        link.text("webLink"),
        format!("{}/call?appointmentId={}", cloud.parts().page_url, scenario.appointment)
    );
    assert_eq!(
        (link.text("appointmentId"), link.text("providerName")),
        (scenario.appointment.clone(), "Provider".to_owned())
    );
    assert!(
        link.text("scheduledStart").ends_with('Z') && !link.text("message").is_empty(),
        "{:?}",
        link.body
    );
    assert_eq!(
        act(&scenario.provider, "get-link", json!({})).await?.body,
        link.body,
        "the action answers the same"
    );

    for (caller, code) in [(&scenario.patient, "403 PROVIDER_ONLY"), (&scenario.stranger, "403 NOT_A_MEMBER")]
    {
        assert_eq!(caller.ask("GET", "/appointments/{a}/call/link", &Value::Null).await?.brief(), code);
    }
    let cancel = format!(
        "UPDATE appointments SET status = 'cancelled' WHERE id = '{}' RETURNING status",
        scenario.appointment
    );
    cloud.sql(&cancel).await?;
    assert_eq!(act(&scenario.provider, "get-link", json!({})).await?.brief(), "409 APPOINTMENT_CANCELLED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invited_join_with_the_attendee_that_was_made_for_them() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let guests = [scenario.patient.id.as_str(), &scenario.stranger.id, NOBODY];
    let invited = invite(&scenario, &guests).await?;
    assert_eq!(invited.brief(), "200", "{:?}", invited.body);
    assert_eq!(invited.body["errors"][0]["userId"], NOBODY);
    assert_eq!(invited.body["errors"][0]["code"], "USER_NOT_FOUND");
    assert_eq!(invited.body["errors"].as_array().map(Vec::len), Some(1));
    let places = invited.body["attendees"].as_array().cloned().unwrap_or_default();
    assert_eq!(places.len(), 2);
    scenario.provider.roster().await?;
    assert!(!invited.body.to_string().contains("oken"), "no one's join token: {}", invited.body);

    for (guest, role) in [(&scenario.patient, "patient"), (&scenario.stranger, "observer")] {
        let place = places.iter().find(|place| place["userId"] == guest.id).ok_or("has a place")?;
        assert_eq!((&place["role"], &place["status"]), (&json!(role), &json!("invited")));
        let watch = cloud.watch();
        let joined = guest.join().await?;
        assert_eq!(joined.brief(), "200", "{:?}", joined.body);
        assert_eq!(joined.body["attendeeToken"], place["attendeeId"], "{role}");
        assert_eq!(joined.body["role"], role);
        assert_eq!(watch.operations(), ["load_call", "join"], "no second attendee");
    }
    assert_eq!(cloud.live_meetings()[0]["attendees"].as_array().map(Vec::len), Some(3));

    let again = invite(&scenario, &guests[..2]).await?;
    let statuses: Vec<_> =
        again.body["attendees"].as_array().into_iter().flatten().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["joined", "joined"], "who has a place keeps it");
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, participant.invited, participant.invited, participant.joined, participant.joined"
    );
    let usage = cloud.parts().iam_usage();
    assert_eq!(usage["meeting-manager"]["refused"], json!([]));
    assert!(usage["meeting-manager"]["used"].to_string().contains("chime:BatchCreateAttendee"), "{usage}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_the_call_and_goes_when_it_is_over() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let (observer, other) = (&scenario.stranger, cloud.scenario().await?);
    scenario.provider.start().await?;
    assert_eq!(observer.join().await?.brief(), "403 NOT_A_MEMBER", "not before being invited");
    invite(&scenario, &[&observer.id]).await?;

    let status = observer.status().await?;
    assert_eq!(status.body["canJoin"], true, "{:?}", status.body);
    assert_eq!((&status.body["isProvider"], &status.body["isPatient"]), (&json!(false), &json!(false)));
    assert_eq!(observer.join().await?.brief(), "200");
    assert_eq!(observer.roster().await?.body["attendees"].as_array().map(Vec::len), Some(2));
    assert_eq!(observer.leave().await?.body["canRejoin"], true);
    assert_eq!(observer.join().await?.brief(), "200");

    for answer in [
        observer.start().await?,
        observer.end().await?,
        act(observer, "get-link", json!({})).await?,
        act(observer, "batch-join", json!({"userIds": [other.patient.id]})).await?,
    ] {
        assert_eq!(answer.status, 403, "{:?}", answer.body);
    }
    for stranger in
        [at(&other.provider, &scenario), at(&other.patient, &scenario), at(&other.stranger, &scenario)]
    {
        for answer in [
            stranger.status().await?,
            stranger.join().await?,
            stranger.roster().await?,
            stranger.leave().await?,
        ] {
            assert_eq!(answer.brief(), "403 NOT_A_MEMBER");
        }
    }
    assert_eq!(at(observer, &other).status().await?.brief(), "403 NOT_A_MEMBER", "of this call alone");

    assert_eq!(scenario.provider.end().await?.brief(), "200");
    for answer in [observer.status().await?, observer.join().await?, observer.roster().await?] {
        assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "the call is over");
    }
    assert_eq!(observer.leave().await?.brief(), "200", "whoever was in it may say that they leave");
    scenario.provider.start().await?;
    assert_eq!(observer.status().await?.brief(), "403 NOT_A_MEMBER", "the next call is another");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removed_stay_removed() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    invite(&scenario, &[&scenario.stranger.id, &scenario.patient.id]).await?;
    let remove =
        "UPDATE video_call_participants SET status = 'removed' WHERE role <> 'provider' RETURNING status";
    cloud.sql(remove).await?;
    let watch = cloud.watch();
    let again = invite(&scenario, &[&scenario.stranger.id, &scenario.patient.id]).await?;
    assert_eq!(again.body["attendees"], json!([]));
    assert_eq!(again.body["errors"].as_array().map(Vec::len), Some(2));
    assert_eq!(again.body["errors"][0]["code"], "REMOVED_FROM_CALL");
    assert_eq!(watch.count("BatchCreateAttendee"), 0);
    for answer in [
        scenario.stranger.join().await?,
        scenario.stranger.status().await?,
        scenario.stranger.roster().await?,
        scenario.patient.join().await?,
    ] {
        assert_eq!(answer.brief(), "403 REMOVED_FROM_CALL");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_beyond_the_attendee_quota_are_answered_as_errors() -> TestResult {
    let limits = chime::Options { rate: None, attendees: 2, ..chime::Options::default() };
    let cloud = TestCloud::with(limits).await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let invited = invite(&scenario, &[&scenario.patient.id, &scenario.stranger.id]).await?;
    assert_eq!(invited.brief(), "200", "{:?}", invited.body);
    let counts =
        [&invited.body["attendees"], &invited.body["errors"]].map(|list| list.as_array().map(Vec::len));
    assert_eq!(counts, [Some(1), Some(1)]);
    assert_eq!(invited.body["errors"][0]["code"], "ATTENDEE_NOT_CREATED");
    let rows = "SELECT count(*)::text FROM video_call_participants WHERE status = 'invited'";
    assert_eq!(cloud.sql(rows).await?, "1", "nothing is kept of who got none");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inviting_needs_a_call_that_is_on_and_one_to_ten_users() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(invite(&scenario, &[&scenario.patient.id]).await?.brief(), "404 NO_ACTIVE_CALL");
    scenario.provider.start().await?;
    let patient = act(&scenario.patient, "batch-join", json!({"userIds": [scenario.stranger.id]})).await?;
    assert_eq!(patient.brief(), "403 PROVIDER_ONLY");
    let eleven: Vec<String> = (10..21).map(|n| format!("7d9f1c5e-0000-4000-8000-0000000000{n}")).collect();
    for (users, field) in [
        (json!([]), "userIds"),
        (json!(eleven), "userIds"),
        (json!(["x"]), "userIds[0]"),
        (json!("x"), "userIds"),
        (Value::Null, "userIds"),
    ] {
        let answer = act(&scenario.provider, "batch-join", json!({"userIds": users})).await?;
        assert_eq!((answer.status, answer.text("field")), (422, field.to_owned()), "{users}");
    }
    cloud.parts().clock.advance(301);
    assert_eq!(
        invite(&scenario, &[&scenario.patient.id]).await?.brief(),
        "410 MEETING_EXPIRED",
        "Chime ended it meanwhile"
    );
    assert_eq!(scenario.provider.status().await?.body["callStatus"], "ended");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_killed_or_lost_at_any_call_is_made_good_by_its_repetition() -> TestResult {
    let cloud = TestCloud::new().await?;
    for kind in [FaultKind::KillBefore, FaultKind::KillAfter, FaultKind::Drop] {
        for operation in ["load_call", "load_guests", "BatchCreateAttendee", "invite"] {
            let case = format!("{kind:?} {operation}");
            let scenario = cloud.scenario().await?;
            scenario.provider.start().await?;
            cloud.fault("*", Some(operation), kind, Some(1));
            invite(&scenario, &[&scenario.patient.id, &scenario.stranger.id]).await?;
            cloud.parts().faults.clear();
            let invited = invite(&scenario, &[&scenario.patient.id, &scenario.stranger.id]).await?;
            assert_eq!(invited.brief(), "200", "{case}");
            for place in invited.body["attendees"].as_array().into_iter().flatten() {
                let guest = if place["userId"] == scenario.patient.id {
                    &scenario.patient
                } else {
                    &scenario.stranger
                };
                assert_eq!(guest.join().await?.body["attendeeToken"], place["attendeeId"], "{case}");
            }
            assert_eq!(
                outbox::events(&cloud, &scenario.appointment).await?,
                "call.started, participant.invited, participant.invited, participant.joined, participant.joined",
                "{case}"
            );
            assert_eq!(scenario.provider.end().await?.brief(), "200");
        }
    }
    Ok(())
}
