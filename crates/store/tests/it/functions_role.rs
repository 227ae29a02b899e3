//! Privileges of the functions' login beyond the use cases: nothing that could change history.

use std::collections::BTreeSet;

use local::faults::FaultKind;
use local_testing::{MeetingEvents, Scenario, TestCloud, TestResult};
use serde_json::json;

use crate::database::{column, connect};

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_login_reads_calls_and_cannot_rewrite_history() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");

    let secret = cloud.parts().database_secret.get();
    let login = |name: &str| secret[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(login("username"), cloud.parts().database.name(), "not the superuser");
    let address = cloud.parts().database.server().addr();
    let url = format!("postgres://{}:{}@{address}/{}", login("username"), login("password"), login("dbname"));
    let functions = connect(&url).await?;

    let one = |answer: Result<Vec<String>, String>| answer.map(|rows| rows.join(" "));
    let seen = "SELECT (SELECT count(*) FROM video_call_sessions) || ' ' || (SELECT count(*) FROM video_call_participants)
                || ' ' || (SELECT count(*) FROM medzen.video_call_attendee_tokens) || ' ' || (SELECT count(*) FROM medzen.audit_outbox)";
    assert_eq!(one(column(&functions, seen).await), Ok("1 2 2 2".to_owned()));

    let refused = [
        "DELETE FROM video_call_sessions",
        "UPDATE video_call_sessions SET appointment_id = gen_random_uuid()",
        "UPDATE video_call_sessions SET created_by = gen_random_uuid()",
        "DELETE FROM video_call_participants",
        "UPDATE video_call_participants SET user_id = gen_random_uuid()",
        "UPDATE medzen.video_call_attendee_tokens SET attendee = '{}'",
        "DELETE FROM video_call_consents",
        "UPDATE video_call_consents SET granted = true",
        "UPDATE medzen.pending_operations SET target = ''",
        "INSERT INTO medzen.pending_operations (operation, target, payload, executor, created_at, not_before) VALUES ('publish_event', 'x', '{}', 'x', now(), now())",
        "UPDATE medzen.audit_outbox SET payload = '{}'",
        "UPDATE medzen.audit_outbox SET hash = previous_hash",
        "INSERT INTO medzen.audit_outbox (chain, seq, payload, previous_hash, hash, at) VALUES ('x', 1, '', '', '', now())",
        "UPDATE medzen.audit_heads SET seq = 0",
        "DELETE FROM medzen.audit_heads",
        "SELECT * FROM medzen.audit_heads",
        "DELETE FROM medzen.legal_holds",
        "UPDATE medzen.legal_holds SET reason = 'x'",
        "UPDATE medzen.legal_holds SET placed_by = 'x'",
        "UPDATE medzen.chime_events SET at_ms = 0",
        "UPDATE medzen.chime_meetings SET control_region = ''",
        "SELECT * FROM medzen.schema_history",
        "SELECT * FROM users",
        "UPDATE appointments SET status = 'cancelled'",
        "UPDATE medzen.call_users SET display_name = ''",
        "TRUNCATE medzen.audit_outbox",
        "CREATE TABLE medzen.mine (id uuid)",
        "DROP TABLE medzen.audit_outbox",
        "ALTER TABLE video_call_sessions DISABLE ROW LEVEL SECURITY",
        "SET ROLE authenticated",
    ];
    for statement in refused {
        assert_eq!(column(&functions, statement).await, Err("42501".to_owned()), "{statement}");
    }

    // An entry that is not yet delivered to the audit table cannot be deleted.
    let prune = "WITH gone AS (DELETE FROM medzen.audit_outbox RETURNING 1) SELECT count(*) FROM gone";
    assert_eq!(one(column(&functions, prune).await), Ok("0".to_owned()));
    cloud.run_schedule("audit").await?;
    assert_eq!(one(column(&functions, prune).await), Ok("2".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_login_is_dropped_with_its_database() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (login, url) =
        (cloud.parts().database.name().to_owned(), cloud.parts().database.server().admin_url());
    let there = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{login}'");
    let admin = connect(&url).await?;
    assert_eq!(column(&admin, &there).await, Ok(vec!["1".to_owned()]));
    drop(cloud);
    // The database is dropped in the background; each check is a round trip.
    while column(&admin, &there).await != Ok(vec!["0".to_owned()]) {}
    Ok(())
}

/// The statements of a reconciler run that meets a row of the host which cannot be read.
async fn after_a_row_that_cannot_be_read(cloud: &TestCloud) -> TestResult<Vec<String>> {
    let call = cloud.scenario().await?;
    assert_eq!(call.provider.start().await?.brief(), "201");
    let view = "CREATE OR REPLACE VIEW medzen.call_appointments AS
         SELECT id, provider_user_id, patient_user_id, status, video_enabled,
           ('TBD ' || status)::timestamptz AS scheduled_start, scheduled_end
         FROM public.appointments; SELECT ''";
    cloud.sql(view).await?;
    cloud.parts().clock.advance(60);
    let watch = cloud.watch();
    assert!(cloud.run_schedule("meeting-manager").await.is_err(), "the run reports the row");
    let turns = watch.calls().into_iter().filter(|call| call.service == "postgres" && call.status == 200);
    Ok(turns.map(|turn| turn.operation).collect())
}

/// A missing privilege shows only when its statement runs, and some statements run only after a failure.
#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_the_functions_lacks_a_right() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("MedicalEntities", "on")]).await?;
    let scenario = cloud.scenario().await?;
    let refused = cloud.scenario().await?;
    let watch = cloud.watch();
    let create = Some("CreateMeetingWithAttendees");

    cloud.fault("chime", create, FaultKind::Error, None);
    assert_eq!(refused.provider.start().await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(31);
    assert_eq!(refused.provider.start().await?.brief(), "201", "too old a token: another session");
    cloud.fault("chime", create, FaultKind::Error, None);
    assert_eq!(scenario.provider.start().await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    let checked = json!({ "checked": true });
    let again = scenario.patient.ask("POST", "/appointments/{a}/call/attendees", &checked).await?;
    assert_eq!(again.brief(), "200", "{:?}", again.body);
    assert_eq!(scenario.patient.roster().await?.brief(), "200");
    assert_eq!(scenario.patient.leave().await?.brief(), "200");
    let guests = json!({ "action": "batch-join", "appointmentId": scenario.appointment, "userIds": [scenario.stranger.id] });
    assert_eq!(scenario.provider.ask("POST", "/meetings", &guests).await?.brief(), "200");
    assert_eq!(refused.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    let now = cloud.parts().clock.now();
    let meeting_events = MeetingEvents::of(&cloud, &scenario.provider.start().await?);
    let foreign =
        MeetingEvents { meeting: scenario.appointment.clone(), external: meeting_events.external.clone() };
    let events = [
        meeting_events.attendee("AttendeeJoined", now, &again.text("attendeeToken"), &scenario.patient.id)?,
        foreign.meeting("MeetingStarted", now)?,
    ];
    assert_eq!(cloud.deliver("attendee", &events).await?, Vec::<usize>::new());
    decide_about(&scenario).await?;
    // Chime does not get the update, neither now nor in the next run.
    cloud.fault("chime", Some("UpdateAttendeeCapabilities"), FaultKind::Error, None);
    let patient = format!("/appointments/{{a}}/call/attendees/{}", scenario.patient.id);
    assert_eq!(scenario.patient.status().await?.brief(), "200");
    let stay = json!({ "stay": true });
    let again = scenario.provider.ask("POST", "/appointments/{a}/call/attendees", &stay).await?;
    assert_eq!(again.brief(), "200");
    let unseen = json!({ "capabilities": { "video": "Receive" } });
    assert_eq!(scenario.provider.ask("PATCH", &patient, &unseen).await?.status, 503);
    cloud.parts().clock.advance(31);
    cloud.run_schedule("meeting-manager").await?;
    cloud.parts().faults.clear();
    // More than a run has time for while Chime does not respond: the rest is returned.
    let operations = format!(
        "SELECT count(medzen.enqueue_operation('delete_attendee', gen_random_uuid()::text, s.id, jsonb_build_object(
           'userId', s.created_by, 'controlRegion', s.control_region, 'meetingId', s.meeting_id),
           s.created_at, NULL))::text
         FROM video_call_sessions s, generate_series(1, 6) WHERE s.appointment_id = '{}' AND s.status = 'active'",
        scenario.appointment
    );
    assert_eq!(cloud.sql(&operations).await?, "6");
    cloud.slow("chime", Some("DeleteAttendee"), 2_000);
    cloud.parts().clock.advance(60);
    cloud.run_schedule("meeting-manager").await?;
    cloud.parts().faults.clear();
    lose_parts(&cloud, &scenario).await?;
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    cloud.parts().clock.advance(301);
    cloud.run_schedule("meeting-manager").await?;
    record(&cloud).await?;
    transcribe(&cloud).await?;
    transcribe_afterwards(&cloud).await?;
    assert_eq!(cloud.request("GET", "/health", None, "").await?.brief(), "200");
    cloud.run_schedule("audit").await?;

    let turns: Vec<_> = watch.calls().into_iter().filter(|call| call.service == "postgres").collect();
    let failed: Vec<_> = turns.iter().filter(|turn| turn.status != 200).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let mut ran: BTreeSet<&str> = turns.iter().map(|turn| turn.operation.as_str()).collect();
    // The waiting room is on in another deployment.
    let waiting = waits().await?;
    ran.extend(waiting.iter().map(String::as_str));
    let after_failure = after_a_row_that_cannot_be_read(&cloud).await?;
    ran.extend(after_failure.iter().map(String::as_str));
    let all = statements()?;
    assert!(all.len() > 15, "{all:?}");
    let missing: Vec<_> = all.iter().filter(|name| !ran.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not run: {missing:?}");
    Ok(())
}

/// A transcription that Chime interrupts, from its start to the deletion of its text.
async fn transcribe(cloud: &TestCloud) -> TestResult {
    let scenario = cloud.scenario().await?;
    let (consent, route) = ("/appointments/{a}/call/consent", "/appointments/{a}/call/transcription");
    let meeting = scenario.provider.start().await?.text("meetingId");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    for caller in [&scenario.provider, &scenario.patient] {
        assert_eq!(caller.ask("PUT", consent, &json!({ "transcription": true })).await?.brief(), "200");
    }
    assert_eq!(scenario.provider.ask("POST", route, &json!({})).await?.brief(), "201");
    assert_eq!(scenario.provider.ask("GET", "/transcription/languages", &json!({})).await?.brief(), "200");
    let both = async |seconds: u32| -> TestResult {
        run_recording(cloud, &[seconds]).await?;
        cloud.run_schedule("transcript").await?;
        Ok(())
    };
    // No event of the capture comes: it is asked for after 30 s. Chime does not get the start: the schedule repeats it.
    cloud.fault("chime", Some("StartMeetingTranscription"), FaultKind::Error, None);
    both(1).await?;
    both(35).await?;
    cloud.parts().faults.clear();
    both(35).await?;
    let event = |kind: &str| {
        json!({
            "source": "aws.chime", "detail-type": "Chime Meeting State Change",
            "detail": {"eventType": format!("chime:{kind}"), "meetingId": meeting},
        })
    };
    for kind in ["TranscriptionStarted", "TranscriptionInterrupted", "TranscriptionResumed"] {
        cloud.send_event(&event(kind))?;
        assert_eq!(cloud.drain_queues().await?, 0);
    }
    let attendee = format!(
        "SELECT attendee_id FROM medzen.video_call_attendee_tokens WHERE user_id = '{}'",
        scenario.provider.id
    );
    let words = json!([{ "attendeeId": cloud.sql(&attendee).await?, "text": "Good morning", "resultId": "r-1", "afterMs": 1000 }]);
    let script = format!("chime/meetings/{meeting}/captions");
    assert!(cloud.control_api("POST", &script, &words).await?.status < 300);
    both(10).await?;
    // Chime does not get the stop in the request: the schedule repeats it.
    cloud.fault("chime", Some("StopMeetingTranscription"), FaultKind::Error, None);
    assert_eq!(scenario.provider.ask("DELETE", route, &json!({})).await?.brief(), "200");
    cloud.parts().faults.clear();
    for _ in 0..4 {
        both(60).await?;
    }
    assert_eq!(cloud.sql("SELECT string_agg(outcome, ',') FROM medzen.transcripts").await?, "incomplete");
    let read = scenario.provider.ask("GET", "/appointments/{a}/transcript", &json!({})).await?;
    assert_eq!(read.brief(), "200", "{:?}", read.body);
    let found = scenario.provider.ask("POST", "/transcripts/search", &json!({ "query": "morning" })).await?;
    assert_eq!(found.brief(), "200", "{:?}", found.body);
    cloud
        .sql("UPDATE medzen.transcripts SET finished_at = finished_at - interval '8 years' RETURNING ''")
        .await?;
    for _ in 0..2 {
        both(60).await?;
    }
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.transcript_segments").await?, "0");
    Ok(())
}

/// A call in a language of jobs alone, whose sound goes to a job after its end.
async fn transcribe_afterwards(cloud: &TestCloud) -> TestResult {
    let scenario = cloud.scenario().await?;
    let (consent, route) = ("/appointments/{a}/call/consent", "/appointments/{a}/call/transcription");
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(
        scenario.provider.ask("PUT", consent, &json!({ "transcription": true })).await?.brief(),
        "200"
    );
    let language = json!({ "language": "ha-NG" });
    assert_eq!(scenario.provider.ask("POST", route, &language).await?.brief(), "201");
    // No event of the capture comes: it is asked for after 30 s.
    for seconds in [1, 35, 35] {
        run_recording(cloud, &[seconds]).await?;
        cloud.run_schedule("transcript").await?;
    }
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    for _ in 0..8 {
        run_recording(cloud, &[60]).await?;
        cloud.run_schedule("transcript").await?;
    }
    assert_eq!(
        cloud.sql("SELECT string_agg(status, ',') FROM medzen.transcription_jobs").await?,
        "completed"
    );
    let name = cloud.sql("SELECT name FROM medzen.transcription_jobs").await?;
    cloud.send_event(&json!({
        "source": "aws.transcribe", "detail-type": "Transcribe Job State Change",
        "detail": {"TranscriptionJobName": name, "TranscriptionJobStatus": "COMPLETED"},
    }))?;
    assert_eq!(cloud.drain_queues().await?, 0, "an event that comes twice changes nothing");
    Ok(())
}

/// A recording from its start to its playback, and one that is stopped because consent to it is revoked.
async fn record(cloud: &TestCloud) -> TestResult {
    let scenario = cloud.scenario().await?;
    let (consent, recordings) = ("/appointments/{a}/call/consent", "/appointments/{a}/call/recordings");
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    let refused = scenario.provider.ask("POST", recordings, &json!({})).await?;
    assert_eq!(refused.brief(), "409 CONSENT_REQUIRED", "and everyone is asked");
    assert_eq!(scenario.provider.ask("DELETE", recordings, &json!({})).await?.brief(), "200");
    for caller in [&scenario.provider, &scenario.patient] {
        assert_eq!(caller.ask("PUT", consent, &json!({ "recording": true })).await?.brief(), "200");
    }
    let started = scenario.provider.ask("POST", recordings, &json!({})).await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    let recording = format!("/recordings/{}", started.text("recordingId"));
    run_recording(cloud, &[35]).await?;
    for action in ["pause", "resume", "stop"] {
        let answer = scenario.provider.ask("POST", &format!("{recording}/{action}"), &json!({})).await?;
        assert_eq!(answer.brief(), "200", "{action}: {:?}", answer.body);
    }
    run_recording(cloud, &[60; 12]).await?;
    for path in ["/appointments/{a}/recordings", &recording, &format!("{recording}/playback")] {
        let answer = scenario.provider.ask("GET", path, &json!({})).await?;
        assert_eq!(answer.brief(), "200", "{path}: {:?}", answer.body);
    }
    assert_eq!(scenario.provider.ask("POST", recordings, &json!({})).await?.brief(), "201");
    run_recording(cloud, &[35]).await?;
    let revoked = scenario.patient.ask("PUT", consent, &json!({ "recording": false })).await?;
    assert_eq!(revoked.brief(), "200", "{:?}", revoked.body);
    run_recording(cloud, &[15]).await?;
    // The events of pipelines are lost in this cloud; this one is of another application.
    cloud.send_event(&json!({
        "source": "aws.chime", "detail-type": "Chime Media Pipeline State Change",
        "detail": {"eventType": "chime:MediaPipelineDeleted", "mediaPipelineId": started.text("recordingId")},
    }))?;
    assert_eq!(cloud.drain_queues().await?, 0);
    hold(cloud, &scenario).await?;
    // A recording whose retention has ended, at the hour at which the bucket is searched.
    cloud.sql("UPDATE medzen.recordings SET ended_at = ended_at - interval '8 years' RETURNING ''").await?;
    let now = cloud.parts().clock.now();
    let today = (now.time() - time::Time::MIDNIGHT).whole_seconds();
    let until_three = (27 * 3600 + 5 - today) % (24 * 3600);
    run_recording(cloud, &[u32::try_from(until_three)?]).await
}

/// A hold is placed on a call whose recordings are processed, applied to files and entries, read and lifted.
async fn hold(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    let path = format!("/appointments/{}/hold", scenario.appointment);
    let auditor = json!({ "sub": "an-auditor", "medzen_role": "auditor" });
    for (method, expected) in [("PUT", "201"), ("GET", "200"), ("DELETE", "200")] {
        let token = cloud.parts().token(&auditor, 60, local::tokens::Key::Good)?;
        let body = json!({ "reason": "AZ-7" }).to_string();
        let answer = cloud.request(method, &path, Some(&token), body).await?;
        assert_eq!(answer.brief(), expected, "{method}: {:?}", answer.body);
        if method == "PUT" {
            // A deletion that is due while the hold stands is postponed.
            let due = "SELECT medzen.enqueue_operation('delete_chunks', c.id::text, c.session_id,
                 jsonb_build_object('controlRegion', s.control_region), c.opened_at, NULL)::text
               FROM medzen.media_captures c JOIN video_call_sessions s ON s.id = c.session_id
               WHERE c.recording_id IS NOT NULL AND c.ended_at IS NOT NULL LIMIT 1";
            cloud.sql(due).await?;
        }
        run_recording(cloud, &[60, 60, 60]).await?;
        cloud.run_schedule("audit").await?;
    }
    Ok(())
}

/// Moves the clock by each number of seconds, delivers what Chime reports and runs recording's schedule.
async fn run_recording(cloud: &TestCloud, seconds: &[u32]) -> TestResult {
    for seconds in seconds {
        cloud.parts().clock.advance(*seconds);
        assert_eq!(cloud.drain_queues().await?, 0);
        cloud.run_schedule("recording").await?;
    }
    Ok(())
}

/// The patient refuses what is captured, joins again, and is then no patient of the appointment any more.
async fn lose_parts(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    let of = format!("appointment_id = '{}' AND status = 'active'", scenario.appointment);
    let open = format!(
        "INSERT INTO medzen.media_captures (id, session_id, purposes, opened_at, confirmed_at)
         SELECT gen_random_uuid(), id, '{{transcription}}', created_at, created_at FROM video_call_sessions WHERE {of} RETURNING ''"
    );
    let no = json!({ "transcription": false });
    let consent = "/appointments/{a}/call/consent";
    assert_eq!(scenario.patient.ask("PUT", consent, &no).await?.brief(), "200");
    cloud.sql(&open).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "202");
    cloud
        .sql("UPDATE medzen.media_captures SET status = 'stopped', ended_at = stop_requested_at RETURNING ''")
        .await?;
    let reassign = format!(
        "UPDATE appointments SET patient_user_id = '{}' WHERE id = '{}' RETURNING ''",
        scenario.stranger.id, scenario.appointment
    );
    cloud.sql(&reassign).await?;
    assert_eq!(scenario.patient.status().await?.brief(), "403 NOT_A_MEMBER");
    Ok(())
}

/// Runs the statements of the waiting room; all of them must succeed.
async fn waits() -> TestResult<Vec<String>> {
    let cloud = TestCloud::with_parameters(&[("WaitingRoom", "on")]).await?;
    let scenario = cloud.scenario().await?;
    let watch = cloud.watch();
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "202");
    let turns: Vec<_> = watch.calls().into_iter().filter(|call| call.service == "postgres").collect();
    assert!(turns.iter().all(|turn| turn.status == 200), "{turns:?}");
    Ok(turns.into_iter().map(|turn| turn.operation).collect())
}

/// The provider's decisions about participants, their consent, and their quality samples.
async fn decide_about(scenario: &Scenario) -> TestResult {
    let patient = format!("/appointments/{{a}}/call/attendees/{}", scenario.patient.id);
    let observer = format!("/appointments/{{a}}/call/attendees/{}", scenario.stranger.id);
    let muted = json!({ "capabilities": { "audio": "Receive" } });
    let samples = json!({ "samples": [{ "jitterMs": 3.5 }] });
    for (caller, method, path, body, expected) in [
        (&scenario.patient, "POST", "/appointments/{a}/call/attendees", json!({}), "200"),
        (&scenario.patient, "POST", "/appointments/{a}/call/quality", samples, "202"),
        (&scenario.patient, "PUT", "/appointments/{a}/call/consent", json!({ "recording": true }), "200"),
        (&scenario.provider, "PATCH", &patient, muted.clone(), "200"),
        (&scenario.provider, "PATCH", &patient, muted, "200"),
        (&scenario.provider, "PATCH", &observer, json!({ "admitted": false }), "200"),
        (&scenario.provider, "PATCH", &observer, json!({ "admitted": true }), "200"),
        (&scenario.provider, "DELETE", &observer, json!({}), "200"),
    ] {
        let answer = caller.ask(method, path, &body).await?;
        assert_eq!(answer.brief(), expected, "{method} {path} {body}: {:?}", answer.body);
    }
    Ok(())
}

/// The names of all statements that `store` sends: each begins with a comment that names it.
fn statements() -> TestResult<BTreeSet<String>> {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(sources)? {
        let file = file?.path();
        if let (Some(name), Some("sql")) = (file.file_stem(), file.extension().and_then(|it| it.to_str())) {
            names.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
