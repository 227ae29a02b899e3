//! Memberships that the host application ends during a call: reassigned and deleted appointments, deleted accounts.

use domain::call::Appointment;
use domain::membership::{self, MembershipChange, Standing};
use local::faults::FaultKind;
use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::invariants::{self, rows};
use crate::outbox;
use crate::requests::{at_chime, invite, operations_and_tokens};

/// The host application's view of accounts without one.
async fn delete_account(cloud: &TestCloud, user: &Caller) -> TestResult {
    let view = format!(
        "CREATE OR REPLACE VIEW medzen.call_users AS
         SELECT id, firebase_uid, display_name FROM public.users WHERE id <> '{}'; SELECT ''",
        user.id
    );
    cloud.sql(&view).await.map(drop)
}

async fn set(cloud: &TestCloud, scenario: &Scenario, change: &str) -> TestResult {
    let update =
        format!("UPDATE appointments SET {change} WHERE id = '{}' RETURNING id", scenario.appointment);
    cloud.sql(&update).await.map(drop)
}

fn published(cloud: &TestCloud, scenario: &Scenario, kind: &str) -> Vec<Value> {
    let all = cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let appointment = scenario.appointment.as_str();
    all.into_iter()
        .filter(|event| event["detail-type"] == kind && event["detail"]["appointmentId"] == appointment)
        .map(|event| event["detail"].clone())
        .collect()
}

async fn ended_entries(cloud: &TestCloud, scenario: &Scenario) -> TestResult<Vec<Value>> {
    let entries = outbox::chain(cloud, &format!("APPT#{}", scenario.appointment)).await?;
    Ok(entries.into_iter().filter(|entry| entry["event"] == "participant.membership_ended").collect())
}

/// A call of the provider, the patient, and the stranger as an observer.
async fn call_of_three(cloud: &TestCloud) -> TestResult<Scenario> {
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    invite(&scenario.provider, &[&scenario.stranger], json!({})).await?;
    assert_eq!(scenario.stranger.join().await?.brief(), "200");
    Ok(scenario)
}

/// How a former participant's attendee is found to be one too many.
#[derive(Clone, Copy, Debug)]
enum Occasion {
    StatusOfTheProvider,
    StatusOfAnObserver,
    Roster,
    Rejoin,
    Start,
    OwnRequest,
    Reconciler,
}

const OCCASIONS: [Occasion; 7] = [
    Occasion::StatusOfTheProvider,
    Occasion::StatusOfAnObserver,
    Occasion::Roster,
    Occasion::Rejoin,
    Occasion::Start,
    Occasion::OwnRequest,
    Occasion::Reconciler,
];

async fn happen(cloud: &TestCloud, scenario: &Scenario, occasion: Occasion) -> TestResult {
    let (answer, expected): (Answer, &str) = match occasion {
        Occasion::StatusOfTheProvider => (scenario.provider.status().await?, "200"),
        Occasion::StatusOfAnObserver => (scenario.stranger.status().await?, "200"),
        Occasion::Roster => (scenario.provider.roster().await?, "200"),
        Occasion::Rejoin => (scenario.stranger.join().await?, "200"),
        Occasion::Start => (scenario.provider.start().await?, "200"),
        Occasion::OwnRequest => (scenario.patient.status().await?, "403 NOT_A_MEMBER"),
        Occasion::Reconciler => return cloud.run_schedule("meeting-manager").await,
    };
    assert_eq!(answer.brief(), expected, "{occasion:?}: {:?}", answer.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reassigned_patient_loses_the_attendee_at_the_next_request_and_in_the_next_run() -> TestResult {
    let cloud = TestCloud::new().await?;
    let other = cloud.scenario().await?;
    for occasion in OCCASIONS {
        let scenario = call_of_three(&cloud).await?;
        assert_eq!(at_chime(&cloud, &scenario.patient).len(), 1);
        set(&cloud, &scenario, &format!("patient_user_id = '{}'", other.patient.id)).await?;

        happen(&cloud, &scenario, occasion).await?;
        assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new(), "{occasion:?}");
        assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0", "{occasion:?}");
        for stays in [&scenario.provider, &scenario.stranger] {
            assert_eq!(at_chime(&cloud, stays).len(), 1, "{occasion:?}: the others stay connected");
        }

        let events = published(&cloud, &scenario, "Membership Ended");
        let [event] = events.as_slice() else { return Err(format!("{occasion:?}: {events:?}").into()) };
        assert_eq!(
            (&event["userId"], &event["role"], &event["reason"]),
            (&json!(scenario.patient.id), &json!("patient"), &json!("reassigned"))
        );
        let mut others = [&scenario.provider.id, &scenario.stranger.id, &other.patient.id];
        others.sort();
        assert_eq!(event["userIds"], json!(others), "{occasion:?}: the others are notified");

        let audited = ended_entries(&cloud, &scenario).await?;
        let [entry] = audited.as_slice() else { return Err(format!("{occasion:?}: {audited:?}").into()) };
        assert_eq!(
            (&entry["userId"], &entry["userRole"], &entry["reason"]),
            (&json!(scenario.patient.id), &json!("patient"), &json!("reassigned"))
        );
        assert!(entry["attendeeId"].is_string() && entry["actor"].is_null(), "{entry}");

        assert_eq!(scenario.patient.join().await?.brief(), "403 NOT_A_MEMBER");
        let status = scenario.provider.status().await?;
        assert!(
            !status.body["present"].to_string().contains(&scenario.patient.id),
            "the page's poll shows it: {}",
            status.body["present"]
        );
        assert_eq!(ended_entries(&cloud, &scenario).await?.len(), 1, "once");
        invariants::hold(&cloud, &scenario.appointment).await?;
        assert_eq!(scenario.provider.end().await?.brief(), "200");
        let [call] = published(&cloud, &scenario, "Call Ended").try_into().map_err(|_| "one event")?;
        assert!(!call["userIds"].to_string().contains(&scenario.patient.id), "{call}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_provider_continues_the_call_and_the_former_one_is_out() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = call_of_three(&cloud).await?;
    let other = cloud.scenario().await?;
    let mut colleague = other.provider.clone();
    colleague.appointment.clone_from(&scenario.appointment);
    set(&cloud, &scenario, &format!("provider_user_id = '{}'", colleague.id)).await?;

    let started = colleague.start().await?;
    assert_eq!(started.brief(), "200", "the call continues: {:?}", started.body);
    assert_eq!(at_chime(&cloud, &scenario.provider), Vec::<Value>::new());
    for former in
        [scenario.provider.start().await?, scenario.provider.join().await?, scenario.provider.end().await?]
    {
        assert_eq!(former.brief(), "403 NOT_A_MEMBER", "{:?}", former.body);
    }
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(colleague.end().await?.brief(), "200");

    // And back again: a member who was out is a member like any other.
    let scenario = call_of_three(&cloud).await?;
    let patient = scenario.patient.id.clone();
    set(&cloud, &scenario, &format!("patient_user_id = '{}'", other.patient.id)).await?;
    cloud.run_schedule("meeting-manager").await?;
    set(&cloud, &scenario, &format!("patient_user_id = '{patient}'")).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(at_chime(&cloud, &scenario.patient).len(), 1);
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_loses_the_attendee_whatever_its_role() -> TestResult {
    for by_request in [true, false] {
        for n in 0..3 {
            let cloud = TestCloud::new().await?;
            let scenario = call_of_three(&cloud).await?;
            let people = [&scenario.provider, &scenario.patient, &scenario.stranger];
            let (deleted, asks) = (people[n], people[(n + 1) % 3]);
            delete_account(&cloud, deleted).await?;
            if by_request {
                assert_eq!(asks.status().await?.brief(), "200");
            } else {
                cloud.run_schedule("meeting-manager").await?;
            }
            assert_eq!(at_chime(&cloud, deleted), Vec::<Value>::new());
            assert_eq!(operations_and_tokens(&cloud, deleted).await?, "0 0");
            let audited = ended_entries(&cloud, &scenario).await?;
            assert_eq!(audited.len(), 1, "{audited:?}");
            assert_eq!(audited[0]["reason"], "account_deleted");
            assert_eq!(deleted.status().await?.brief(), "403 UNKNOWN_USER");
        }
    }
    Ok(())
}

/// An invitation gives the role of an observer to somebody whose earlier role was the appointment's, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_provider_or_patient_who_is_invited_comes_in_as_an_observer_and_stays() -> TestResult {
    let cloud = TestCloud::new().await?;
    let other = cloud.scenario().await?;
    for column in ["provider_user_id", "patient_user_id"] {
        let scenario = cloud.scenario().await?;
        assert_eq!(scenario.provider.start().await?.brief(), "201");
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        let is_provider = column == "provider_user_id";
        let former = if is_provider { &scenario.provider } else { &scenario.patient };
        let successor = if is_provider { &other.provider } else { &other.patient };
        set(&cloud, &scenario, &format!("{column} = '{}'", successor.id)).await?;
        let mut by = if is_provider { successor.clone() } else { scenario.provider.clone() };
        by.appointment.clone_from(&scenario.appointment);
        assert_eq!(by.start().await?.brief(), "200");

        let invited = invite(&by, &[former], json!({})).await?;
        assert_eq!(invited.brief(), "200");
        assert_eq!(invited.body["attendees"][0]["role"], "observer", "{column}: {:?}", invited.body);
        let joined = former.join().await?;
        assert_eq!((joined.brief().as_str(), joined.text("role").as_str()), ("200", "observer"), "{column}");
        cloud.run_schedule("meeting-manager").await?;
        assert_eq!(at_chime(&cloud, former).len(), 1, "{column}: the next run leaves them in");
        let row = format!(
            "SELECT role || ' ' || status FROM video_call_participants WHERE user_id = '{}'",
            former.id
        );
        assert_eq!(cloud.sql(&row).await?, "observer joined", "{column}");
        assert_eq!(ended_entries(&cloud, &scenario).await?.len(), 1, "{column}: once, by the reassignment");
        // And back: the host's role counts again.
        set(&cloud, &scenario, &format!("{column} = '{}'", former.id)).await?;
        assert_eq!(former.join().await?.text("role"), if is_provider { "provider" } else { "patient" });
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_appointment_ends_its_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    for by_request in [true, false] {
        let scenario = call_of_three(&cloud).await?;
        let delete = format!("DELETE FROM appointments WHERE id = '{}' RETURNING id", scenario.appointment);
        cloud.sql(&delete).await?;
        if by_request {
            assert_eq!(scenario.patient.status().await?.brief(), "404 APPOINTMENT_NOT_FOUND");
        } else {
            cloud.run_schedule("meeting-manager").await?;
        }
        for person in [&scenario.provider, &scenario.patient, &scenario.stranger] {
            assert_eq!(at_chime(&cloud, person), Vec::<Value>::new());
            assert_eq!(person.join().await?.brief(), "404 APPOINTMENT_NOT_FOUND");
        }
        let session = format!(
            "SELECT status || ' ' || end_reason FROM video_call_sessions WHERE appointment_id = '{}'",
            scenario.appointment
        );
        assert_eq!(cloud.sql(&session).await?, "ended appointment_deleted");
        let events = published(&cloud, &scenario, "Call Ended");
        let [event] = events.as_slice() else { return Err(format!("{events:?}").into()) };
        assert_eq!(event["reason"], "appointment_deleted");
        let mut everyone = [&scenario.provider.id, &scenario.patient.id, &scenario.stranger.id];
        everyone.sort();
        assert_eq!(event["userIds"], json!(everyone), "everyone is notified");
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

/// A view that returns nothing is a fault of the view (a policy, a migration), and no reason to disconnect anybody.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_view_of_the_host_disconnects_nobody() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = call_of_three(&cloud).await?;
    for (view, columns) in [
        (
            "appointments",
            "id, provider_user_id, patient_user_id, status, video_enabled, scheduled_start, scheduled_end",
        ),
        ("users", "id, firebase_uid, display_name"),
    ] {
        let with = |condition: &str| {
            format!(
                "CREATE OR REPLACE VIEW medzen.call_{view} AS SELECT {columns} FROM public.{view} {condition}; SELECT ''"
            )
        };
        cloud.sql(&with("WHERE false")).await?;
        cloud.run_schedule("meeting-manager").await?;
        assert!(scenario.provider.status().await?.status >= 400, "{view}");
        cloud.sql(&with("")).await?;
        for person in [&scenario.provider, &scenario.patient, &scenario.stranger] {
            assert_eq!(at_chime(&cloud, person).len(), 1, "{view}");
            assert_eq!(person.join().await?.brief(), "200", "{view}");
        }
    }
    assert_eq!(ended_entries(&cloud, &scenario).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_chime_is_down_requests_are_answered_and_the_deletion_is_repeated() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = call_of_three(&cloud).await?;
    let other = cloud.scenario().await?;
    set(&cloud, &scenario, &format!("patient_user_id = '{}'", other.patient.id)).await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "1 0", "one operation is pending");
    assert_eq!(scenario.patient.join().await?.brief(), "403 NOT_A_MEMBER");
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
    assert_eq!(operations_and_tokens(&cloud, &scenario.patient).await?, "0 0");
    assert_eq!(at_chime(&cloud, &scenario.patient), Vec::<Value>::new());
    assert_eq!(ended_entries(&cloud, &scenario).await?.len(), 1);
    Ok(())
}

/// Each role, status, membership, account and attendee in one call: the reconciler's statement finds what the rule names.
#[tokio::test(flavor = "multi_thread")]
async fn the_reconciler_ends_exactly_the_memberships_that_the_rule_names() -> TestResult {
    for cancelled in [false, true] {
        let cloud = TestCloud::new().await?;
        let scenario = cloud.scenario().await?;
        let session = scenario.provider.start().await?.text("sessionId");
        let crowd = format!(
            "WITH person AS (
               SELECT gen_random_uuid() AS id, role, status, has_account, has_attendee
               FROM unnest('{{provider,patient,observer}}'::text[]) AS role,
                 unnest('{{invited,waiting,joined,left,removed,turned_away}}'::text[]) AS status,
                 unnest('{{true,false}}'::boolean[]) AS has_account, unnest('{{true,false}}'::boolean[]) AS has_attendee
             ), account AS (
               INSERT INTO users (id, firebase_uid, display_name) SELECT id, id::text, role FROM person WHERE has_account
             ), participant AS (
               INSERT INTO video_call_participants (
                 video_call_id, user_id, role, status, joined_at, admitted_at, waiting_since)
               SELECT '{session}', id, role, status, now(), CASE WHEN has_attendee THEN now() END, now() FROM person
               RETURNING 1
             ), token AS (
               INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
               SELECT '{session}', id, gen_random_uuid(), '{{}}' FROM person, (SELECT count(*) FROM participant) AS first
               WHERE has_attendee
             )
             SELECT count(*) FROM person"
        );
        assert_eq!(cloud.sql(&crowd).await?, "72");
        if cancelled {
            set(&cloud, &scenario, "status = 'cancelled'").await?;
        }
        let standings = rows(
            &cloud,
            &format!(
                "SELECT p.user_id AS \"userId\", p.role, p.status, u.id IS NOT NULL AS \"hasAccount\",
                   t.user_id IS NOT NULL AS \"hasAttendee\"
                 FROM video_call_participants p LEFT JOIN users u ON u.id = p.user_id
                 LEFT JOIN medzen.video_call_attendee_tokens t ON t.session_id = p.video_call_id AND t.user_id = p.user_id
                 WHERE p.video_call_id = '{session}'"
            ),
        )
        .await?;
        let standings: Vec<Standing> =
            standings.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        let appointment: Appointment = serde_json::from_value(json!({
            "id": scenario.appointment, "providerUserId": scenario.provider.id, "patientUserId": scenario.patient.id,
            "cancelled": cancelled, "videoEnabled": true, "providerName": null,
        }))?;
        let expected = match membership::compare(Some(&appointment), false, standings) {
            Some(MembershipChange::End(ended)) => ended,
            other => return Err(format!("{other:?}").into()),
        };
        cloud.run_schedule("meeting-manager").await?;
        let mut found: Vec<String> = ended_entries(&cloud, &scenario)
            .await?
            .iter()
            .map(|entry| format!("{} {}", entry["userId"], entry["reason"]))
            .collect();
        let mut named: Vec<String> = expected
            .iter()
            .map(|ended| Ok(format!("{} {}", json!(ended.user_id), json!(ended.reason))))
            .collect::<TestResult<_>>()?;
        found.sort();
        named.sort();
        assert!(named.len() > 20, "{named:?}");
        assert_eq!(found, named, "cancelled: {cancelled}");
        cloud.run_schedule("meeting-manager").await?;
        assert_eq!(ended_entries(&cloud, &scenario).await?.len(), named.len(), "and once only");
    }
    Ok(())
}
