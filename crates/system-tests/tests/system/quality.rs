//! Quality: samples of a connection, kept as a summary.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::outbox;
use crate::requests::{remove, tell_quality};

async fn summary(cloud: &TestCloud, user: &str) -> TestResult<Value> {
    let row = format!("SELECT summary FROM medzen.participant_quality WHERE user_id = '{user}'");
    Ok(serde_json::from_str(&cloud.sql(&row).await?).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_become_a_summary_of_least_median_p95_and_greatest() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(
        tell_quality(&scenario.patient, json!([{ "jitterMs": 1 }])).await?.brief(),
        "404 NO_ACTIVE_CALL"
    );
    scenario.provider.start().await?;
    assert_eq!(tell_quality(&scenario.patient, json!([{ "jitterMs": 1 }])).await?.brief(), "409 NOT_IN_CALL");
    assert_eq!(
        tell_quality(&scenario.stranger, json!([{ "jitterMs": 1 }])).await?.brief(),
        "403 NOT_A_MEMBER"
    );
    scenario.patient.join().await?;
    let before = cloud.census().await?;

    for tens in 0..10 {
        let samples: Vec<_> = (1..=10)
            .map(
                |n| json!({ "at": 1_795_168_820_000_i64, "jitterMs": tens * 10 + n, "packetLossPercent": 0 }),
            )
            .collect();
        let watch = cloud.watch();
        let told = tell_quality(&scenario.patient, json!(samples)).await?;
        assert_eq!((told.brief().as_str(), &told.body), ("202", &json!({ "accepted": 10 })));
        assert!(watch.operations().len() <= 3, "{:?}", watch.operations());
    }
    let kept = summary(&cloud, &scenario.patient.id).await?;
    let jitter = &kept["measures"]["jitterMs"];
    assert_eq!(
        (&jitter["n"], &jitter["min"], &jitter["max"]),
        (&json!(100), &json!(1.0), &json!(100.0)),
        "{kept}"
    );
    for (name, exact) in [("median", 50.0), ("p95", 95.0)] {
        let told = jitter[name].as_f64().unwrap_or_default();
        assert!((told - exact).abs() <= 0.02 * exact, "{name}: {told}");
    }
    assert_eq!(kept["measures"]["packetLossPercent"]["p95"], 0.0);
    assert_eq!(kept["measures"]["bitrateKbps"], Value::Null, "of which nothing was told");
    let size = kept.to_string().len();
    assert!(size < 1024, "{size} bytes");
    assert_ne!(cloud.census().await?, before, "it was written");
    let audited = outbox::events(&cloud, &scenario.appointment).await?;
    assert_eq!(audited, "call.started, participant.joined", "a sample is no change of a call");

    scenario.patient.leave().await?;
    assert_eq!(
        tell_quality(&scenario.patient, json!([{ "jitterMs": 1 }])).await?.brief(),
        "202",
        "what was still on its way"
    );
    remove(&scenario.provider, &scenario.patient).await?;
    assert_eq!(tell_quality(&scenario.patient, json!([{ "jitterMs": 1 }])).await?.brief(), "409 NOT_IN_CALL");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_once_no_sample_is_lost() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    let mut posts = JoinSet::new();
    for n in 0..16 {
        let patient = scenario.patient.clone();
        posts.spawn(async move {
            tell_quality(&patient, json!([{ "roundTripMs": n }, { "roundTripMs": 100 + n }])).await
        });
    }
    while let Some(answer) = posts.join_next().await {
        assert_eq!(answer??.brief(), "202");
    }
    let kept = summary(&cloud, &scenario.patient.id).await?;
    let round_trip = &kept["measures"]["roundTripMs"];
    assert_eq!(kept["posts"], 16);
    assert_eq!(
        (&round_trip["n"], &round_trip["min"], &round_trip["max"]),
        (&json!(32), &json!(0.0), &json!(115.0))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_whose_answer_was_lost_counts_once() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    cloud.fault("postgres", Some("merge_quality"), local::faults::FaultKind::Drop, Some(1));
    assert_eq!(tell_quality(&scenario.patient, json!([{ "bitrateKbps": 900 }])).await?.brief(), "202");
    let kept = summary(&cloud, &scenario.patient.id).await?;
    assert_eq!(kept["measures"]["bitrateKbps"]["n"], 1, "{kept}");
    Ok(())
}
