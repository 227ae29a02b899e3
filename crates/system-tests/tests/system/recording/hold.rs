//! Legal holds on recordings: nothing of an appointment on hold is deleted, and every version of its files is under S3's legal hold.

use local::faults::FaultKind;
use local::tokens::Key;
use local_testing::{Answer, TestCloud, TestResult};
use serde_json::{Value, json};

use super::{Recorded, control, events_at_once};
use crate::outbox;

const PARAMETERS: [(&str, &str); 2] =
    [("RecordingRights", "provider:control,list,play,delete"), ("RecordingRetentionDays", "1")];
const DAY: u32 = 24 * 3600;

async fn call() -> TestResult<Recorded> {
    Recorded::with_consent_on(TestCloud::deployed(events_at_once(), &PARAMETERS).await?).await
}

/// A call whose recording has ended and is verified.
async fn recorded() -> TestResult<(Recorded, String)> {
    let call = call().await?;
    let id = stopped(&call).await?;
    assert_eq!(call.finished(&id).await?["state"], "ready");
    call.minute().await?;
    Ok((call, id))
}

/// A recording of 20 s.
async fn stopped(call: &Recorded) -> TestResult<String> {
    let id = call.capturing().await?;
    call.pass(20).await?;
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    Ok(id)
}

async fn ask(call: &Recorded, method: &str, body: Value) -> TestResult<Answer> {
    let claims = json!({ "sub": "an-auditor", "medzen_role": "auditor" });
    let token = call.cloud.parts().token(&claims, 60, Key::Good)?;
    let path = format!("/appointments/{}/hold", call.scenario.appointment);
    call.cloud.request(method, &path, Some(&token), body.to_string()).await
}

async fn place(call: &Recorded) -> TestResult {
    assert_eq!(ask(call, "PUT", json!({ "reason": "AZ-7" })).await?.brief(), "201");
    Ok(())
}

async fn lift(call: &Recorded) -> TestResult {
    assert_eq!(ask(call, "DELETE", Value::Null).await?.brief(), "200");
    Ok(())
}

/// Whether the hold, or its end, is on all files, and on how many versions.
async fn applied(call: &Recorded) -> TestResult<(bool, u64)> {
    let files = ask(call, "GET", Value::Null).await?.body["files"].clone();
    Ok((files["applied"].as_bool().ok_or("no state")?, files["count"].as_u64().ok_or("no count")?))
}

/// The versions in the bucket, and those of them that are under hold.
fn versions(call: &Recorded) -> (usize, usize) {
    let parts = call.cloud.parts();
    let all = parts.s3.holds(&parts.plan.outputs["RecordingsBucketName"]);
    (all.len(), all.iter().filter(|(_, held)| *held).count())
}

async fn delete(call: &Recorded, recording: &str) -> TestResult<String> {
    by_provider(call, "DELETE", &format!("/recordings/{recording}")).await
}

/// A request of the provider, who signs in again.
async fn by_provider(call: &Recorded, method: &str, path: &str) -> TestResult<String> {
    let subject = format!("SELECT firebase_uid FROM users WHERE id = '{}'", call.scenario.provider.id);
    let claims = json!({ "sub": call.cloud.sql(&subject).await? });
    let token = call.cloud.parts().token(&claims, 60, Key::Good)?;
    Ok(call.cloud.request(method, path, Some(&token), "").await?.brief())
}

/// The open operations of a kind, with their attempts.
async fn open(call: &Recorded, operation: &str) -> TestResult<String> {
    let query = format!(
        "SELECT coalesce(string_agg(attempts::text, ' '), '') FROM medzen.pending_operations
         WHERE operation = '{operation}' AND completed_at IS NULL"
    );
    call.cloud.sql(&query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_on_hold_neither_expires_nor_is_deleted_until_the_hold_is_lifted() -> TestResult {
    let (call, id) = recorded().await?;
    assert_eq!(versions(&call), (1, 0));
    place(&call).await?;
    assert_eq!(applied(&call).await?, (false, 0));
    call.minute().await?;
    assert_eq!((versions(&call), applied(&call).await?), ((1, 1), (true, 1)));

    call.pass(DAY).await?;
    assert_eq!(delete(&call, &id).await?, "409 RECORDING_ON_HOLD");
    call.cloud.run_schedule("recording").await?;
    assert_eq!((versions(&call), open(&call, "delete_recording").await?.as_str()), ((1, 1), ""));
    let links = by_provider(&call, "GET", &format!("/recordings/{id}/playback")).await?;
    assert_eq!(links, "200", "it is played as before");

    lift(&call).await?;
    for _ in 0..3 {
        call.minute().await?;
    }
    assert_eq!((versions(&call), applied(&call).await?.0), ((0, 0), true));
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    let (_, since) = events.split_once("hold.placed, ").ok_or("no hold")?;
    let since: Vec<_> = since.split(", ").filter(|event| !event.starts_with("participant.")).collect();
    let expected = "hold.applied, recording.played, hold.lifted, recording.deletion_requested, hold.applied, recording.deleted";
    assert_eq!(since.join(", "), expected);
    Ok(())
}

/// Files that Chime writes or that are copied while the hold stands are under hold too, and no chunk is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_made_under_hold_are_under_hold_as_well() -> TestResult {
    let call = call().await?;
    let id = call.capturing().await?;
    call.pass(20).await?;
    place(&call).await?;
    call.minute().await?;
    assert!(!applied(&call).await?.0, "Chime adds chunks at any time");
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    assert_eq!(call.finished(&id).await?["state"], "ready");
    call.minute().await?;
    call.minute().await?;
    let (all, held) = versions(&call);
    let kinds: std::collections::BTreeSet<_> =
        call.keys().iter().map(|key| key.split('/').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["captures", "concatenations", "recordings"]);
    assert_eq!((all, applied(&call).await?), (held, (true, u64::try_from(held)?)));
    assert_eq!(open(&call, "delete_chunks").await?, "0", "the deletion waits, and is no failure");

    lift(&call).await?;
    call.minute().await?;
    call.pass(3600).await?;
    call.minute().await?;
    assert_eq!(
        (versions(&call), open(&call, "delete_chunks").await?.as_str()),
        ((1, 0), ""),
        "the file alone is left"
    );
    Ok(())
}

/// The chunks of an incomplete segment are all that there is of it.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_an_incomplete_segment_are_under_hold() -> TestResult {
    let call = call().await?;
    call.cloud.fault("chime", Some("CreateMediaConcatenationPipeline"), FaultKind::Error, None);
    let id = stopped(&call).await?;
    for _ in 0..40 {
        call.minute().await?;
    }
    assert_ne!(call.get(&id).await?["state"], "ready");
    place(&call).await?;
    call.minute().await?;
    let (all, held) = versions(&call);
    assert_eq!((all, applied(&call).await?), (held, (true, u64::try_from(held)?)));
    assert!(held >= 4 && call.keys().iter().all(|key| key.starts_with("captures/")), "{:?}", call.keys());
    Ok(())
}

/// The deletion was requested, and nothing was deleted yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_stops_a_deletion_that_was_requested_before() -> TestResult {
    let (call, id) = recorded().await?;
    call.pass(DAY).await?;
    call.cloud.fault("s3", Some("ListObjectVersions"), FaultKind::Error, None);
    assert_eq!(delete(&call, &id).await?, "202");
    place(&call).await?;
    call.cloud.parts().faults.clear();
    for _ in 0..30 {
        call.minute().await?;
    }
    assert_eq!((versions(&call), open(&call, "delete_recording").await?.as_str()), ((1, 1), "0"));
    let state = ask(&call, "GET", Value::Null).await?.body;
    assert_eq!((&state["recordings"], &state["deletedRecordings"]), (&json!(0), &json!(1)));

    lift(&call).await?;
    call.minute().await?;
    call.pass(3600).await?;
    call.minute().await?;
    assert_eq!(versions(&call), (0, 0), "the request still stands");
    Ok(())
}

/// A pass that is cut off goes on where it came: the versions that it had changed are not changed again.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_dies_goes_on_where_it_came() -> TestResult {
    let call = call().await?;
    // Chunks of two captures, and nothing else.
    let no_files =
        || call.cloud.fault("chime", Some("CreateMediaConcatenationPipeline"), FaultKind::Error, None);
    no_files();
    stopped(&call).await?;
    call.minute().await?;
    stopped(&call).await?;
    call.minute().await?;
    let captures: std::collections::BTreeSet<_> =
        call.keys().iter().filter_map(|key| key.split('/').nth(1).map(str::to_owned)).collect();
    assert_eq!(captures.len(), 2, "{:?}", call.keys());
    place(&call).await?;
    let (all, _) = versions(&call);
    // The whole first capture is under hold, and a part of the second.
    call.cloud.fault("s3", Some("PutObjectLegalHold"), FaultKind::KillBefore, Some(u32::try_from(all)?));
    call.cloud.parts().clock.advance(60);
    assert!(call.cloud.run_schedule("recording").await.is_err());
    call.cloud.parts().faults.clear();
    no_files();
    let (_, held) = versions(&call);
    assert!(held > all / 2 && held < all, "{held} of {all}");
    // The lease of the run that died ends.
    let watch = call.cloud.watch();
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!((versions(&call), applied(&call).await?.0), ((all, all), true));
    let again = watch.count("PutObjectLegalHold");
    assert!(again < all, "{again} of {all} were put again");
    Ok(())
}

/// The hold and a request to delete at the same moment: either the deletion was requested before, or it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hold_and_a_deletion_at_once_the_later_sees_the_earlier() -> TestResult {
    let (call, id) = recorded().await?;
    call.pass(DAY).await?;
    let (deleted, placed) = tokio::join!(delete(&call, &id), ask(&call, "PUT", json!({ "reason": "AZ-7" })));
    let (deleted, placed) = (deleted?, placed?);
    assert_eq!(placed.brief(), "201");
    let requested =
        call.cloud.sql("SELECT (deletion_requested_at IS NOT NULL)::text FROM medzen.recordings").await?;
    let expected = if deleted == "202" { "true" } else { "false" };
    assert_eq!(requested, expected, "{deleted}");
    let order = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    let (request, hold) =
        (order.find("recording.deletion_requested"), order.find("hold.placed").ok_or("no hold")?);
    assert!(request.is_none_or(|request| request < hold), "nothing is requested under hold: {order}");
    Ok(())
}
