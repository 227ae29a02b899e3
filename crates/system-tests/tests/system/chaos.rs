//! Random sequences by three callers, with deaths and lost answers, and what must be true after each.

use std::sync::Arc;

use local::faults::Kind;
use local_testing::{Answer, Caller, Outcome, Play, Stage};
use serde_json::json;
use tokio::task::JoinSet;

use crate::invariants;

/// How many sequences; each by its number as seed, so that one that failed can be run again alone.
const SEQUENCES: u64 = 200;
/// How many clouds they are spread over; faults are a cloud's own.
const CLOUDS: u64 = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    Join,
    Leave,
    End,
}

async fn take(step: Step, caller: &Caller) -> Outcome<Answer> {
    match step {
        Step::Start => caller.start().await,
        Step::Join => caller.join().await,
        Step::Leave => caller.leave().await,
        Step::End => caller.end().await,
    }
}

/// One sequence. Returns what was done, for the message where something is wrong.
async fn run(stage: &Stage, seed: u64) -> Outcome {
    let mut random = fastrand::Rng::with_seed(seed);
    let play = Arc::new(stage.play().await?);
    let mut story = Vec::new();
    for _ in 0..random.usize(4..9) {
        if random.f32() < 0.4 {
            let kind = random.choice([Kind::KillBefore, Kind::KillAfter, Kind::Drop]).unwrap_or(Kind::Drop);
            let nth = random.u32(1..5);
            stage.fault("*", None, kind, Some(nth));
            story.push(format!("[{kind:?} at {nth}]"));
        }
        // One to three at the same moment.
        let mut burst = JoinSet::new();
        for _ in 0..random.usize(1..4) {
            let who = random.usize(0..8);
            let step = random
                .choice([Step::Start, Step::Join, Step::Join, Step::Leave, Step::End])
                .unwrap_or(Step::Join);
            let play: Arc<Play> = Arc::clone(&play);
            burst.spawn(async move {
                let (name, caller) = match who {
                    0..4 => ("provider", &play.provider),
                    4..7 => ("patient", &play.patient),
                    _ => ("stranger", &play.stranger),
                };
                let answer = take(step, caller).await?;
                // A stranger is a stranger whatever goes wrong around them.
                assert!(name != "stranger" || answer.status >= 400, "a stranger got {answer:?}");
                Outcome::Ok(format!("{name} {step:?} {}", answer.brief()))
            });
        }
        while let Some(done) = burst.join_next().await {
            story.push(done??);
        }
        stage.parts().faults.clear();
    }
    check(stage, &play).await.map_err(|error| {
        let environments = json!(stage.parts().lambda.environments());
        let calls: Vec<_> = stage.parts().calls.since(0).into_iter().rev().take(12).collect();
        format!("sequence {seed}: {error}; {story:?}; {environments}; last calls first: {calls:?}").into()
    })
}

/// The call can go on, and nothing is left over.
async fn check(stage: &Stage, play: &Play) -> Outcome {
    let started = play.provider.start().await?;
    if started.status >= 300 {
        return Err(format!("a start afterwards got {started:?}").into());
    }
    invariants::hold(stage, &play.appointment).await?;
    let meeting = started.text("meetingId");
    let connect = json!({ "eventType": "chime:AttendeeJoined", "attendeeId": started.text("attendeeToken") });
    stage.parts().chime.event(&meeting, serde_json::from_value(connect)?)?;
    stage.parts().clock.advance(330);
    invariants::no_orphans(stage, &play.appointment).await?;
    let ended = play.provider.end().await?;
    if ended.status != 200 {
        return Err(format!("an end afterwards got {ended:?}").into());
    }
    invariants::hold(stage, &play.appointment).await?;
    invariants::no_orphans(stage, &play.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_random_sequences_with_deaths_and_lost_answers_leave_calls_whole() -> Outcome {
    let mut clouds = JoinSet::new();
    for cloud in 0..CLOUDS {
        clouds.spawn(async move {
            let stage = Stage::new().await?;
            for seed in (cloud..SEQUENCES).step_by(usize::try_from(CLOUDS)?) {
                run(&stage, seed).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(done) = clouds.join_next().await {
        done??;
    }
    Ok(())
}
