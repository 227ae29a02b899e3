//! Views of the host that cannot be read, for one appointment or for all.

use local::faults::FaultKind;
use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::json;

use crate::requests::{at_chime, operations_and_tokens, remove};

const MEETING: &str = "meeting-manager";
const COLUMNS: &str = "id, provider_user_id, patient_user_id, status, video_enabled";

/// A call of the provider and the patient.
async fn call(cloud: &TestCloud) -> TestResult<Scenario> {
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    Ok(scenario)
}

async fn session(cloud: &TestCloud, scenario: &Scenario, columns: &str) -> TestResult<String> {
    let of = format!("appointment_id = '{}'", scenario.appointment);
    cloud.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE {of}")).await
}

/// The view, whose cast fails for one appointment: the host keeps the start as text.
async fn spoil(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    let view = format!(
        "CREATE OR REPLACE VIEW medzen.call_appointments AS SELECT {COLUMNS},
           (CASE WHEN id = '{}' THEN 'TBD ' || status ELSE scheduled_start::text END)::timestamptz AS scheduled_start,
           scheduled_end
         FROM public.appointments; SELECT ''",
        scenario.appointment
    );
    cloud.sql(&view).await.map(drop)
}

async fn restore(cloud: &TestCloud) -> TestResult {
    let view = format!(
        "CREATE OR REPLACE VIEW medzen.call_appointments AS
         SELECT {COLUMNS}, scheduled_start, scheduled_end FROM public.appointments; SELECT ''"
    );
    cloud.sql(&view).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appointment_that_cannot_be_read_stops_no_other_call_s_work() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (bad, removed, reassigned) = (call(&cloud).await?, call(&cloud).await?, call(&cloud).await?);
    let successor = cloud.scenario().await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(remove(&removed.provider, &removed.patient).await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    let change = format!(
        "UPDATE appointments SET patient_user_id = '{}' WHERE id = '{}' RETURNING id",
        successor.patient.id, reassigned.appointment
    );
    cloud.sql(&change).await?;
    spoil(&cloud, &bad).await?;
    cloud.parts().clock.advance(60);
    let failed = cloud.run_schedule(MEETING).await;
    assert!(failed.is_err(), "the run reports it");
    assert_eq!(
        operations_and_tokens(&cloud, &removed.patient).await?,
        "0 0",
        "the other call's operation is executed"
    );
    assert_eq!(
        at_chime(&cloud, &reassigned.patient),
        Vec::<serde_json::Value>::new(),
        "and memberships are compared"
    );
    let logs = cloud.parts().lambda.logs();
    let named: Vec<_> =
        logs.iter().filter(|line| line.line.contains("host views cannot be read for a call")).collect();
    assert_eq!(named.len(), 1, "one call is named");
    assert!(named[0].line.contains(&session(&cloud, &bad, "id").await?), "{}", named[0].line);

    restore(&cloud).await?;
    cloud.parts().clock.advance(60);
    cloud.run_schedule(MEETING).await
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_cannot_be_read_at_all_stop_no_work_that_does_not_need_them() -> TestResult {
    let cloud = TestCloud::new().await?;
    let removed = call(&cloud).await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(remove(&removed.provider, &removed.patient).await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    let role = cloud.parts().database.functions_role().to_owned();
    // The host has dropped the view and created it again, without the grant.
    cloud.sql(&format!("REVOKE SELECT ON medzen.call_appointments FROM {role}; SELECT ''")).await?;
    cloud.parts().clock.advance(60);
    assert!(cloud.run_schedule(MEETING).await.is_err(), "the run reports it");
    assert_eq!(operations_and_tokens(&cloud, &removed.patient).await?, "0 0");
    cloud.sql(&format!("GRANT SELECT ON medzen.call_appointments TO {role}; SELECT ''")).await?;
    cloud.parts().clock.advance(60);
    cloud.run_schedule(MEETING).await?;

    // A view that does not answer in time is no reason either.
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    let other = call(&cloud).await?;
    assert_eq!(remove(&other.provider, &other.patient).await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    cloud.slow("postgres", Some("membership_page"), 3_000);
    cloud.parts().clock.advance(60);
    assert!(cloud.run_schedule(MEETING).await.is_err(), "the run reports it");
    assert_eq!(operations_and_tokens(&cloud, &other.patient).await?, "0 0");
    assert_eq!(json!(at_chime(&cloud, &other.patient)), json!([]));
    Ok(())
}

/// The event about a call's end names its members, from the host's view.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_cannot_be_stored_stops_no_other_end() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (bad, good) = (call(&cloud).await?, call(&cloud).await?);
    cloud.fault("events", None, FaultKind::Lose, None);
    for ended in [&bad, &good] {
        cloud.chime_event(&session(&cloud, ended, "meeting_id").await?, "MeetingEnded", None)?;
    }
    cloud.drain_queues().await?;
    cloud.parts().faults.clear();
    let view = format!(
        "CREATE OR REPLACE VIEW medzen.call_appointments AS SELECT id,
           (CASE WHEN id = '{}' THEN 'TBD' ELSE provider_user_id::text END)::uuid AS provider_user_id,
           patient_user_id, status, video_enabled, scheduled_start, scheduled_end
         FROM public.appointments; SELECT ''",
        bad.appointment
    );
    cloud.sql(&view).await?;
    cloud.parts().clock.advance(400);
    assert!(cloud.run_schedule(MEETING).await.is_err(), "the run reports it");
    assert_eq!(session(&cloud, &good, "status || ' ' || end_reason").await?, "ended meeting_gone");
    assert_eq!(session(&cloud, &bad, "status").await?, "active");
    restore(&cloud).await?;
    cloud.parts().clock.advance(60);
    cloud.run_schedule(MEETING).await?;
    assert_eq!(session(&cloud, &bad, "status || ' ' || end_reason").await?, "ended meeting_gone");
    Ok(())
}
