//! The function dies before or after each of its backend calls; then the request is repeated.

use local::faults::FaultKind;
use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::requests::{
    admit, at_chime, capabilities, change, consent, invite, remove, turn_away, with_waiting_room,
};
use crate::{invariants, outbox};

/// What is killed and repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UseCase {
    Start,
    Join,
    Rejoin,
    Leave,
    End,
    Wait,
    Admit,
    TurnAway,
    Mute,
    Remove,
    Consent,
}

impl UseCase {
    /// How many backend calls it makes; held by the test itself, which goes on until no call is left to die at.
    async fn prepare(self, scenario: &Scenario) -> TestResult {
        // Warm, so that the nth call is the request's and not of an environment's init.
        scenario.provider.status().await?;
        scenario.provider.roster().await?;
        if self != Self::Start {
            assert_eq!(scenario.provider.start().await?.brief(), "201");
        }
        if matches!(self, Self::Rejoin | Self::Leave | Self::Mute | Self::Remove) {
            assert_eq!(scenario.patient.join().await?.brief(), "200");
        }
        if self == Self::Rejoin {
            assert_eq!(scenario.patient.leave().await?.brief(), "200");
        }
        if self == Self::Admit {
            assert_eq!(scenario.patient.join().await?.brief(), "202");
        }
        if self == Self::TurnAway {
            assert_eq!(invite(&scenario.provider, &[&scenario.patient], json!({})).await?.brief(), "200");
        }
        Ok(())
    }

    async fn request(self, scenario: &Scenario) -> TestResult<local_testing::Answer> {
        match self {
            Self::Start => scenario.provider.start().await,
            Self::Join | Self::Rejoin | Self::Wait => scenario.patient.join().await,
            Self::Admit => admit(&scenario.provider, &scenario.patient).await,
            Self::TurnAway => turn_away(&scenario.provider, &scenario.patient).await,
            Self::Mute => change(&scenario.provider, &scenario.patient, mute()).await,
            Self::Remove => remove(&scenario.provider, &scenario.patient).await,
            Self::Consent => {
                consent(&scenario.patient, json!({ "recording": true, "transcription": false })).await
            }
            Self::Leave => scenario.patient.leave().await,
            Self::End => scenario.provider.end().await,
        }
    }
}

fn mute() -> Value {
    json!({ "capabilities": { "audio": "Receive" } })
}

impl UseCase {
    fn waits(self) -> bool {
        matches!(self, Self::Wait | Self::Admit)
    }

    /// What must be true of the patient after the repetition, beyond what must be of every call: at Chime, and told in the
    /// audit once.
    async fn check(self, cloud: &TestCloud, scenario: &Scenario) -> TestResult {
        let (event, attendees) = match self {
            Self::Start | Self::Join | Self::Rejoin | Self::Leave | Self::End => return Ok(()),
            Self::Wait => ("participant.waiting", vec![]),
            Self::Admit => ("participant.admitted", vec![]),
            Self::TurnAway => ("participant.turned_away", vec![]),
            Self::Remove => ("participant.removed", vec![]),
            Self::Mute => (
                "participant.capabilities_changed",
                vec![capabilities(["Receive", "SendReceive", "SendReceive"])],
            ),
            Self::Consent => ("consent.given", vec![]),
        };
        let events = outbox::events(cloud, &scenario.appointment).await?;
        assert_eq!(events.matches(event).count(), 1, "{events}");
        assert_eq!(at_chime(cloud, &scenario.patient), attendees, "at Chime");
        // What a death left owing is paid by then.
        cloud.parts().clock.advance(31);
        cloud.run_schedule("meeting-manager").await?;
        assert_eq!(cloud.sql("SELECT count(*) FROM medzen.pending_operations WHERE operation <> 'publish_event' AND completed_at IS NULL").await?, "0");
        Ok(())
    }
}

/// One death and one repetition. Answers whether anything died: else the use case makes fewer calls than that.
async fn die_and_repeat(use_case: UseCase, kind: FaultKind, nth: u32) -> TestResult<bool> {
    let case = format!("{use_case:?} {kind:?} {nth}");
    let cloud = if use_case.waits() { with_waiting_room().await? } else { TestCloud::new().await? };
    let scenario = cloud.scenario().await?;
    use_case.prepare(&scenario).await?;
    cloud.fault("*", None, kind, Some(nth));
    let first = use_case.request(&scenario).await?;
    cloud.parts().faults.clear();
    let died = first.status == 500;
    let hears_of_it = [429, 500, 503].contains(&first.status);
    assert!(hears_of_it || first.status < 300, "{case}: {first:?}");

    let repeated = use_case.request(&scenario).await?;
    if repeated.status >= 300 {
        let environments = json!(cloud.parts().lambda.environments());
        let calls = cloud.parts().calls.since(0);
        return Err(format!("the repetition got {repeated:?}; {environments}; {calls:?}").into());
    }
    invariants::hold(&cloud, &scenario.appointment).await.map_err(|error| format!("{case}: {error}"))?;
    use_case.check(&cloud, &scenario).await.map_err(|error| format!("{case}: {error}"))?;

    // Whoever has a place connects, which keeps their meeting alive; an orphan dies of nobody being there.
    for meeting in cloud.live_meetings() {
        let id = meeting["meetingId"].as_str().ok_or("an id")?;
        let attendee = repeated.text("attendeeToken");
        if meeting["attendees"].to_string().contains(&attendee) && !attendee.is_empty() {
            let joined = json!({ "eventType": "chime:AttendeeJoined", "attendeeId": attendee });
            cloud.parts().chime.event(id, serde_json::from_value(joined)?)?;
        }
    }
    if matches!(use_case, UseCase::Start | UseCase::Join | UseCase::Rejoin | UseCase::End) {
        cloud.parts().clock.advance(330);
        invariants::no_orphans(&cloud, &scenario.appointment)
            .await
            .map_err(|error| format!("{case}: {error}"))?;
    }
    Ok(died)
}

/// Both kinds of death at every call, several clouds at a time.
async fn at_every_call(use_case: UseCase, calls: u32) -> TestResult {
    let mut cases: Vec<(FaultKind, u32)> = Vec::new();
    for nth in 1..=calls + 1 {
        cases.extend([(FaultKind::KillBefore, nth), (FaultKind::KillAfter, nth)]);
    }
    let mut cases = cases.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < 3
            && let Some((kind, nth)) = cases.next()
        {
            running.spawn(async move { (kind, nth, die_and_repeat(use_case, kind, nth).await) });
        }
        let Some(case) = running.join_next().await else { return Ok(()) };
        let (kind, nth, died) = case?;
        let died = died.map_err(|error| format!("{use_case:?} {kind:?} {nth}: {error}"))?;
        assert_eq!(died, nth <= calls, "{use_case:?} makes {calls} calls; {kind:?} at {nth}");
    }
}

/// Every call throttled once, failed once, and answered into nothing once: the function heals that itself or says so, and
/// the repetition finds everything as it should be.
async fn unanswered_at_every_call(use_case: UseCase, calls: u32) -> TestResult {
    let mut cases = JoinSet::new();
    for nth in 1..=calls {
        for kind in [FaultKind::Drop, FaultKind::Throttle, FaultKind::Error] {
            cases.spawn(async move {
                let died = die_and_repeat(use_case, kind, nth).await;
                let died = died.map_err(|error| format!("{use_case:?} {kind:?} {nth}: {error}"))?;
                assert!(!died, "{use_case:?} {kind:?} {nth}: a lost answer is no defect, so no 500");
                TestResult::Ok(())
            });
            if cases.len() >= 3 {
                cases.join_next().await.ok_or("a case")???;
            }
        }
    }
    while let Some(case) = cases.join_next().await {
        case??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_never_come_change_nothing_twice() -> TestResult {
    for (use_case, calls) in [
        (UseCase::Start, 3),
        (UseCase::Join, 3),
        (UseCase::Rejoin, 2),
        (UseCase::Leave, 2),
        (UseCase::End, 6),
        (UseCase::Wait, 4),
        (UseCase::Admit, 3),
        (UseCase::TurnAway, 5),
        (UseCase::Mute, 5),
        (UseCase::Remove, 4),
        (UseCase::Consent, 3),
    ] {
        unanswered_at_every_call(use_case, calls).await?;
    }
    Ok(())
}

/// The first call of an appointment returned 500 after the meeting was made.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Start, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Join, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejoin_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Rejoin, 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Leave, 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::End, 6).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Wait, 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Admit, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turning_away_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::TurnAway, 5).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_capabilities_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Mute, 5).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Remove, 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_consent_that_dies_anywhere_is_repaired_by_the_next() -> TestResult {
    at_every_call(UseCase::Consent, 3).await
}
