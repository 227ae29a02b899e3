//! The roles allow what is used and nothing else.

use local::faults::{Fault, Kind};
use local::testing::{Caller, Outcome, Stage};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Walks every path on which a function calls a backend, the rare ones included, and then asks the roles.
#[tokio::test(flavor = "multi_thread")]
async fn every_permission_of_the_templates_is_used_and_none_is_missing() -> Outcome {
    let stage = Stage::new().await?;
    for function in ["attendee", "meeting-manager"] {
        several_devices_at_once(&stage, function).await?;
        come_back_to_a_dead_meeting(&stage, function).await?;
        end_while_it_is_made(&stage, function).await?;
    }
    run_schedules(&stage).await?;

    let usage = stage.parts().iam_usage();
    for (function, usage) in usage.as_object().ok_or("usage")? {
        assert_eq!(usage["refused"], json!([]), "refused to {function}");
        assert_eq!(usage["unused"], json!([]), "unused by {function}");
    }
    assert!(stage.parts().calls.since(0).iter().all(|call| call.allowed));
    Ok(())
}

async fn run_schedules(stage: &Stage) -> Outcome {
    for schedule in &stage.parts().plan.schedules {
        stage.run_schedule(&schedule.function).await?;
    }
    Ok(())
}

/// A join by way of the function that is meant: both serve it.
async fn join(function: &str, caller: &Caller, checked: bool) -> Outcome<local::testing::Answer> {
    match function {
        "attendee" => {
            caller.ask("POST", "/appointments/{a}/call/attendees", &json!({ "checked": checked })).await
        }
        _ => {
            let body = json!({ "action": "join", "appointmentId": caller.appointment, "checked": checked });
            caller.ask("POST", "/meetings", &body).await
        }
    }
}

/// Attendees made in vain are taken back.
async fn several_devices_at_once(stage: &Stage, function: &'static str) -> Outcome {
    for _ in 0..10 {
        let play = stage.play().await?;
        play.provider.start().await?;
        let watch = stage.watch();
        let mut joins = JoinSet::new();
        for _ in 0..8 {
            let patient = play.patient.clone();
            joins.spawn(async move { join(function, &patient, false).await });
        }
        while let Some(answer) = joins.join_next().await {
            assert_eq!(answer??.brief(), "200");
        }
        assert_eq!(join(function, &play.patient, true).await?.brief(), "200", "asks GetMeeting");
        if watch.count("DeleteAttendee") > 0 {
            return Ok(());
        }
    }
    Err("no two devices ever joined at the same moment".into())
}

/// A provider who comes back to a dead meeting gets a new one, whichever function they ask.
async fn come_back_to_a_dead_meeting(stage: &Stage, function: &str) -> Outcome {
    let play = stage.play().await?;
    play.provider.start().await?;
    stage.parts().clock.advance(330);
    assert_eq!(join(function, &play.provider, false).await?.brief(), "200");
    Ok(())
}

/// The end comes while the meeting is made: whoever makes it deletes it.
async fn end_while_it_is_made(stage: &Stage, function: &'static str) -> Outcome {
    let play = stage.play().await?;
    play.provider.start().await?;
    stage.parts().clock.advance(330);
    stage.parts().faults.add(Fault {
        service: "chime".to_owned(),
        operation: Some("CreateMeetingWithAttendees".to_owned()),
        function: Some(function.to_owned()),
        kind: Kind::Latency,
        nth: Some(1),
        ms: Some(1500),
        times: None,
    });
    let watch = stage.watch();
    let provider = play.provider.clone();
    let joining = tokio::spawn(async move { join(function, &provider, false).await });
    while watch.count("CreateMeetingWithAttendees") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(play.provider.end().await?.brief(), "200");
    assert_eq!(joining.await??.brief(), "410 MEETING_EXPIRED");
    stage.parts().faults.clear();
    Ok(())
}

/// A role that lacks a permission is refused: without this the test above could not fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_no_role_allows_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    let iam = &stage.parts().iam;
    let meeting = "arn:aws:chime:us-east-1:000000000000:meeting/x";
    let refused = !iam.check("audit", "chime:DeleteMeeting", Some(meeting), &[]).is_allowed();
    assert!(refused, "audit has nothing to do with meetings");
    let usage: Value = stage.parts().iam_usage();
    assert_eq!(usage["audit"]["refused"], json!(["chime:DeleteMeeting"]));
    Ok(())
}
