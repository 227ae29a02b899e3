//! Appointments that are cancelled before and during a call, and the join window.

use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::{admit, at_chime, invite, with_waiting_room};
use crate::{invariants, outbox};

async fn set(cloud: &TestCloud, scenario: &Scenario, change: &str) -> TestResult {
    let update =
        format!("UPDATE appointments SET {change} WHERE id = '{}' RETURNING id", scenario.appointment);
    cloud.sql(&update).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_patient_learns_by_the_next_poll_that_the_appointment_is_cancelled() -> TestResult {
    for (change, code) in
        [("status = 'Cancelled '", "APPOINTMENT_CANCELLED"), ("video_enabled = false", "VIDEO_NOT_ENABLED")]
    {
        let cloud = with_waiting_room().await?;
        let scenario = cloud.scenario().await?;
        scenario.provider.start().await?;
        assert_eq!(scenario.patient.join().await?.brief(), "202");
        assert_eq!(scenario.patient.status().await?.body["joinRefusal"], Value::Null);
        set(&cloud, &scenario, change).await?;

        let poll = scenario.patient.status().await?;
        assert_eq!(poll.brief(), "200", "{:?}", poll.body);
        assert_eq!(poll.body["joinRefusal"]["code"], code);
        assert_eq!(poll.body["canJoin"], false);
        assert_eq!(scenario.patient.join().await?.brief(), format!("409 {code}"));
        let provider = scenario.provider.status().await?;
        assert_eq!(provider.body["waiting"], json!([]), "the provider's poll shows it");
        assert!(
            outbox::events(&cloud, &scenario.appointment).await?.ends_with("participant.membership_ended")
        );

        // The host changes its mind, or the provider admits the patient all the same.
        set(&cloud, &scenario, "status = 'scheduled', video_enabled = true").await?;
        assert_eq!(scenario.patient.join().await?.brief(), "202");
        assert_eq!(admit(&scenario.provider, &scenario.patient).await?.brief(), "200");
        set(&cloud, &scenario, change).await?;
        let poll = scenario.patient.status().await?;
        assert_eq!((&poll.body["joinRefusal"], &poll.body["canJoin"]), (&Value::Null, &json!(true)));
        assert_eq!(scenario.patient.join().await?.brief(), "200", "whoever was admitted enters");
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_continues_for_its_participants_who_rejoin_and_end_it() -> TestResult {
    for room in ["on", "off"] {
        let cloud = TestCloud::with_parameters(&[("WaitingRoom", room)]).await?;
        let scenario = cloud.scenario().await?;
        scenario.provider.start().await?;
        let _may_wait = scenario.patient.join().await?;
        if room == "on" {
            admit(&scenario.provider, &scenario.patient).await?;
            assert_eq!(scenario.patient.join().await?.brief(), "200");
        }
        invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
        set(&cloud, &scenario, "status = 'noshow'").await?;
        cloud.run_schedule("meeting-manager").await?;
        for person in [&scenario.provider, &scenario.patient] {
            assert_eq!(at_chime(&cloud, person).len(), 1, "nobody is disconnected");
            assert_eq!(person.join().await?.brief(), "200", "resumes");
            assert_eq!(person.leave().await?.brief(), "200");
            assert_eq!(person.join().await?.brief(), "200", "returns");
        }
        assert_eq!(scenario.stranger.join().await?.brief(), "200", "was invited");
        assert_eq!(scenario.provider.leave().await?.brief(), "200");
        assert_eq!(scenario.provider.start().await?.brief(), "200", "a start returns the call that is on");
        assert_eq!(scenario.provider.end().await?.brief(), "200");
        assert_eq!(
            scenario.provider.start().await?.brief(),
            "409 APPOINTMENT_CANCELLED",
            "but none is begun"
        );
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_compared_without_case_and_surrounding_spaces() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    for status in [
        "cancelled",
        "Canceled",
        " CANCELLED ",
        "NoShow",
        "no_show",
        "No-Show\n",
        "entered-in-error",
        "\tEntered-In-Error",
    ] {
        set(&cloud, &scenario, &format!("status = E'{}'", status.escape_default())).await?;
        assert_eq!(scenario.provider.start().await?.brief(), "409 APPOINTMENT_CANCELLED", "{status:?}");
        assert_eq!(
            scenario.patient.status().await?.body["joinRefusal"]["code"],
            "APPOINTMENT_CANCELLED",
            "{status:?}"
        );
    }
    for status in ["scheduled", "", "cancelled by mistake", "un-cancelled"] {
        set(&cloud, &scenario, &format!("status = '{status}'")).await?;
        assert_eq!(scenario.provider.start().await?.status, 201, "{status:?}");
        assert_eq!(scenario.provider.end().await?.brief(), "200");
    }

    let french = TestCloud::with_parameters(&[("CancelledStatuses", "Annulé, absent")]).await?;
    let scenario = french.scenario().await?;
    for (status, expected) in [
        ("annulé", "409 APPOINTMENT_CANCELLED"),
        (" ANNULÉ", "409 APPOINTMENT_CANCELLED"),
        ("Absent", "409 APPOINTMENT_CANCELLED"),
        ("cancelled", "201"),
    ] {
        set(&french, &scenario, &format!("status = '{status}'")).await?;
        assert_eq!(scenario.provider.start().await?.brief(), expected, "{status}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_entered_within_the_join_window_and_those_in_it_may_always_return() -> TestResult {
    let cloud =
        TestCloud::with_parameters(&[("JoinWindowBeforeMinutes", "15"), ("JoinWindowAfterMinutes", "60")])
            .await?;
    let scenario = cloud.scenario().await?;
    let schedule = async |start: i64, end: i64| {
        let now = cloud.parts().clock.now().unix_timestamp();
        let (start, end) = (now + start * 60, now + end * 60);
        set(
            &cloud,
            &scenario,
            &format!("scheduled_start = to_timestamp({start}), scheduled_end = to_timestamp({end})"),
        )
        .await
    };
    schedule(17, 47).await?;
    assert_eq!(scenario.provider.start().await?.brief(), "409 JOIN_WINDOW_NOT_OPEN");
    let early = scenario.patient.status().await?;
    assert_eq!(early.body["joinRefusal"]["code"], "JOIN_WINDOW_NOT_OPEN");
    assert!(early.body["joinFrom"].is_string() && early.body["joinUntil"].is_string(), "{:?}", early.body);
    schedule(-200, -62).await?;
    assert_eq!(scenario.provider.start().await?.brief(), "409 JOIN_WINDOW_CLOSED");
    schedule(-200, -58).await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");

    // The window closes while the call continues.
    let late = cloud.scenario().await?;
    schedule(-300, -120).await?;
    for person in [&scenario.provider, &scenario.patient] {
        assert_eq!(person.leave().await?.brief(), "200");
        assert_eq!(person.join().await?.brief(), "200");
    }
    let patient = scenario.patient.id.clone();
    set(&cloud, &scenario, &format!("patient_user_id = '{}'", late.patient.id)).await?;
    let mut newcomer = late.patient.clone();
    newcomer.appointment.clone_from(&scenario.appointment);
    assert_eq!(newcomer.join().await?.brief(), "409 JOIN_WINDOW_CLOSED", "has not been in the call");
    set(&cloud, &scenario, &format!("patient_user_id = '{patient}'")).await?;
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(scenario.provider.start().await?.brief(), "409 JOIN_WINDOW_CLOSED");

    // Without a schedule, and with one that never ends, there is no limit.
    for times in [
        "scheduled_start = NULL, scheduled_end = NULL",
        "scheduled_start = '-infinity', scheduled_end = 'infinity'",
    ] {
        set(&cloud, &scenario, times).await?;
        let status = scenario.patient.status().await?;
        assert_eq!(status.brief(), "200", "{times}: {:?}", status.body);
        assert_eq!((&status.body["joinFrom"], &status.body["joinRefusal"]), (&Value::Null, &Value::Null));
        assert!(scenario.provider.start().await?.status < 300, "{times}");
        assert_eq!(scenario.provider.end().await?.brief(), "200");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_join_window_is_off_by_default_and_its_limits_are_checked_at_deployment() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let long_ago = "scheduled_start = '2001-01-01T00:00:00Z', scheduled_end = '2001-01-01T00:30:00Z'";
    set(&cloud, &scenario, long_ago).await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    for minutes in ["", "-5", "soon", "100000"] {
        let refused = TestCloud::with_parameters(&[("JoinWindowAfterMinutes", minutes)]).await.err();
        assert!(
            refused.is_some_and(|error| error.to_string().contains("JoinWindowAfterMinutes")),
            "{minutes:?}"
        );
    }
    Ok(())
}
