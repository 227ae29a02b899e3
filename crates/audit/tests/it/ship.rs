//! From the outbox to the table: nothing lost, nothing twice, nothing overwritten.

use domain::audit::{Entry, Hash, verify};
use local::faults::Kind;
use local_testing::{Outcome, Play, Stage};
use serde_json::Value;

/// The four entries of a short call.
async fn a_call(stage: &Stage) -> Outcome<Play> {
    let play = stage.play().await?;
    assert_eq!(play.provider.start().await?.brief(), "201");
    assert_eq!(play.patient.join().await?.brief(), "200");
    assert_eq!(play.provider.end().await?.brief(), "200");
    Ok(play)
}

fn items(stage: &Stage, play: &Play) -> Outcome<Vec<Value>> {
    let table = stage.parts().plan.outputs.get("AuditTableName").ok_or("no audit table")?;
    Ok(stage.parts().dynamodb.items(table, &format!("APPT#{}", play.appointment))?)
}

/// The table's own items make an unbroken chain, checked with nothing but what is in them.
fn whole(stage: &Stage, play: &Play) -> Outcome<Vec<String>> {
    let (mut chain, mut events) = (Vec::new(), Vec::new());
    for item in items(stage, play)? {
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        let mut hash: Hash = [0; 32];
        hex::decode_to_slice(text("hash"), &mut hash)?;
        chain.push(Entry { seq: text("sk").parse()?, payload: text("payload"), hash });
        events.push(text("event"));
    }
    verify(&format!("APPT#{}", play.appointment), &chain)?;
    Ok(events)
}

const TOLD: [&str; 4] = ["call.started", "participant.joined", "call.end_requested", "call.ended"];

#[tokio::test(flavor = "multi_thread")]
async fn the_table_holds_the_whole_chain_and_what_its_indexes_need() -> Outcome {
    let stage = Stage::new().await?;
    let play = a_call(&stage).await?;
    stage.run_schedule("audit").await?;
    assert_eq!(whole(&stage, &play)?, TOLD);

    for item in items(&stage, &play)? {
        let payload: Value = serde_json::from_str(item["payload"]["S"].as_str().ok_or("a payload")?)?;
        for name in ["event", "at", "meetingId", "actor"] {
            assert_eq!(item[name]["S"], payload[name], "{name}");
        }
        let at = item["at"]["S"].as_str().ok_or("a time")?;
        assert_eq!((at.len(), &at[at.len() - 1..]), (24, "Z"), "times sort as texts: {at}");
        assert!(item["expiresAt"]["N"].as_str().is_some_and(|at| at.parse::<i64>().is_ok()));
    }
    let watch = stage.watch();
    stage.run_schedule("audit").await?;
    assert_eq!(watch.count("PutItem"), 0, "what has arrived is not sent again");
    Ok(())
}

/// Failure 15: retention in one place. After it, and not before, the table drops an entry.
#[tokio::test(flavor = "multi_thread")]
async fn f15_entries_expire_after_the_one_retention_setting() -> Outcome {
    let stage = Stage::with_parameters(&[("AuditRetentionDays", "30")]).await?;
    let play = a_call(&stage).await?;
    stage.run_schedule("audit").await?;
    let day = 24 * 3600;
    stage.parts().clock.advance(29 * day);
    stage.parts().dynamodb.expire()?;
    assert_eq!(items(&stage, &play)?.len(), 4);
    stage.parts().clock.advance(2 * day);
    stage.parts().dynamodb.expire()?;
    assert_eq!(items(&stage, &play)?.len(), 0);
    Ok(())
}

/// The run dies, or its answers are lost, at each of its calls; the next one finishes its work.
#[tokio::test(flavor = "multi_thread")]
async fn f15_a_run_that_dies_anywhere_loses_nothing_and_doubles_nothing() -> Outcome {
    for kind in [Kind::KillBefore, Kind::KillAfter, Kind::Drop] {
        for nth in 1..=8 {
            let stage = Stage::new().await?;
            let play = a_call(&stage).await?;
            // Warm: the nth call is one of the run's own.
            stage.parts().faults.clear();
            stage.fault("*", None, kind, Some(nth));
            let _died_or_not = stage.run_schedule("audit").await;
            stage.parts().faults.clear();
            // The lease of the dead runs out.
            stage.parts().clock.advance(60);
            stage.run_schedule("audit").await.map_err(|error| format!("{kind:?} at {nth}: {error}"))?;
            assert_eq!(whole(&stage, &play)?, TOLD, "{kind:?} at {nth}");
            let waiting = "SELECT count(*) FROM medzen.audit_outbox WHERE shipped_at IS NULL";
            assert_eq!(stage.sql(waiting).await?, "0", "{kind:?} at {nth}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_down_fails_the_run_and_keeps_the_entries() -> Outcome {
    let stage = Stage::new().await?;
    let play = a_call(&stage).await?;
    stage.fault("dynamodb", None, Kind::Error, None);
    assert!(stage.run_schedule("audit").await.is_err(), "the alarm must hear of it");
    stage.parts().faults.clear();
    assert_eq!(items(&stage, &play)?.len(), 0);
    stage.parts().clock.advance(60);
    stage.run_schedule("audit").await?;
    assert_eq!(whole(&stage, &play)?, TOLD);
    Ok(())
}

/// Somebody else's entry in our place: nothing is overwritten, and every run fails until somebody has looked.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_finds_another_in_its_place_keeps_the_alarm_on() -> Outcome {
    let stage = Stage::new().await?;
    let play = a_call(&stage).await?;
    stage.run_schedule("audit").await?;
    let before = items(&stage, &play)?;
    // As the outbox would look had somebody written into the table first.
    let outbox = format!(
        "UPDATE medzen.audit_outbox SET hash = sha256('another'), shipped_at = NULL, leased_until = NULL
         WHERE chain = 'APPT#{}' AND seq = 2 RETURNING seq",
        play.appointment
    );
    stage.sql(&outbox).await?;
    for _ in 0..2 {
        assert!(stage.run_schedule("audit").await.is_err());
        stage.parts().clock.advance(60);
    }
    assert_eq!(items(&stage, &play)?, before, "nothing was overwritten");
    let other = a_call(&stage).await?;
    assert!(stage.run_schedule("audit").await.is_err());
    assert_eq!(whole(&stage, &other)?, TOLD, "and the others go on");
    Ok(())
}

/// Hundreds of entries at once, and two runs at once: each is put once.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_share_the_work() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    play.provider.start().await?;
    for n in 1..=150 {
        assert_eq!(play.patient.join().await?.brief(), "200");
        assert_eq!(play.patient.leave().await?.brief(), "200");
        if n % 30 == 0 {
            // Nobody may come more often in a minute.
            stage.parts().clock.advance(61);
        }
    }
    let watch = stage.watch();
    let (one, two) = tokio::join!(stage.run_schedule("audit"), stage.run_schedule("audit"));
    one.and(two)?;
    assert_eq!(watch.count("PutItem"), 301);
    assert_eq!(whole(&stage, &play)?.len(), 301);
    Ok(())
}
