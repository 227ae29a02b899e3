//! Statements that meet at a lock: one waits, with a snapshot from before the other's change.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::database::{column, connect};

/// Starts a request while another transaction holds the session with an uncommitted change; then commits that.
/// Returns the request's answer.
async fn meanwhile(
    cloud: &TestCloud,
    change: &str,
    request: impl Future<Output = TestResult<local_testing::Answer>> + Send + 'static,
) -> TestResult<local_testing::Answer> {
    let database = &cloud.parts().database;
    let url = database.server().url(database.name());
    let (holder, watcher) = (connect(&url).await?, connect(&url).await?);
    holder.batch_execute(&format!("BEGIN; {change}")).await?;
    let waiting = tokio::spawn(request);
    let locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while column(&watcher, locked).await? != ["1"] {
        assert!(!waiting.is_finished(), "it did not wait");
    }
    holder.batch_execute("COMMIT").await?;
    waiting.await?
}

/// The last statement of another request's start: the session is active and has its meeting and the provider's token.
const ACTIVATION: &str = "
UPDATE video_call_sessions s SET status = 'active', attempt_by = NULL, meeting_id = k.meeting_id, activated_at = now()
FROM kept k WHERE s.id = k.session_id;
INSERT INTO medzen.call_meetings (session_id, meeting) SELECT session_id, meeting FROM kept;
INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
SELECT session_id, user_id, 'provider', 'joined', now(), now() FROM kept;
INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
SELECT session_id, user_id, attendee_id, attendee FROM kept";

/// Takes a started call back to before its activation and keeps what that stores.
const BEFORE_ACTIVATION: &str = "
CREATE TABLE kept AS
SELECT s.id AS session_id, s.meeting_id, m.meeting, t.user_id, t.attendee_id, t.attendee
FROM video_call_sessions s
JOIN medzen.call_meetings m ON m.session_id = s.id
JOIN medzen.video_call_attendee_tokens t ON t.session_id = s.id;
DELETE FROM medzen.video_call_attendee_tokens;
DELETE FROM video_call_participants;
DELETE FROM medzen.call_meetings;
UPDATE video_call_sessions SET status = 'creating', attempt_by = 'another', meeting_id = NULL, activated_at = NULL;
SELECT count(*) FROM kept";

/// `medzen.call_meeting` is volatile: it reads the meeting with a snapshot from after the wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_for_another_one_s_activation_returns_its_meeting() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let first = scenario.provider.start().await?;
    assert_eq!(first.brief(), "201");
    assert_eq!(cloud.sql(BEFORE_ACTIVATION).await?, "1");
    let provider = scenario.provider.clone();
    let watch = cloud.watch();
    let second = meanwhile(&cloud, ACTIVATION, async move { provider.start().await }).await?;
    assert_eq!(second.brief(), "200", "{:?}", second.body);
    assert_eq!(second.body, first.body, "both are in one meeting");
    assert_eq!(watch.count("CreateMeetingWithAttendees"), 0, "{:?}", watch.operations());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_waits_for_a_join_takes_the_token_that_the_join_stored() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    let id = &scenario.patient.id;
    let join = format!(
        "UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}';
         INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
         VALUES ('{session}', '{id}', 'patient', 'joined', now(), now());
         INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
         VALUES ('{session}', '{id}', '7d9f1c5e-0000-4000-8000-00000000a77e', '{{}}')"
    );
    let (provider, path) = (scenario.provider.clone(), format!("/appointments/{{a}}/call/attendees/{id}"));
    let watch = cloud.watch();
    let removal = async move { provider.ask("DELETE", &path, &Value::Null).await };
    assert_eq!(meanwhile(&cloud, &join, removal).await?.brief(), "200");
    assert_eq!(watch.count("remove"), 1, "whoever keeps the session busy does not keep a removal waiting");
    let left = cloud.sql("SELECT count(*) FROM medzen.video_call_attendee_tokens").await?;
    assert_eq!(left, "1", "the provider's alone");
    assert_eq!(scenario.patient.status().await?.body["me"]["status"], "removed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_that_wait_for_a_join_update_the_attendee_that_the_join_stored() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let session = started.text("sessionId");
    let id = &scenario.patient.id;
    let join = format!(
        "UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}';
         INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
         VALUES ('{session}', '{id}', 'patient', 'joined', now(), now());
         INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
         VALUES ('{session}', '{id}', '7d9f1c5e-0000-4000-8000-00000000a77e', '{{}}')"
    );
    let (provider, path) = (scenario.provider.clone(), format!("/appointments/{{a}}/call/attendees/{id}"));
    let watch = cloud.watch();
    let mute = json!({ "capabilities": { "audio": "Receive" } });
    let change = async move { provider.ask("PATCH", &path, &mute).await };
    let changed = meanwhile(&cloud, &join, change).await?;
    assert_eq!(changed.brief(), "200", "{:?}", changed.body);
    assert_eq!(watch.count("set_capabilities"), 1, "{:?}", watch.operations());
    assert_eq!(watch.count("UpdateAttendeeCapabilities"), 1, "{:?}", watch.operations());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_waits_for_the_same_decision_is_not_inserted() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    let id = &scenario.patient.id;
    let decision = format!(
        "UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}';
         INSERT INTO video_call_consents (session_id, number, user_id, kind, granted, given_at)
         VALUES ('{session}', 1, '{id}', 'recording', true, now())"
    );
    let patient = scenario.patient.clone();
    let same = async move {
        patient.ask("PUT", "/appointments/{a}/call/consent", &json!({ "recording": true })).await
    };
    let watch = cloud.watch();
    let answer = meanwhile(&cloud, &decision, same).await?;
    assert_eq!(answer.brief(), "200", "{:?}", answer.body);
    assert_eq!(watch.count("consent"), 1, "{:?}", watch.operations());
    assert_eq!(cloud.sql("SELECT count(*) FROM video_call_consents").await?, "1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_waits_for_its_attendee_s_deletion_gets_another() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    let before = scenario.patient.join().await?.text("attendeeToken");
    assert_eq!(scenario.patient.leave().await?.brief(), "200");
    let deletion = format!(
        "UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}';
         DELETE FROM medzen.video_call_attendee_tokens WHERE user_id = '{}'",
        scenario.patient.id
    );
    let patient = scenario.patient.clone();
    let again = meanwhile(&cloud, &deletion, async move { patient.join().await }).await?;
    assert_eq!(again.brief(), "200", "{:?}", again.body);
    assert_ne!(again.text("attendeeToken"), before, "Chime deletes that one");
    Ok(())
}

/// Opens a capture for recording, as the gate's other half does it, without asking for the others' consent.
fn opening(session: &str) -> String {
    format!(
        "SELECT id FROM video_call_sessions WHERE id = '{session}' FOR NO KEY UPDATE;
         INSERT INTO medzen.media_captures (id, session_id, purposes, opened_at, confirmed_at)
         VALUES (gen_random_uuid(), '{session}', '{{recording}}', now(), now())"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_waits_for_a_join_stops_the_capture() -> TestResult {
    let cloud = TestCloud::new().await?;
    let path = "/appointments/{a}/call/consent";
    let change = |session: &str, id: &str, kind: &str| {
        let lock = format!("UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}';");
        let changed = match kind {
            "join" => format!(
                "INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
                 VALUES ('{session}', '{id}', 'patient', 'joined', now(), now())"
            ),
            "connection" => format!(
                "INSERT INTO video_call_participants (video_call_id, user_id, role, status, connected)
                 VALUES ('{session}', '{id}', 'patient', 'left', true)"
            ),
            _ => String::new(),
        };
        lock + &changed
    };
    for (kind, stops) in [("join", "1"), ("connection", "1"), ("nothing", "0")] {
        let scenario = cloud.scenario().await?;
        let session = scenario.provider.start().await?.text("sessionId");
        let patient = scenario.patient.clone();
        assert_eq!(patient.ask("PUT", path, &json!({ "recording": true })).await?.brief(), "200");
        cloud.sql(&format!("{}; SELECT ''", opening(&session))).await?;
        let join = change(&session, &patient.id, kind);
        let refuse = async move { patient.ask("PUT", path, &json!({ "recording": false })).await };
        assert_eq!(meanwhile(&cloud, &join, refuse).await?.brief(), "200");
        let stopping = format!(
            "SELECT (SELECT count(*) FROM medzen.media_captures WHERE session_id = '{session}' AND status = 'stopping')
                    + (SELECT count(*) FROM medzen.pending_operations WHERE session_id = '{session}' AND operation = 'stop_capture')"
        );
        let expected = if stops == "1" { "2" } else { "0" };
        assert_eq!(cloud.sql(&stopping).await?, expected, "{kind}: the capture and its operation");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_wait_for_a_call_s_lock() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    let database = &cloud.parts().database;
    let holder = connect(&database.server().url(database.name())).await?;
    let lock =
        format!("BEGIN; UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}'");
    holder.batch_execute(&lock).await?;
    assert_eq!(scenario.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    assert_eq!(scenario.stranger.start().await?.brief(), "403 NOT_A_MEMBER");
    holder.batch_execute("COMMIT").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_waits_for_the_opening_of_a_capture_is_not_handed_out_without_consent() -> TestResult {
    let cloud = TestCloud::new().await?;
    for step in ["join", "rejoin", "resume", "start"] {
        let scenario = cloud.scenario().await?;
        let session = scenario.provider.start().await?.text("sessionId");
        let caller = if step == "start" { scenario.provider.clone() } else { scenario.patient.clone() };
        if step == "rejoin" || step == "resume" {
            assert_eq!(caller.join().await?.brief(), "200");
        }
        if step == "rejoin" {
            assert_eq!(caller.leave().await?.brief(), "200");
        }
        let watch = cloud.watch();
        let enters = async move { if step == "start" { caller.start().await } else { caller.join().await } };
        let answer = meanwhile(&cloud, &opening(&session), enters).await?;
        assert_eq!(answer.brief(), "202", "{step}: {:?}", answer.body);
        assert_eq!(
            (answer.text("status").as_str(), &answer.body["purposes"], &answer.body["attendee"]),
            ("consent_required", &json!(["recording"]), &Value::Null),
            "{step}"
        );
        assert_eq!(watch.count("CreateAttendee"), 0, "{step}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_creates_an_attendee_while_a_capture_opens_gives_no_token() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    cloud.slow("chime", Some("CreateAttendee"), 500);
    let watch = cloud.watch();
    let patient = scenario.patient.clone();
    let joining = tokio::spawn(async move { patient.join().await });
    while watch.count("load_call") == 0 {
        assert!(!joining.is_finished(), "it did not begin");
        tokio::task::yield_now().await;
    }
    let open = format!("{}; SELECT ''", opening(&session));
    cloud.sql(&open).await?;
    let answer = joining.await??;
    assert_eq!(answer.text("status"), "consent_required", "{:?}", answer.body);
    let tokens = format!(
        "SELECT count(*) FROM medzen.video_call_attendee_tokens WHERE user_id = '{}'",
        scenario.patient.id
    );
    assert_eq!(cloud.sql(&tokens).await?, "0");
    assert_eq!(watch.count("CreateAttendee"), watch.count("DeleteAttendee"), "none is left at Chime");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_waits_for_a_join_is_not_opened_without_the_participant_s_consent() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    let path = "/appointments/{a}/call/consent";
    assert_eq!(scenario.provider.ask("PUT", path, &json!({ "recording": true })).await?.brief(), "200");
    let id = scenario.patient.id.clone();
    let database = &cloud.parts().database;
    let url = database.server().url(database.name());
    let (joins, opens, watcher) = (connect(&url).await?, connect(&url).await?, connect(&url).await?);
    joins
        .batch_execute(&format!(
            "BEGIN; UPDATE video_call_sessions SET updated_at = updated_at WHERE id = '{session}';
             INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, admitted_at)
             VALUES ('{session}', '{id}', 'patient', 'joined', now(), now());
             INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
             VALUES ('{session}', '{id}', '7d9f1c5e-0000-4000-8000-00000000a77e', '{{}}')"
        ))
        .await?;
    let role = database.functions_role().to_owned();
    let open =
        format!("SELECT medzen.open_capture(gen_random_uuid(), '{session}', '{{recording}}', now())::text");
    let opening = tokio::spawn(async move {
        opens.batch_execute(&format!("SET ROLE {role}")).await.map_err(|error| error.to_string())?;
        column(&opens, &open).await
    });
    let locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while column(&watcher, locked).await? != ["1"] {
        assert!(!opening.is_finished(), "it did not wait");
    }
    joins.batch_execute("COMMIT").await?;
    assert_eq!(opening.await??, ["false"], "the participant holds a token by then");
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.media_captures").await?, "0");
    Ok(())
}

/// The hold is placed while the deletion waits: the deletion is the later of the two, and sees it.
#[tokio::test(flavor = "multi_thread")]
async fn the_deletion_of_a_transcript_that_waits_for_a_hold_deletes_nothing() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = scenario.provider.start().await?.text("sessionId");
    let transcript = uuid::Uuid::new_v4();
    let rows = format!(
        "INSERT INTO medzen.transcripts (id, session_id, created_at, finished_at, outcome, segment_count, sha256, deletion_requested_at)
         VALUES ('{transcript}', '{session}', now(), now(), 'ready', 1, '', now());
         INSERT INTO medzen.transcript_segments (
           transcript_id, result_id, place, rank, source, start_ms, end_ms, content, speaker, body, language, spans, unfinished, revoked,
           search)
         VALUES ('{transcript}', 'r', 0, '1', 'live', 0, 1, false, 's', 'pain', 'en-US', '[]', false, false, to_tsvector('pain'));
         SELECT ''"
    );
    cloud.sql(&rows).await?;
    let hold = format!(
        "SELECT FROM video_call_sessions WHERE id = '{session}' FOR NO KEY UPDATE;
         INSERT INTO medzen.legal_holds (appointment_id, reason, placed_at, placed_by) VALUES ('{}', 'AZ-7', now(), 'auditor')",
        scenario.appointment
    );
    let database = &cloud.parts().database;
    let url = database.server().url(database.name());
    let (holder, watcher, deleter) = (connect(&url).await?, connect(&url).await?, connect(&url).await?);
    holder.batch_execute(&format!("BEGIN; {hold}")).await?;
    let statement = include_str!("../../sql/transcript_deleted.sql");
    let delete = format!(
        "PREPARE it (uuid, timestamptz, jsonb, text) AS {statement};
         EXECUTE it ('{transcript}', now(), '{{}}', 'transcript.deleted')"
    );
    let deleting = tokio::spawn(async move { deleter.simple_query(&delete).await });
    let locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while column(&watcher, locked).await? != ["1"] {
        assert!(!deleting.is_finished(), "it did not wait");
    }
    holder.batch_execute("COMMIT").await?;
    let returned = deleting.await??;
    let returned: Vec<_> = returned
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(returned, ["false"]);
    let left = "SELECT count(*) FROM medzen.transcript_segments";
    assert_eq!(cloud.sql(left).await?, "1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_reserves_what_is_left_of_the_day_and_nothing_below_a_minute() -> TestResult {
    let cloud = TestCloud::new().await?;
    for (reserved, wanted, budget, expected) in [
        (0, 3600, 7200, "3600"),
        (5400, 3600, 7200, "1800"),
        (7140, 3600, 7200, "60"),
        (7141, 3600, 7200, "none"),
        (1_000_000, 3600, 0, "3600"),
        (0, 30, 7200, "30"),
    ] {
        let reserve = format!(
            "DELETE FROM medzen.transcription_budgets;
             INSERT INTO medzen.transcription_budgets (day, reserved_seconds) VALUES ('2026-11-20', {reserved});
             SELECT coalesce(medzen.reserve_transcription('2026-11-20', {wanted}, 60, {budget})::text, 'none')"
        );
        assert_eq!(cloud.sql(&reserve).await?, expected, "{reserved} of {budget}, {wanted} wanted");
    }
    Ok(())
}
