//! Random sequences by three callers, with deaths and lost answers, and what must be true after each.

use std::sync::Arc;

use local::faults::FaultKind;
use local_testing::{Answer, Caller, MeetingEvents, Scenario, TestCloud, TestResult};
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

async fn take(step: Step, caller: &Caller) -> TestResult<Answer> {
    match step {
        Step::Start => caller.start().await,
        Step::Join => caller.join().await,
        Step::Leave => caller.leave().await,
        Step::End => caller.end().await,
    }
}

/// One sequence. Returns what was done, for the message where something is wrong.
async fn run(cloud: &TestCloud, seed: u64) -> TestResult {
    let mut random = fastrand::Rng::with_seed(seed);
    let scenario = Arc::new(cloud.scenario().await?);
    let mut story = Vec::new();
    for _ in 0..random.usize(4..9) {
        if random.f32() < 0.4 {
            let kind = random
                .choice([FaultKind::KillBefore, FaultKind::KillAfter, FaultKind::Drop])
                .unwrap_or(FaultKind::Drop);
            let nth = random.u32(1..5);
            cloud.fault("*", None, kind, Some(nth));
            story.push(format!("[{kind:?} at {nth}]"));
        }
        // One to three at the same moment.
        let mut burst = JoinSet::new();
        for _ in 0..random.usize(1..4) {
            let who = random.usize(0..8);
            let step = random
                .choice([Step::Start, Step::Join, Step::Join, Step::Leave, Step::End])
                .unwrap_or(Step::Join);
            let scenario: Arc<Scenario> = Arc::clone(&scenario);
            burst.spawn(async move {
                let (name, caller) = match who {
                    0..4 => ("provider", &scenario.provider),
                    4..7 => ("patient", &scenario.patient),
                    _ => ("stranger", &scenario.stranger),
                };
                let answer = take(step, caller).await?;
                // A stranger is a stranger whatever goes wrong around them.
                assert!(name != "stranger" || answer.status >= 400, "a stranger got {answer:?}");
                TestResult::Ok(format!("{name} {step:?} {}", answer.brief()))
            });
        }
        while let Some(done) = burst.join_next().await {
            story.push(done??);
        }
        cloud.parts().faults.clear();
        if random.f32() < 0.3 {
            story.push(claim_end(cloud, &scenario).await?);
        }
    }
    check(cloud, &scenario).await.map_err(|error| {
        let environments = json!(cloud.parts().lambda.environments());
        let calls: Vec<_> = cloud.parts().calls.since(0).into_iter().rev().take(12).collect();
        format!("sequence {seed}: {error}; {story:?}; {environments}; last calls first: {calls:?}").into()
    })
}

/// An event that claims the end of a meeting that is live. Whatever happens next, it stays the appointment's only one.
async fn claim_end(cloud: &TestCloud, scenario: &Scenario) -> TestResult<String> {
    let meeting = cloud
        .sql(&format!(
            "SELECT coalesce(max(meeting_id), '') FROM video_call_sessions
             WHERE appointment_id = '{}' AND status = 'active'",
            scenario.appointment
        ))
        .await?;
    if meeting.is_empty() {
        return Ok("no meeting".to_owned());
    }
    let events = MeetingEvents { meeting, external: None };
    cloud.deliver_now("attendee", &[events.meeting("MeetingEnded", cloud.parts().clock.now())?]).await?;
    Ok("false MeetingEnded".to_owned())
}

/// The call can continue, and no work is left pending.
async fn check(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    let started = scenario.provider.start().await?;
    if started.status >= 300 {
        return Err(format!("a start afterwards got {started:?}").into());
    }
    invariants::hold(cloud, &scenario.appointment).await?;
    let meeting = started.text("meetingId");
    let connect = json!({ "eventType": "chime:AttendeeJoined", "attendeeId": started.text("attendeeToken") });
    cloud.parts().chime.event(&meeting, serde_json::from_value(connect)?)?;
    cloud.parts().clock.advance(330);
    invariants::no_orphans(cloud, &scenario.appointment).await?;
    let ended = scenario.provider.end().await?;
    if ended.status != 200 {
        return Err(format!("an end afterwards got {ended:?}").into());
    }
    invariants::hold(cloud, &scenario.appointment).await?;
    invariants::no_orphans(cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_random_sequences_with_deaths_and_lost_answers_leave_calls_whole() -> TestResult {
    let mut clouds = JoinSet::new();
    for first in 0..CLOUDS {
        clouds.spawn(async move {
            let cloud = TestCloud::new().await?;
            for seed in (first..SEQUENCES).step_by(usize::try_from(CLOUDS)?) {
                run(&cloud, seed).await?;
            }
            TestResult::Ok(())
        });
    }
    while let Some(done) = clouds.join_next().await {
        done??;
    }
    Ok(())
}
