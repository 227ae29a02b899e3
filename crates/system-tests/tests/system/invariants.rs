//! Invariants of every appointment.

use std::collections::BTreeMap;

use domain::audit::{self, Entry, Hash};
use local_testing::{TestCloud, TestResult};
use serde_json::Value;

/// Checks that the appointment has at most one open session and that this has its one live meeting, that no other live
/// meeting of it has a token that was kept for anyone, that each change was audited once, and that the chain holds.
pub(crate) async fn hold(cloud: &TestCloud, appointment: &str) -> TestResult {
    let sessions = rows(
        cloud,
        &format!(
            "SELECT id, status, meeting_id FROM video_call_sessions WHERE appointment_id = '{appointment}'"
        ),
    )
    .await?;
    let is_open = |session: &&Value| {
        ["creating", "active", "ending"].contains(&session["status"].as_str().unwrap_or(""))
    };
    let open: Vec<&Value> = sessions.iter().filter(is_open).collect();
    assert!(open.len() <= 1, "at most one open session: {sessions:?}");

    for meeting in cloud.live_meetings() {
        let external = meeting["externalMeetingId"].as_str().ok_or("an external id")?;
        let Some(session) = sessions.iter().find(|it| external.ends_with(it["id"].as_str().unwrap_or("?")))
        else {
            continue;
        };
        let owned = session["meeting_id"] == meeting["meetingId"] && open.contains(&session);
        if !owned {
            let id = session["id"].as_str().ok_or("an id")?;
            let tokens =
                format!("SELECT count(*) FROM medzen.video_call_attendee_tokens WHERE session_id = '{id}'");
            let to_delete = format!(
                "SELECT count(*) FROM medzen.pending_operations
                 WHERE operation = 'delete_meeting' AND target = '{}' AND completed_at IS NULL",
                meeting["meetingId"].as_str().ok_or("a meeting id")?
            );
            let handed_out = cloud.sql(&tokens).await? != "0";
            assert!(
                !handed_out || cloud.sql(&to_delete).await? == "1",
                "tokens of a meeting were handed out that no open session owns and nothing deletes: {meeting}"
            );
        }
    }
    for session in open.iter().filter(|session| session["status"] == "active") {
        let live = cloud.live_meetings().iter().filter(|it| it["meetingId"] == session["meeting_id"]).count();
        assert_eq!(live, 1, "an active session has its one live meeting: {session:?}");
    }
    audited_once(cloud, appointment).await
}

/// Nothing of an appointment lives but the meeting of its open session: to be asked 5.5 minutes after the last failure.
pub(crate) async fn no_orphans(cloud: &TestCloud, appointment: &str) -> TestResult {
    let owned = rows(
        cloud,
        &format!(
            "SELECT meeting_id FROM video_call_sessions WHERE appointment_id = '{appointment}' AND status = 'active'"
        ),
    )
    .await?;
    let live: Vec<Value> = cloud.live_meetings().iter().map(|meeting| meeting["meetingId"].clone()).collect();
    let owned: Vec<Value> = owned.iter().map(|row| row["meeting_id"].clone()).collect();
    assert_eq!(live, owned, "no meeting lives but that of the open session");
    Ok(())
}

async fn audited_once(cloud: &TestCloud, appointment: &str) -> TestResult {
    let chain = format!("APPT#{appointment}");
    let entries = rows(
        cloud,
        &format!(
            "SELECT seq, payload, encode(hash, 'hex') AS hash FROM medzen.audit_outbox WHERE chain = '{chain}' ORDER BY seq"
        ),
    )
    .await?;
    let mut stored = Vec::new();
    let mut seen: BTreeMap<(String, String, String), u32> = BTreeMap::new();
    for entry in &entries {
        let payload = entry["payload"].as_str().ok_or("a payload")?.to_owned();
        let content: Value = serde_json::from_str(&payload)?;
        let text = |name: &str| content[name].as_str().unwrap_or("-").to_owned();
        // Joining and leaving may truly happen more than once; each request, and each event of Chime's, makes at most one
        // such change. A request may be about several people, and hold several consent decisions.
        let of_people = ["participant.", "consent."].iter().any(|kind| text("event").starts_with(kind));
        let by = match content["eventId"].as_str() {
            Some(event) => event.to_owned(),
            None if of_people => format!("{} {} {}", text("requestId"), text("userId"), text("kind")),
            None => "-".to_owned(),
        };
        *seen.entry((text("event"), text("sessionId"), by)).or_default() += 1;
        let mut hash: Hash = [0; 32];
        hex::decode_to_slice(entry["hash"].as_str().ok_or("a hash")?, &mut hash)?;
        stored.push(Entry { seq: entry["seq"].as_i64().ok_or("a number")?, payload, hash });
    }
    for (what, times) in &seen {
        assert_eq!(*times, 1, "audited more than once: {what:?}");
    }
    assert_eq!(audit::verify(&chain, &stored).map(drop), Ok(()), "the chain is unbroken");

    // And the other way round: what the tables show has its entry.
    let expected = rows(
        cloud,
        &format!(
            "SELECT id, CASE WHEN activated_at IS NULL THEN '-' ELSE 'call.started' END AS started,
                    CASE status WHEN 'ended' THEN 'call.ended' WHEN 'failed' THEN 'call.failed' ELSE '-' END AS over
             FROM video_call_sessions WHERE appointment_id = '{appointment}'"
        ),
    )
    .await?;
    for session in expected {
        for event in ["started", "over"].map(|column| session[column].as_str().unwrap_or("-")) {
            let key = (event.to_owned(), session["id"].as_str().unwrap_or("-").to_owned(), "-".to_owned());
            assert!(event == "-" || seen.contains_key(&key), "not audited: {key:?} in {seen:?}");
        }
    }
    Ok(())
}

/// The rows of a query as JSON objects.
pub(crate) async fn rows(cloud: &TestCloud, query: &str) -> TestResult<Vec<Value>> {
    let json = cloud.sql(&format!("SELECT coalesce(json_agg(r), '[]')::text FROM ({query}) AS r")).await?;
    Ok(serde_json::from_str(&json)?)
}
