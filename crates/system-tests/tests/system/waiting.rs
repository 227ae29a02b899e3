//! The waiting room: who waits, who is let in, who is turned away.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::requests::{admit, at_chime, change, invite, operations_and_tokens, turn_away, with_waiting_room};
use crate::{invariants, outbox};

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_waits_without_an_attendee_until_the_provider_lets_them_in() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.patient.join().await?.brief(), "404 NO_ACTIVE_CALL");
    assert_eq!(scenario.provider.start().await?.brief(), "201", "the provider never waits");
    scenario.patient.roster().await?;

    let watch = cloud.watch();
    let waiting = scenario.patient.join().await?;
    let told = ["load_call", "wait", "PutEvents", "complete_operations"];
    assert_eq!(watch.operations(), told, "and the provider is told at once");
    assert_eq!(waiting.brief(), "202", "{:?}", waiting.body);
    let poll = format!("/appointments/{}/call", scenario.appointment);
    assert_eq!((waiting.text("status").as_str(), waiting.text("poll")), ("waiting", poll.clone()));
    assert_eq!((waiting.text("callStatus").as_str(), waiting.text("role").as_str()), ("active", "patient"));
    assert_eq!((&waiting.headers["retry-after"], &waiting.headers["location"]), (&"3".to_owned(), &poll));
    for name in ["meeting", "attendee", "attendeeToken", "meetingId"] {
        assert_eq!(waiting.body[name], Value::Null, "{name}");
    }
    assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new());
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0");

    cloud.parts().clock.advance(5);
    let watch = cloud.watch();
    let again = scenario.patient.join().await?;
    assert_eq!(
        (again.brief().as_str(), &again.body),
        ("202", &waiting.body),
        "since then, and not since now"
    );
    assert_eq!(watch.operations(), ["load_call"], "nothing is written");
    let by_action = json!({ "action": "join", "appointmentId": scenario.appointment });
    let by_action = scenario.patient.ask("POST", "/meetings", &by_action).await?;
    assert_eq!((by_action.brief().as_str(), &by_action.body), ("202", &waiting.body));
    assert_eq!(by_action.headers["retry-after"], "3");

    let seen = scenario.provider.status().await?;
    let expected = json!([{
        "userId": scenario.patient.id, "displayName": "Patient", "role": "patient", "since": waiting.body["waitingSince"],
    }]);
    assert_eq!(seen.body["waiting"], expected);
    assert_eq!(seen.body["present"], json!([scenario.provider.id]), "who waits is not in the call");
    let own = scenario.patient.status().await?;
    assert_eq!((&own.body["waiting"], &own.body["canJoin"]), (&json!([]), &json!(true)));
    assert_eq!(own.body["me"]["status"], "waiting");
    assert_eq!(
        (&own.body["me"]["admitted"], &own.body["me"]["waitingSince"]),
        (&json!(false), &waiting.body["waitingSince"])
    );

    let admitted = admit(&scenario.provider, &scenario.patient).await?;
    assert_eq!(admitted.brief(), "200", "{:?}", admitted.body);
    assert_eq!((admitted.text("status").as_str(), &admitted.body["admitted"]), ("invited", &json!(true)));
    assert_eq!(admitted.body["waitingSince"], Value::Null);
    assert_eq!(admit(&scenario.provider, &scenario.patient).await?.body, admitted.body, "once is enough");
    assert_eq!(scenario.patient.status().await?.body["me"]["admitted"], true);
    assert_eq!(scenario.provider.status().await?.body["waiting"], json!([]));

    let joined = scenario.patient.join().await?;
    assert_eq!(joined.brief(), "200", "{:?}", joined.body);
    assert!(joined.body["attendee"]["JoinToken"].is_string());
    assert_eq!(scenario.patient.leave().await?.body["canRejoin"], true);
    assert_eq!(
        scenario.patient.join().await?.body["attendee"],
        joined.body["attendee"],
        "admitted is admitted"
    );
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, participant.waiting, participant.admitted, participant.joined, participant.left, participant.joined"
    );

    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "202", "the next call is another");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_away_stays_outside_until_the_provider_says_otherwise() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    let away = turn_away(&scenario.provider, &scenario.patient).await?;
    assert_eq!(
        (away.brief().as_str(), away.text("status").as_str()),
        ("200", "turned_away"),
        "{:?}",
        away.body
    );
    assert_eq!(turn_away(&scenario.provider, &scenario.patient).await?.body, away.body);
    assert_eq!(scenario.patient.join().await?.brief(), "403 TURNED_AWAY");
    let own = scenario.patient.status().await?;
    assert_eq!((&own.body["canJoin"], &own.body["me"]["status"]), (&json!(false), &json!("turned_away")));
    assert_eq!(scenario.patient.leave().await?.body["canRejoin"], false);

    assert_eq!(admit(&scenario.provider, &scenario.patient).await?.text("status"), "invited");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(turn_away(&scenario.provider, &scenario.patient).await?.brief(), "409 ALREADY_JOINED");
    scenario.patient.leave().await?;
    assert_eq!(
        turn_away(&scenario.provider, &scenario.patient).await?.brief(),
        "409 ALREADY_JOINED",
        "they have been in it"
    );
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, participant.waiting, participant.turned_away, participant.admitted, participant.joined, participant.left"
    );
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_patient_may_be_let_in_or_turned_away_before_they_come() -> TestResult {
    let cloud = with_waiting_room().await?;
    let (early, unwanted) = (cloud.scenario().await?, cloud.scenario().await?);
    for scenario in [&early, &unwanted] {
        scenario.provider.start().await?;
        assert_eq!(admit(&scenario.provider, &scenario.stranger).await?.brief(), "404 PARTICIPANT_NOT_FOUND");
        assert_eq!(admit(&scenario.provider, &scenario.provider).await?.brief(), "409 NOT_FOR_PROVIDER");
    }
    assert_eq!(admit(&early.provider, &early.patient).await?.text("role"), "patient");
    assert_eq!(early.patient.join().await?.brief(), "200");
    assert_eq!(turn_away(&unwanted.provider, &unwanted.patient).await?.text("status"), "turned_away");
    assert_eq!(unwanted.patient.join().await?.brief(), "403 TURNED_AWAY");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_admits_and_one_that_is_taken_back_takes_the_attendee_too() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    assert_eq!(scenario.patient.join().await?.brief(), "202");
    let invited = invite(&scenario.provider, &[&scenario.patient, &scenario.stranger], json!({})).await?;
    assert_eq!(invited.brief(), "200", "{:?}", invited.body);
    assert_eq!(invited.body["errors"], json!([]));
    assert_eq!(scenario.patient.join().await?.brief(), "200");

    assert_eq!(at_chime(&cloud, &scenario.stranger).len(), 1);
    let away = turn_away(&scenario.provider, &scenario.stranger).await?;
    assert_eq!((away.brief().as_str(), &away.body["attendeeId"]), ("200", &Value::Null), "{:?}", away.body);
    assert_eq!(at_chime(&cloud, &scenario.stranger).len(), 0, "their token is no good any more");
    assert_eq!(operations_and_tokens(&cloud, &scenario.stranger).await?, "0 0");
    assert_eq!(scenario.stranger.join().await?.brief(), "403 TURNED_AWAY");
    assert_eq!(scenario.stranger.status().await?.body["me"]["status"], "turned_away");

    // Invited once more: with another attendee.
    let invited = invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    let place = &invited.body["attendees"][0];
    assert_eq!(place["status"], "invited", "{:?}", invited.body);
    assert_eq!(scenario.stranger.join().await?.body["attendeeToken"], place["attendeeId"]);

    // Who was let in without an invitation has a place, and gets their attendee by joining.
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    admit(&scenario.provider, &scenario.patient).await?;
    let invited = invite(&scenario.provider, &[&scenario.patient], json!({})).await?;
    assert_eq!(invited.body["attendees"][0]["attendeeId"], Value::Null, "{:?}", invited.body);
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_to_the_provider_alone() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    // The observer is invited by an installation without the room and comes again after it was switched on.
    invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    let unadmitted = format!(
        "UPDATE video_call_participants SET admitted_at = NULL, status = 'left' WHERE user_id = '{}' RETURNING status",
        scenario.stranger.id
    );
    cloud.sql(&unadmitted).await?;
    admit(&scenario.provider, &scenario.patient).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(scenario.stranger.join().await?.brief(), "202");

    let seen = async |caller: &local_testing::Caller| -> TestResult<Vec<String>> {
        let roster = caller.roster().await?;
        let people = roster.body["attendees"].as_array().cloned().unwrap_or_default();
        Ok(people.iter().map(|it| format!("{} {}", it["role"], it["status"]).replace('"', "")).collect())
    };
    assert_eq!(seen(&scenario.provider).await?, ["provider joined", "patient joined", "observer waiting"]);
    assert_eq!(seen(&scenario.patient).await?, ["provider joined", "patient joined"]);
    assert_eq!(
        seen(&scenario.stranger).await?,
        ["provider joined", "observer waiting"],
        "and nobody else before that"
    );
    assert_eq!(scenario.patient.status().await?.body["waiting"], json!([]));
    assert_eq!(scenario.provider.status().await?.body["waiting"][0]["userId"], scenario.stranger.id.as_str());
    admit(&scenario.provider, &scenario.stranger).await?;
    assert_eq!(seen(&scenario.stranger).await?.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_room_nobody_waits() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    assert_eq!(scenario.patient.status().await?.body["me"]["admitted"], true);
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(outbox::events(&cloud, &scenario.appointment).await?, "call.started, participant.joined");
    for room in ["", "yes", "On"] {
        let refused = TestCloud::with_parameters(&[("WaitingRoom", room)]).await.err();
        assert!(refused.is_some_and(|error| error.to_string().contains("WaitingRoom")), "{room}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_admission_and_a_refusal_at_once_one_counts_and_both_are_told() -> TestResult {
    let cloud = with_waiting_room().await?;
    for _ in 0..6 {
        let scenario = cloud.scenario().await?;
        scenario.provider.start().await?;
        scenario.patient.join().await?;
        let (yes, no) = tokio::join!(
            admit(&scenario.provider, &scenario.patient),
            turn_away(&scenario.provider, &scenario.patient)
        );
        let (yes, no) = (yes?, no?);
        assert_eq!(
            (yes.brief(), no.brief()),
            ("200".to_owned(), "200".to_owned()),
            "{:?} {:?}",
            yes.body,
            no.body
        );
        let events = outbox::events(&cloud, &scenario.appointment).await?;
        let last = events.rsplit(", ").next().unwrap_or_default();
        let expected = match last {
            "participant.admitted" => "200",
            "participant.turned_away" => "403 TURNED_AWAY",
            other => return Err(format!("the last is {other}: {events}").into()),
        };
        assert_eq!(scenario.patient.join().await?.brief(), expected, "{events}");
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_many_times_at_once_waits_once() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let mut joins = JoinSet::new();
    for _ in 0..8 {
        let patient = scenario.patient.clone();
        joins.spawn(async move { patient.join().await });
    }
    let mut since = Vec::new();
    while let Some(answer) = joins.join_next().await {
        let answer = answer??;
        assert_eq!(answer.brief(), "202", "{:?}", answer.body);
        since.push(answer.text("waitingSince"));
    }
    since.dedup();
    assert_eq!(since.len(), 1, "{since:?}");
    assert_eq!(outbox::events(&cloud, &scenario.appointment).await?, "call.started, participant.waiting");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_provider_lets_people_in() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    assert_eq!(admit(&scenario.patient, &scenario.patient).await?.brief(), "403 PROVIDER_ONLY");
    assert_eq!(admit(&scenario.stranger, &scenario.patient).await?.brief(), "403 NOT_A_MEMBER");
    let nothing = change(&scenario.provider, &scenario.patient, json!({})).await?;
    assert_eq!((nothing.status, nothing.text("field").as_str()), (422, "admitted"));
    assert_eq!(scenario.patient.join().await?.brief(), "202");
    scenario.provider.end().await?;
    assert_eq!(admit(&scenario.provider, &scenario.patient).await?.brief(), "404 NO_ACTIVE_CALL");
    Ok(())
}
