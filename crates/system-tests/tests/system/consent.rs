//! Consent: each person's own word, and whether it may be done.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::requests::{consent, invite, remove};
use crate::{invariants, outbox};

async fn rows(cloud: &TestCloud) -> TestResult<String> {
    cloud
        .sql("SELECT string_agg(kind || ' ' || granted, ', ' ORDER BY number) FROM video_call_consents")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_allowed_when_everyone_in_the_call_has_consented_and_only_then() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(consent(&scenario.patient, json!({ "recording": true })).await?.brief(), "404 NO_ACTIVE_CALL");
    scenario.provider.start().await?;
    let recording = async || -> TestResult<Value> {
        Ok(scenario.patient.status().await?.body["consent"]["recording"].clone())
    };
    assert_eq!(
        recording().await?,
        json!({ "granted": null, "allowed": false, "missing": [scenario.provider.id] })
    );
    assert_eq!(consent(&scenario.provider, json!({ "recording": true })).await?.brief(), "200");
    assert_eq!(
        recording().await?,
        json!({ "granted": null, "allowed": true, "missing": [] }),
        "the provider alone"
    );

    scenario.patient.join().await?;
    assert_eq!(
        recording().await?,
        json!({ "granted": null, "allowed": false, "missing": [scenario.patient.id] })
    );
    let given = consent(&scenario.patient, json!({ "recording": true, "transcription": false })).await?;
    assert_eq!(given.brief(), "200", "{:?}", given.body);
    assert_eq!(
        given.body["consent"]["recording"],
        json!({ "granted": true, "allowed": true, "missing": [] })
    );
    assert_eq!(
        given.body["consent"]["transcription"],
        json!({ "granted": false, "allowed": false, "missing": [scenario.provider.id, scenario.patient.id] })
    );
    assert_eq!(given.body["consent"], scenario.patient.status().await?.body["consent"], "as in status");
    assert_eq!(given.text("appointmentId"), scenario.appointment);

    invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    assert_eq!(recording().await?["allowed"], true, "who has not come cannot be heard");
    scenario.stranger.join().await?;
    assert_eq!(recording().await?["missing"], json!([scenario.stranger.id]));
    remove(&scenario.provider, &scenario.stranger).await?;
    assert_eq!(recording().await?["allowed"], true);

    assert_eq!(consent(&scenario.patient, json!({ "recording": false })).await?.brief(), "200");
    assert_eq!(
        recording().await?,
        json!({ "granted": false, "allowed": false, "missing": [scenario.patient.id] })
    );
    assert_eq!(consent(&scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    assert_eq!(recording().await?["allowed"], true);
    assert_eq!(
        rows(&cloud).await?,
        "recording true, recording true, transcription false, recording false, recording true"
    );

    scenario.provider.end().await?;
    assert_eq!(recording().await?["allowed"], false, "there is nobody to be recorded");
    scenario.provider.start().await?;
    assert_eq!(recording().await?["granted"], Value::Null, "a word is on one call");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_new_word_is_one_row_and_one_audit_entry_and_the_same_word_is_none() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let both = json!({ "recording": true, "transcription": true });
    let mut words = JoinSet::new();
    for _ in 0..8 {
        let (patient, both) = (scenario.patient.clone(), both.clone());
        words.spawn(async move { consent(&patient, both).await });
    }
    while let Some(answer) = words.join_next().await {
        assert_eq!(answer??.brief(), "200");
    }
    assert_eq!(rows(&cloud).await?, "recording true, transcription true");
    consent(&scenario.patient, json!({ "transcription": false })).await?;
    consent(&scenario.patient, json!({ "transcription": false })).await?;
    let entries = outbox::chain(&cloud, &format!("APPT#{}", scenario.appointment)).await?;
    let told: Vec<_> = entries[1..]
        .iter()
        .map(|it| [&it["event"], &it["kind"], &it["actor"], &it["role"]].map(Value::to_string).join(" "))
        .collect();
    let of =
        |event: &str, kind: &str| format!("\"{event}\" \"{kind}\" \"{}\" \"patient\"", scenario.patient.id);
    assert_eq!(
        told,
        [
            of("consent.given", "recording"),
            of("consent.given", "transcription"),
            of("consent.revoked", "transcription")
        ]
    );
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_consents_for_another() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    assert_eq!(consent(&scenario.stranger, json!({ "recording": true })).await?.brief(), "403 NOT_A_MEMBER");
    let pretend = json!({ "recording": true, "userId": scenario.patient.id });
    assert_eq!(consent(&scenario.provider, pretend).await?.brief(), "200");
    assert_eq!(scenario.patient.status().await?.body["consent"]["recording"]["granted"], Value::Null);
    let now = cloud.parts().clock.now().unix_timestamp();
    let row = "SELECT user_id || ' ' || floor(extract(epoch FROM given_at)) FROM video_call_consents";
    let row = cloud.sql(row).await?;
    let (user, at) = row.split_once(' ').ok_or("no row")?;
    assert_eq!(user, scenario.provider.id, "whose word it is");
    assert!(now - at.parse::<i64>()? <= 5, "and when: {at}, now {now}");
    let nothing = consent(&scenario.patient, json!({})).await?;
    assert_eq!((nothing.status, nothing.text("field").as_str()), (422, "recording"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_their_mind_all_the_time_can_take_their_consent_back_and_no_more() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    for _ in 0..domain::consent::MAX_CONSENT_CHANGES / 2 {
        assert_eq!(consent(&scenario.patient, json!({ "recording": true })).await?.brief(), "200");
        assert_eq!(consent(&scenario.patient, json!({ "recording": false })).await?.brief(), "200");
    }
    let again = consent(&scenario.patient, json!({ "recording": true, "transcription": true })).await?;
    assert_eq!(again.brief(), "409 CONSENT_CHANGED_TOO_OFTEN");
    assert_eq!(
        consent(&scenario.patient, json!({ "recording": false })).await?.brief(),
        "200",
        "no is no change"
    );
    assert_eq!(
        consent(&scenario.patient, json!({ "transcription": true })).await?.brief(),
        "200",
        "another matter"
    );
    assert_eq!(consent(&scenario.patient, json!({ "transcription": false })).await?.brief(), "200");
    assert_eq!(
        consent(&scenario.provider, json!({ "recording": true })).await?.brief(),
        "200",
        "another person"
    );
    invariants::hold(&cloud, &scenario.appointment).await
}
