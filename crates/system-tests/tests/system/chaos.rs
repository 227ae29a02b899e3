//! Random sequences by three callers, with deaths, lost answers, refused deletions and false events, and what must be true after
//! each.

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
        if random.f32() < 0.2 {
            cloud.fault("chime", Some("DeleteMeeting"), FaultKind::Error, None);
            story.push("[no meeting is deleted]".to_owned());
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
        for _ in 0..random.usize(0..4) {
            let reported = random
                .choice([
                    Reported::Arrival,
                    Reported::Arrival,
                    Reported::Camera,
                    Reported::Departure,
                    Reported::End,
                ])
                .unwrap_or(Reported::End);
            story.push(report(cloud, &scenario, reported).await?);
        }
        if random.f32() < 0.2 {
            story.push("[250 s]".to_owned());
            cloud.parts().clock.advance(250);
        }
    }
    check(cloud, &scenario).await.map_err(|error| {
        let environments = json!(cloud.parts().lambda.environments());
        let calls: Vec<_> = cloud.parts().calls.since(0).into_iter().rev().take(12).collect();
        format!("sequence {seed}: {error}; {story:?}; {environments}; last calls first: {calls:?}").into()
    })
}

/// Events about an open call. Only the arrival happens in Chime's engine: a departure and an end are false.
#[derive(Clone, Copy, Debug)]
enum Reported {
    Arrival,
    Camera,
    Departure,
    End,
}

/// Delivers an event of the appointment's call that is active or being ended. Whatever it claims, the call's meeting stays the
/// appointment's only one.
async fn report(cloud: &TestCloud, scenario: &Scenario, reported: Reported) -> TestResult<String> {
    let call = format!(
        "SELECT coalesce((
           SELECT s.meeting_id || ' ' || coalesce(t.attendee_id || ' ' || t.user_id, '')
           FROM video_call_sessions s LEFT JOIN medzen.video_call_attendee_tokens t ON t.session_id = s.id
           WHERE s.appointment_id = '{}' AND s.status IN ('active', 'ending')
           ORDER BY t.user_id LIMIT 1), '')",
        scenario.appointment
    );
    let call = cloud.sql(&call).await?;
    let mut names = call.split(' ').map(str::to_owned);
    let Some(meeting) = names.next().filter(|meeting| !meeting.is_empty()) else {
        return Ok("no meeting".to_owned());
    };
    let events = MeetingEvents { meeting: meeting.clone(), external: None };
    let now = cloud.parts().clock.now();
    let (attendee, user) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    let event = match reported {
        Reported::End => events.meeting("MeetingEnded", now)?,
        _ if user.is_empty() => return Ok("no attendee".to_owned()),
        Reported::Arrival => {
            // The meeting may have ended by itself, or the attendee may have been deleted.
            let arrival = cloud.chime_event(&meeting, "AttendeeJoined", Some(&attendee));
            return Ok(format!("arrival {}", arrival.is_ok()));
        }
        Reported::Camera => events.attendee("AttendeeVideoStarted", now, &attendee, &user)?,
        Reported::Departure => events.attendee("AttendeeLeft", now, &attendee, &user)?,
    };
    cloud.drain_queues().await?;
    cloud.deliver_now("attendee", &[event]).await?;
    Ok(format!("false {reported:?}"))
}

/// The call can continue, and no work is left pending.
async fn check(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    cloud.drain_queues().await?;
    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
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
