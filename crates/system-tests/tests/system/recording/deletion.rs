//! The deletion of recordings, and what must be kept.

use local_testing::{TestCloud, TestResult};
use serde_json::Value;

use super::{Recorded, control, events_at_once};
use crate::outbox;

const RIGHTS: (&str, &str) = ("RecordingRights", "provider:control,list,play,delete");

/// A recording that has ended and is verified.
async fn recorded(days: &str) -> TestResult<(Recorded, String)> {
    let parameters = [RIGHTS, ("RecordingRetentionDays", days)];
    let cloud = TestCloud::deployed(events_at_once(), &parameters).await?;
    let call = Recorded::with_consent_on(cloud).await?;
    let id = call.capturing().await?;
    call.pass(20).await?;
    let path = format!("/recordings/{id}");
    let early = call.scenario.provider.ask("DELETE", &path, &Value::Null).await?;
    assert_eq!(early.brief(), "409 RECORDING_NOT_ENDED");
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    assert_eq!(call.finished(&id).await?["state"], "ready");
    call.minute().await?;
    Ok((call, id))
}

/// A day later the host's appointment is still there, and its users sign in again.
async fn a_day_later(call: &Recorded) -> TestResult {
    call.pass(24 * 3600).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_kept_until_its_retention_ends_and_then_deleted_with_all_versions() -> TestResult {
    let (call, id) = recorded("1").await?;
    let path = format!("/recordings/{id}");
    let kept = call.scenario.provider.ask("DELETE", &path, &Value::Null).await?;
    assert_eq!(kept.brief(), "409 RECORDING_RETAINED");
    assert_eq!(
        call.scenario.patient.ask("DELETE", &path, &Value::Null).await?.brief(),
        "403 RECORDING_RIGHT_MISSING"
    );
    a_day_later(&call).await?;
    call.cloud.run_schedule("recording").await?;
    assert_eq!(call.keys(), Vec::<String>::new());
    let state = call
        .cloud
        .sql("SELECT (deleted_at IS NOT NULL)::text || ' ' || g.status FROM medzen.recordings r JOIN medzen.recording_segments g ON g.recording_id = r.id")
        .await?;
    assert_eq!(state, "true deleted");
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    assert!(events.ends_with("recording.deletion_requested, recording.deleted"), "{events}");
    Ok(())
}
