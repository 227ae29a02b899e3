//! Capabilities: what someone may send and receive, at Chime as it is stored.

use local::faults::{Fault, FaultKind};
use local_testing::{Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::requests::{
    admit, at_chime, capabilities, change, invite, operations_and_tokens, with_waiting_room,
};
use crate::{invariants, outbox};

const ALL: [&str; 3] = ["SendReceive"; 3];
const MUTED: [&str; 3] = ["Receive", "SendReceive", "SendReceive"];

async fn stored(cloud: &TestCloud, user: &Caller) -> TestResult<Value> {
    let id = &user.id;
    let row = format!(
        "SELECT json_build_object('Audio', audio, 'Video', video, 'Content', content) FROM video_call_participants WHERE user_id = '{id}'"
    );
    Ok(serde_json::from_str(&cloud.sql(&row).await?)?)
}

async fn both_in() -> TestResult<(TestCloud, Scenario)> {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    Ok((cloud, scenario))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_mutes_and_stops_video_and_gives_both_back() -> TestResult {
    let (cloud, scenario) = both_in().await?;
    assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(ALL)]);
    for (wish, expected) in [
        (json!({ "audio": "Receive" }), MUTED),
        (json!({ "video": "Receive" }), ["Receive", "Receive", "SendReceive"]),
        (json!({ "video": "None", "content": "None" }), ["Receive", "None", "None"]),
        (json!({ "audio": "SendReceive", "video": "SendReceive", "content": "SendReceive" }), ALL),
    ] {
        let changed = change(&scenario.provider, &scenario.patient, json!({ "capabilities": wish })).await?;
        assert_eq!(changed.brief(), "200", "{:?}", changed.body);
        assert_eq!(changed.body["capabilities"], capabilities(expected));
        assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(expected)], "{wish}");
        assert_eq!(scenario.patient.status().await?.body["me"]["capabilities"], capabilities(expected));
        let again = scenario.patient.join().await?;
        assert_eq!(
            again.body["attendee"]["Capabilities"],
            capabilities(expected),
            "as Chime would give it now"
        );
    }
    let watch = cloud.watch();
    let same =
        change(&scenario.provider, &scenario.patient, json!({ "capabilities": { "audio": "SendReceive" } }))
            .await?;
    assert_eq!(same.brief(), "200");
    assert_eq!(watch.count("UpdateAttendeeCapabilities"), 0, "it is so already");
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment)
            .await?
            .matches("participant.capabilities_changed")
            .count(),
        4
    );
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 1");
    let usage = cloud.parts().iam_usage();
    assert_eq!(usage["attendee"]["refused"], json!([]));
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_chime_does_not_take_is_refused_before_it_is_asked() -> TestResult {
    let (cloud, scenario) = both_in().await?;
    let before = cloud.census().await?;
    let watch = cloud.watch();
    for wish in [
        json!({ "video": "None" }),
        json!({ "video": "Send" }),
        json!({ "video": "None", "content": "Receive" }),
        json!({ "video": "Send", "content": "SendReceive" }),
    ] {
        let refused =
            change(&scenario.provider, &scenario.patient, json!({ "capabilities": wish, "admitted": true }))
                .await?;
        let told = (refused.status, refused.text("field"));
        assert_eq!(told, (422, "capabilities.content".to_owned()), "{wish}");
    }
    let empty = change(&scenario.provider, &scenario.patient, json!({ "capabilities": {} })).await?;
    assert_eq!((empty.status, empty.text("field").as_str()), (422, "capabilities"));
    assert_eq!(watch.count("UpdateAttendeeCapabilities"), 0);
    assert_eq!(cloud.census().await?, before);
    for (by, of, code) in [
        (&scenario.patient, &scenario.patient, "403 PROVIDER_ONLY"),
        (&scenario.patient, &scenario.provider, "403 PROVIDER_ONLY"),
        (&scenario.stranger, &scenario.patient, "403 NOT_A_MEMBER"),
        (&scenario.provider, &scenario.provider, "409 NOT_FOR_PROVIDER"),
        (&scenario.provider, &scenario.stranger, "404 PARTICIPANT_NOT_FOUND"),
    ] {
        let wish = json!({ "capabilities": { "audio": "None" } });
        assert_eq!(change(by, of, wish).await?.brief(), code);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_come_with_what_their_kind_and_the_invitation_say() -> TestResult {
    let cloud = TestCloud::new().await?;
    for (terms, expected) in [
        (json!({}), ALL),
        (json!({ "observerKind": "interpreter" }), ["SendReceive", "SendReceive", "Receive"]),
        (json!({ "observerKind": "family" }), ["SendReceive", "SendReceive", "Receive"]),
        (json!({ "observerKind": "student" }), ["Receive", "Receive", "Receive"]),
        (
            json!({ "observerKind": "student", "capabilities": { "audio": "SendReceive" } }),
            ["SendReceive", "Receive", "Receive"],
        ),
        (json!({ "capabilities": { "video": "Receive" } }), ["SendReceive", "Receive", "SendReceive"]),
    ] {
        let scenario = cloud.scenario().await?;
        scenario.provider.start().await?;
        let invited = invite(&scenario.provider, &[&scenario.stranger], terms.clone()).await?;
        assert_eq!(invited.body["errors"], json!([]), "{terms}: {:?}", invited.body);
        assert_eq!(at_chime(&cloud, &scenario.stranger), [capabilities(expected)], "{terms}");
        let joined = scenario.stranger.join().await?;
        assert_eq!(joined.body["attendee"]["Capabilities"], capabilities(expected), "{terms}");
        let roster = scenario.provider.roster().await?;
        let own =
            roster.body["attendees"].as_array().into_iter().flatten().find(|it| it["role"] == "observer");
        let own = own.ok_or("the roster tells of them")?;
        assert_eq!(
            (&own["capabilities"], &own["observerKind"]),
            (&capabilities(expected), &terms["observerKind"])
        );
    }
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    for (terms, field) in [
        (json!({ "observerKind": "spy" }), "observerKind"),
        (json!({ "capabilities": {} }), "capabilities"),
        (json!({ "capabilities": { "audio": "Loud" } }), "capabilities.audio"),
        (json!({ "capabilities": { "video": "None" } }), "capabilities.content"),
    ] {
        let refused = invite(&scenario.provider, &[&scenario.stranger], terms.clone()).await?;
        assert_eq!((refused.status, refused.text("field").as_str()), (422, field), "{terms}");
    }
    assert_eq!(at_chime(&cloud, &scenario.stranger), Vec::<Value>::new());

    // What someone came with is where they begin: the provider may give a student the word.
    invite(&scenario.provider, &[&scenario.stranger], json!({ "observerKind": "student" })).await?;
    scenario.stranger.join().await?;
    let word = json!({ "capabilities": { "audio": "SendReceive" } });
    assert_eq!(change(&scenario.provider, &scenario.stranger, word).await?.brief(), "200");
    assert_eq!(at_chime(&cloud, &scenario.stranger), [capabilities(["SendReceive", "Receive", "Receive"])]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_muted_before_they_come_comes_muted() -> TestResult {
    let cloud = with_waiting_room().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    let both = json!({ "admitted": true, "capabilities": { "audio": "Receive" } });
    let changed = change(&scenario.provider, &scenario.patient, both).await?;
    assert_eq!(
        (changed.brief().as_str(), &changed.body["admitted"]),
        ("200", &json!(true)),
        "{:?}",
        changed.body
    );
    assert_eq!(scenario.patient.join().await?.body["attendee"]["Capabilities"], capabilities(MUTED));
    assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(MUTED)]);
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment).await?,
        "call.started, participant.waiting, participant.capabilities_changed, participant.admitted, participant.joined"
    );

    // While their attendee is being made.
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    admit(&scenario.provider, &scenario.patient).await?;
    cloud.slow("chime", Some("CreateAttendee"), 1000);
    let watch = cloud.watch();
    let joining = tokio::spawn({
        let patient = scenario.patient.clone();
        async move { patient.join().await }
    });
    while watch.count("load_call") == 0 {
        tokio::task::yield_now().await;
    }
    let muted =
        change(&scenario.provider, &scenario.patient, json!({ "capabilities": { "audio": "Receive" } }))
            .await?;
    assert_eq!(muted.brief(), "200", "{:?}", muted.body);
    cloud.parts().faults.clear();
    assert_eq!(joining.await??.body["attendee"]["Capabilities"], capabilities(MUTED));
    assert_eq!(
        at_chime(&cloud, &scenario.patient),
        [capabilities(MUTED)],
        "and the louder attendee was taken back"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_at_once_chime_has_what_is_stored() -> TestResult {
    let (cloud, scenario) = both_in().await?;
    let mut changes = JoinSet::new();
    for (field, directions) in [("audio", ["Receive", "SendReceive"]), ("video", ["Receive", "SendReceive"])]
    {
        for direction in directions.iter().cycle().take(4) {
            let (scenario, body) = (scenario.clone(), json!({ "capabilities": { field: direction } }));
            changes.spawn(async move { change(&scenario.provider, &scenario.patient, body).await });
        }
    }
    while let Some(answer) = changes.join_next().await {
        let answer = answer??;
        assert!([200, 409].contains(&answer.status), "{:?}", answer.body);
    }
    assert_eq!(at_chime(&cloud, &scenario.patient), [stored(&cloud, &scenario.patient).await?]);
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 1");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// The first change reaches Chime after the second has, with what was stored before that.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_chime_hears_of_late_does_not_undo_a_later_one() -> TestResult {
    let (cloud, scenario) = both_in().await?;
    cloud.parts().faults.add(Fault {
        service: "chime".to_owned(),
        operation: Some("UpdateAttendeeCapabilities".to_owned()),
        function: None,
        kind: FaultKind::Latency,
        nth: None,
        ms: Some(1500),
        times: Some(1),
    });
    let watch = cloud.watch();
    let late = tokio::spawn({
        let scenario = scenario.clone();
        async move {
            change(&scenario.provider, &scenario.patient, json!({ "capabilities": { "audio": "Receive" } }))
                .await
        }
    });
    let muted = capabilities(MUTED);
    while stored(&cloud, &scenario.patient).await? != muted {
        assert!(!late.is_finished(), "{:?}", watch.operations());
    }
    let quick = json!({ "capabilities": { "video": "Receive" } });
    assert_eq!(change(&scenario.provider, &scenario.patient, quick).await?.brief(), "200");
    assert_eq!(late.await??.brief(), "200");
    assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(["Receive", "Receive", "SendReceive"])]);
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_chime_was_not_told_is_told_by_a_repetition_or_by_the_reconciler() -> TestResult {
    let (cloud, scenario) = both_in().await?;
    let mute = json!({ "capabilities": { "audio": "Receive" } });
    cloud.fault("chime", Some("UpdateAttendeeCapabilities"), FaultKind::Error, None);
    assert_eq!(change(&scenario.provider, &scenario.patient, mute.clone()).await?.brief(), "503 UNAVAILABLE");
    assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(ALL)]);
    assert_eq!(stored(&cloud, &scenario.patient).await?, capabilities(MUTED), "what is stored is the truth");
    cloud.parts().faults.clear();

    assert_eq!(change(&scenario.provider, &scenario.patient, mute.clone()).await?.brief(), "200");
    assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(MUTED)], "told by the repetition");
    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 1");

    cloud.fault("chime", Some("UpdateAttendeeCapabilities"), FaultKind::Error, None);
    let loud = json!({ "capabilities": { "audio": "SendReceive" } });
    assert_eq!(change(&scenario.provider, &scenario.patient, loud).await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(at_chime(&cloud, &scenario.patient), [capabilities(ALL)], "told by the reconciler");
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 1");
    assert_eq!(
        outbox::events(&cloud, &scenario.appointment)
            .await?
            .matches("participant.capabilities_changed")
            .count(),
        2,
        "a change is one change, however often Chime is told"
    );
    Ok(())
}
