//! Quality: samples of a connection, kept as a summary.

use local_testing::{Outcome, Stage};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::asks::{remove, tell_quality};
use crate::outbox;

async fn summary(stage: &Stage, user: &str) -> Outcome<Value> {
    let row = format!("SELECT quality_metrics FROM video_call_participants WHERE user_id = '{user}'");
    Ok(serde_json::from_str(&stage.sql(&row).await?).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_become_a_summary_of_least_median_p95_and_greatest() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    assert_eq!(tell_quality(&play.patient, json!([{ "jitterMs": 1 }])).await?.brief(), "404 NO_ACTIVE_CALL");
    play.provider.start().await?;
    assert_eq!(tell_quality(&play.patient, json!([{ "jitterMs": 1 }])).await?.brief(), "409 NOT_IN_CALL");
    assert_eq!(tell_quality(&play.stranger, json!([{ "jitterMs": 1 }])).await?.brief(), "403 NOT_A_MEMBER");
    play.patient.join().await?;
    let before = stage.census().await?;

    for tens in 0..10 {
        let samples: Vec<_> = (1..=10)
            .map(
                |n| json!({ "at": 1_795_168_820_000_i64, "jitterMs": tens * 10 + n, "packetLossPercent": 0 }),
            )
            .collect();
        let watch = stage.watch();
        let told = tell_quality(&play.patient, json!(samples)).await?;
        assert_eq!((told.brief().as_str(), &told.body), ("202", &json!({ "accepted": 10 })));
        assert!(watch.operations().len() <= 3, "{:?}", watch.operations());
    }
    let kept = summary(&stage, &play.patient.id).await?;
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
    assert_ne!(stage.census().await?, before, "it was written");
    let audited = outbox::events(&stage, &play.appointment).await?;
    assert_eq!(audited, "call.started, participant.joined", "a sample is no change of a call");

    play.patient.leave().await?;
    assert_eq!(
        tell_quality(&play.patient, json!([{ "jitterMs": 1 }])).await?.brief(),
        "202",
        "what was still on its way"
    );
    remove(&play.provider, &play.patient).await?;
    assert_eq!(tell_quality(&play.patient, json!([{ "jitterMs": 1 }])).await?.brief(), "409 NOT_IN_CALL");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_once_no_sample_is_lost() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    play.provider.start().await?;
    play.patient.join().await?;
    let mut posts = JoinSet::new();
    for n in 0..16 {
        let patient = play.patient.clone();
        posts.spawn(async move {
            tell_quality(&patient, json!([{ "roundTripMs": n }, { "roundTripMs": 100 + n }])).await
        });
    }
    while let Some(answer) = posts.join_next().await {
        assert_eq!(answer??.brief(), "202");
    }
    let kept = summary(&stage, &play.patient.id).await?;
    let round_trip = &kept["measures"]["roundTripMs"];
    assert_eq!(kept["posts"], 16);
    assert_eq!(
        (&round_trip["n"], &round_trip["min"], &round_trip["max"]),
        (&json!(32), &json!(0.0), &json!(115.0))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_whose_answer_was_lost_counts_once() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    play.provider.start().await?;
    play.patient.join().await?;
    stage.fault("postgres", Some("merge_quality"), local::faults::Kind::Drop, Some(1));
    assert_eq!(tell_quality(&play.patient, json!([{ "bitrateKbps": 900 }])).await?.brief(), "202");
    let kept = summary(&stage, &play.patient.id).await?;
    assert_eq!(kept["measures"]["bitrateKbps"]["n"], 1, "{kept}");
    Ok(())
}
