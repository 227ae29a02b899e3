//! The rights of each role to recordings, as the parameter `RecordingRights` gives them.

use local_testing::{Caller, TestCloud, TestResult};
use serde_json::{Value, json};

use super::{control, events_at_once};
use crate::requests::{invite, remove};

const RIGHTS: [&str; 5] = ["control", "list", "play", "download", "delete"];
const ROLES: [&str; 3] = ["provider", "patient", "observer"];

/// A recording with a verified file, whose call goes on.
pub(super) const RECORDING: &str = "00000000-0000-4000-8000-000000000092";

/// The answer to a request that needs a right.
async fn use_right(right: &str, by: &Caller) -> TestResult<(String, Value)> {
    let of = |path: &str| format!("/recordings/{RECORDING}{path}");
    let answer = match right {
        "control" => control(by, RECORDING, "stop").await?,
        "list" => {
            let list = by.ask("GET", "/appointments/{a}/recordings", &Value::Null).await?;
            let get = by.ask("GET", &of(""), &Value::Null).await?;
            assert_eq!(list.brief(), get.brief());
            list
        }
        "play" => by.ask("GET", &of("/playback"), &Value::Null).await?,
        "download" => by.ask("GET", &of("/playback?download=true"), &Value::Null).await?,
        _ => by.ask("DELETE", &of(""), &Value::Null).await?,
    };
    Ok((answer.brief(), answer.body))
}

/// A recording of the only call, which has ended, with a file of a minute.
pub(super) async fn insert_recording(cloud: &TestCloud) -> TestResult {
    let insert = format!(
        "WITH session AS (SELECT id, activated_at AS at FROM public.video_call_sessions WHERE status = 'active'),
         recording AS (
           INSERT INTO medzen.recordings (
             id, session_id, intent, automatic, layout, started_by, began_at, ended_at, end_reason, finished_at)
           SELECT '{RECORDING}', id, 'ended', false, 'active_speaker', gen_random_uuid(), at, at, 'requested', at FROM session
           RETURNING session_id),
         capture AS (
           INSERT INTO medzen.media_captures (
             id, session_id, purposes, recording_id, status, opened_at, confirmed_at, began_at, stop_requested_at, stop_reason, ended_at)
           SELECT gen_random_uuid(), id, '{{recording}}', '{RECORDING}', 'stopped', at, at, at, at, 'requested', at
           FROM session JOIN recording ON true RETURNING id, began_at)
         INSERT INTO medzen.recording_segments (
           capture_id, recording_id, number, status, changed_at, started_at, duration_seconds, sha256)
         SELECT id, '{RECORDING}', 1, 'ready', began_at, began_at, 60, 'sha' FROM capture RETURNING 'inserted'"
    );
    assert_eq!(cloud.sql(&insert).await?, "inserted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_has_the_rights_that_the_parameter_gives_it_and_no_other() -> TestResult {
    for shift in 0..RIGHTS.len() {
        // Each role has one right of its own, and in the course of the runs each.
        let right_of = |role: usize| RIGHTS[(shift + role) % RIGHTS.len()];
        let rights: Vec<_> =
            ROLES.iter().enumerate().map(|(place, role)| format!("{role}:{}", right_of(place))).collect();
        let cloud = TestCloud::deployed(events_at_once(), &[("RecordingRights", &rights.join(";"))]).await?;
        let scenario = cloud.scenario().await?;
        assert_eq!(scenario.provider.start().await?.brief(), "201");
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        assert_eq!(invite(&scenario.provider, &[&scenario.stranger], json!({})).await?.brief(), "200");
        assert_eq!(scenario.stranger.join().await?.brief(), "200");
        insert_recording(&cloud).await?;
        for (place, by) in [&scenario.provider, &scenario.patient, &scenario.stranger].into_iter().enumerate()
        {
            for right in RIGHTS {
                let what = format!("{right} by {} of {rights:?}", ROLES[place]);
                let (answer, body) = use_right(right, by).await?;
                if right != right_of(place) {
                    let code = if right == "control" { "PROVIDER_ONLY" } else { "RECORDING_RIGHT_MISSING" };
                    assert_eq!(answer, format!("403 {code}"), "{what}");
                    continue;
                }
                let expected = if right == "delete" { "409 RECORDING_RETAINED" } else { "200" };
                assert_eq!(answer, expected, "{what}: {body}");
                let disposition = match right {
                    "play" => "response-content-disposition=inline&",
                    "download" => {
                        "response-content-disposition=attachment%3B%20filename%3D%22consultation-1.mp4%22"
                    }
                    _ => continue,
                };
                let url = body["segments"][0]["url"].as_str().ok_or("no link")?;
                assert!(url.contains(disposition), "{what}: {url}");
            }
        }
        // Their part ends an observer's rights: in another call they are nobody.
        assert_eq!(remove(&scenario.provider, &scenario.stranger).await?.brief(), "200");
        let removed = use_right(right_of(2), &scenario.stranger).await?.0;
        assert_eq!(removed, "403 REMOVED_FROM_CALL", "{}", right_of(2));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_recordings_of_the_calls_that_they_were_in() -> TestResult {
    let cloud = TestCloud::deployed(events_at_once(), &[("RecordingRights", "observer:list,play")]).await?;
    let scenario = cloud.scenario().await?;
    let observer = &scenario.stranger;
    scenario.provider.start().await?;
    insert_recording(&cloud).await?;
    assert_eq!(use_right("list", observer).await?.0, "403 NOT_A_MEMBER");
    assert_eq!(invite(&scenario.provider, &[observer], json!({})).await?.brief(), "200");
    assert_eq!(observer.join().await?.brief(), "200");
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(use_right("play", observer).await?.0, "200", "after the call too");
    // The recording of a call without them.
    cloud.parts().clock.advance(60);
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    let other = "00000000-0000-4000-8000-000000000093";
    let insert = format!(
        "INSERT INTO medzen.recordings (id, session_id, intent, automatic, layout, began_at, ended_at, end_reason)
         SELECT '{other}', id, 'ended', true, 'grid', now(), now(), 'requested'
         FROM public.video_call_sessions WHERE status = 'active' RETURNING 'inserted'"
    );
    assert_eq!(cloud.sql(&insert).await?, "inserted");
    let list = observer.ask("GET", "/appointments/{a}/recordings", &Value::Null).await?;
    let ids: Vec<_> =
        list.body["recordings"].as_array().ok_or("no list")?.iter().map(|it| &it["recordingId"]).collect();
    assert_eq!(ids, [RECORDING]);
    let denied = observer.ask("GET", &format!("/recordings/{other}"), &Value::Null).await?;
    assert_eq!(denied.brief(), "403 NOT_A_MEMBER");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_is_neither_true_nor_false_is_rejected() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("RecordingRights", "provider:play,download")]).await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    insert_recording(&cloud).await?;
    let path = format!("/recordings/{RECORDING}/playback");
    for value in ["yes", "1", "", "TRUE"] {
        let refused = scenario.provider.ask("GET", &format!("{path}?download={value}"), &Value::Null).await?;
        assert_eq!(
            (refused.brief().as_str(), refused.text("field").as_str()),
            ("422 INVALID_FIELD", "download")
        );
    }
    let played = scenario.provider.ask("GET", &format!("{path}?download=false"), &Value::Null).await?;
    assert_eq!(played.brief(), "200");
    Ok(())
}
