//! Backends that are down.

use std::time::{Duration, Instant};

use local::faults::Kind;
use local_testing::{Outcome, Stage};
use tokio::time::timeout;

use crate::invariants;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_gives_503_and_heals_without_a_restart() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    assert_eq!(play.provider.start().await?.brief(), "201");
    let pids = pids(&stage);

    stage.parts().proxy.pause();
    let (status, health, join) =
        tokio::join!(play.provider.status(), stage.request("GET", "/health", None, ""), play.patient.join());
    for answer in [status?, health?, join?] {
        assert_eq!(answer.brief(), "503 UNAVAILABLE", "{:?}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
    }
    stage.parts().proxy.resume();

    assert_eq!(play.provider.status().await?.brief(), "200", "the next request works");
    assert_eq!(play.patient.join().await?.brief(), "200");
    assert_eq!(stage.request("GET", "/health", None, "").await?.brief(), "200");
    assert!(pids.iter().all(|pid| self::pids(&stage).contains(pid)), "no environment was restarted");
    invariants::hold(&stage, &play.appointment).await
}

/// A database that hangs instead of refusing must not take longer than one that refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_gives_503_within_three_seconds() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    assert_eq!(play.provider.status().await?.brief(), "200");
    stage.slow("postgres", None, 60_000);
    // A bound of the answer's time, not of the machine's speed: the function gives up after 2.5 s.
    let began = Instant::now();
    let answer = timeout(Duration::from_secs(10), play.provider.status()).await??;
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "{:?}", answer.body);
    eprintln!("a hanging database was answered after {} ms", began.elapsed().as_millis());
    stage.parts().faults.clear();
    assert_eq!(play.provider.status().await?.brief(), "200");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_starts_without_its_database_serves_when_it_is_there() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    stage.parts().proxy.pause();
    assert_eq!(play.provider.start().await?.brief(), "503 UNAVAILABLE");
    stage.parts().proxy.resume();
    assert_eq!(play.provider.start().await?.brief(), "201");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chime_that_is_down_gives_503_and_the_same_start_works_later() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    stage.fault("chime", None, Kind::Error, None);
    let refused = play.provider.start().await?;
    assert_eq!(refused.brief(), "503 UNAVAILABLE");
    assert_eq!(play.provider.status().await?.body["callStatus"], "creating");
    stage.parts().faults.clear();
    assert_eq!(play.provider.start().await?.brief(), "201");
    invariants::hold(&stage, &play.appointment).await
}

/// Chime's API may be down while the calls themselves go on: who was in one gets back in.
#[tokio::test(flavor = "multi_thread")]
async fn a_chime_api_that_is_down_keeps_nobody_out_of_a_running_call() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let started = play.provider.start().await?;
    let joined = play.patient.join().await?;
    stage.parts().clock.advance(1200);
    stage.fault("chime", None, Kind::Error, None);
    assert_eq!(play.patient.join().await?.body, joined.body);
    assert_eq!(play.provider.start().await?.body, started.body);
    let checked = serde_json::json!({ "checked": true });
    let asked = play.patient.ask("POST", "/appointments/{a}/call/attendees", &checked).await?;
    assert_eq!(asked.brief(), "503 UNAVAILABLE", "who wants it checked hears that it cannot be");
    Ok(())
}

/// A row that an operator holds locked: the caller hears 503, and what they heard stays true when the lock is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_given_up_does_not_take_effect_later() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let started = play.provider.start().await?;
    let lock = format!(
        "BEGIN; SELECT id FROM video_call_sessions WHERE id = '{}' FOR UPDATE",
        started.text("sessionId")
    );
    stage.sql(&lock).await?;
    assert_eq!(play.provider.end().await?.brief(), "503 UNAVAILABLE");
    stage.sql("COMMIT; SELECT 1").await?;
    assert_eq!(play.provider.status().await?.body["callStatus"], "active");
    assert_eq!(play.provider.end().await?.body["callStatus"], "ended");
    invariants::hold(&stage, &play.appointment).await
}

fn pids(stage: &Stage) -> Vec<u64> {
    let environments = serde_json::json!(stage.parts().lambda.environments());
    environments
        .as_array()
        .map(|all| all.iter().filter_map(|it| it["pid"].as_u64()).collect())
        .unwrap_or_default()
}
