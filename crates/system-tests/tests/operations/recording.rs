//! Recording: where it is possible, what it adds to a deployment, and what its roles may do.

use std::collections::BTreeSet;

use local_template::iam::{Iam, policy_allows};
use local_template::plan::Plan;
use local_testing::TestResult;

use crate::deployed;
use crate::templates::{deploy, refusal};

const PIPELINES: &str = "mediapipelines.chime.amazonaws.com";
const TRANSCRIPTION: &str = "transcription.chime.amazonaws.com";

fn routes(plan: &Plan) -> BTreeSet<&str> {
    let routes = plan.http_apis.iter().flat_map(|api| &api.routes);
    routes.filter(|it| it.function == "recording").map(|it| it.key.as_str()).collect()
}

#[test]
fn a_deployment_without_recording_has_nothing_of_it_but_the_bucket() -> TestResult {
    let nothing = [
        ("Recording", None),
        ("Transcription", None),
        ("RecordingsBucketName", Some("")),
        ("RecordingsBucketArn", Some("")),
        ("RecordingsKeyArn", Some("")),
        ("RecordingsOrigin", Some("")),
    ];
    let plan = deploy(&nothing)?;
    assert!(plan.functions.iter().all(|it| it.name != "recording"), "off is the default");
    let status = plan.functions.iter().find(|it| it.name == "meeting-manager").ok_or("no function")?;
    assert!(!status.environment.contains_key("RECORDING_RIGHTS"), "nobody has rights to what there is not");
    assert_eq!(routes(&plan), BTreeSet::new());
    assert_eq!(plan.service_roles, Vec::<String>::new());
    let schedules: BTreeSet<_> = plan.schedules.iter().map(|it| it.function.as_str()).collect();
    assert_eq!(schedules, BTreeSet::from(["audit", "meeting-manager"]));

    let plan = deploy(&[("Recording", Some("on"))])?;
    assert!(plan.functions.iter().any(|it| it.name == "recording"));
    let expected = [
        "DELETE /appointments/{appointmentId}/call/recordings",
        "DELETE /recordings/{recordingId}",
        "GET /appointments/{appointmentId}/recordings",
        "GET /recordings/{recordingId}",
        "GET /recordings/{recordingId}/playback",
        "POST /appointments/{appointmentId}/call/recordings",
        "POST /recordings/{recordingId}/pause",
        "POST /recordings/{recordingId}/resume",
        "POST /recordings/{recordingId}/stop",
    ];
    assert_eq!(routes(&plan), BTreeSet::from(expected));
    Ok(())
}

/// Chime captures a meeting into a bucket of the meeting's region only.
#[test]
fn recording_is_refused_where_meetings_are_in_another_region_than_the_bucket() -> TestResult {
    let elsewhere = [("Recording", Some("on")), ("MediaRegion", Some("eu-central-1"))];
    let refused = refusal(&elsewhere)?;
    assert!(refused.contains("RecordedWhereCallsAre"), "{refused}");
    deploy(&[
        ("Recording", Some("off")),
        ("Transcription", Some("off")),
        ("MediaRegion", Some("eu-central-1")),
    ])?;
    Ok(())
}

#[test]
fn recording_needs_the_bucket_and_its_key() -> TestResult {
    for missing in ["RecordingsBucketName", "RecordingsBucketArn", "RecordingsKeyArn"] {
        let refused = refusal(&[("Recording", Some("on")), (missing, Some(""))])?;
        assert!(refused.contains("RecordingHasBucket"), "{missing}: {refused}");
    }
    Ok(())
}

#[test]
fn rights_are_roles_with_at_least_one_right_each() -> TestResult {
    for rights in [
        "provider:control,list,play",
        "provider:play;patient:list,play,download;observer:list",
        "provider:transcript.read,transcript.delete;patient:transcript.read_redacted",
    ] {
        let plan = deploy(&[("RecordingRights", Some(rights))])?;
        let function = plan.functions.iter().find(|it| it.name == "recording").ok_or("no function")?;
        assert_eq!(function.environment["RECORDING_RIGHTS"], rights);
        let status = plan.functions.iter().find(|it| it.name == "meeting-manager").ok_or("no function")?;
        assert_eq!(status.environment["RECORDING_RIGHTS"], rights);
    }
    for rights in [
        "",
        "provider",
        "provider:",
        "auditor:play",
        "provider:watch",
        "provider:transcript",
        "provider:transcriptxread",
        "provider:play,",
        "provider:play;",
        "*:play",
    ] {
        let refused = refusal(&[("RecordingRights", Some(rights))])?;
        assert!(refused.contains("RecordingRights"), "{rights}: {refused}");
    }
    Ok(())
}

/// An account has one of each, so one that is there already would fail the deployment.
#[test]
fn chimes_roles_are_created_where_a_parameter_says_so() -> TestResult {
    let created = |pipelines, transcription| -> TestResult<Vec<String>> {
        let given = [("CreateMediaPipelinesRole", pipelines), ("CreateTranscriptionRole", transcription)];
        Ok(deploy(&given)?.service_roles)
    };
    assert_eq!(created(None, None)?, [PIPELINES], "recording needs it");
    assert_eq!(created(Some("off"), None)?, Vec::<String>::new());
    assert_eq!(created(Some("on"), Some("on"))?, [PIPELINES, TRANSCRIPTION]);
    Ok(())
}

#[test]
fn the_functions_that_end_calls_and_revoke_consents_may_stop_a_capture_and_create_none() -> TestResult {
    let iam = Iam::new(&deployed()?)?;
    let pipeline = "arn:aws:chime:us-east-1:000000000000:media-pipeline/p-1";
    for function in ["attendee", "meeting-manager", "recording"] {
        assert!(iam.would_allow(function, "chime:DeleteMediaCapturePipeline", pipeline), "{function}");
        for action in ["chime:CreateMediaCapturePipeline", "chime:CreateMediaConcatenationPipeline"] {
            assert_eq!(
                iam.would_allow(function, action, "*"),
                function == "recording",
                "{function} {action}"
            );
        }
    }
    assert!(!iam.would_allow("audit", "chime:DeleteMediaCapturePipeline", pipeline));
    Ok(())
}

#[test]
fn files_are_stored_under_recordings_only_and_read_by_links_from_there_only() -> TestResult {
    let plan = deployed()?;
    let bucket = plan.outputs.get("RecordingsBucketArn").ok_or("no output")?;
    let iam = Iam::new(&plan)?;
    let may = |action: &str, key: &str| iam.would_allow("recording", action, &format!("{bucket}/{key}"));
    for (key, stores) in
        [("captures/c/p/1.mp4", false), ("concatenations/c-1/1.mp4", false), ("recordings/r/1.mp4", true)]
    {
        for (action, allowed) in [
            ("s3:GetObject", true),
            ("s3:DeleteObjectVersion", true),
            // It deletes versions by their ids, and leaves no marker.
            ("s3:DeleteObject", false),
            // A role of its own places and lifts a hold.
            ("s3:PutObjectLegalHold", false),
        ] {
            assert_eq!(may(action, key), allowed, "{action} {key}");
        }
        assert_eq!(may("s3:PutObject", key), stores, "{key}");
    }
    for function in ["attendee", "meeting-manager", "audit"] {
        assert!(
            !iam.would_allow(function, "s3:GetObject", &format!("{bucket}/recordings/r/1.mp4")),
            "{function}"
        );
    }

    let recording = plan.functions.iter().find(|it| it.name == "recording").ok_or("no function")?;
    let role =
        |name: &str| plan.roles.iter().find(|it| it.arn == recording.environment[name]).ok_or("no role");
    let (playback, hold) = (role("PLAYBACK_ROLE_ARN")?, role("HOLD_ROLE_ARN")?);
    for other in &plan.roles {
        let own = [&playback.arn, &hold.arn].contains(&&other.arn);
        assert_eq!(iam.would_allow("recording", "sts:AssumeRole", &other.arn), own, "{}", other.name);
    }
    assert!(!iam.would_allow("recording", "sts:AssumeRole", &recording.role_arn), "and no other role");
    let actions: BTreeSet<_> =
        playback.statements.iter().flat_map(|it| &it.actions).map(String::as_str).collect();
    assert_eq!(actions, BTreeSet::from(["kms:Decrypt", "s3:GetObject"]));
    let read = playback.statements.iter().find(|it| it.actions == ["s3:GetObject"]).ok_or("no statement")?;
    assert_eq!(read.resources, [format!("{bucket}/recordings/*")]);
    let actions: BTreeSet<_> =
        hold.statements.iter().flat_map(|it| &it.actions).map(String::as_str).collect();
    assert_eq!(
        actions,
        BTreeSet::from(["s3:ListBucketVersions", "s3:PutObjectLegalHold"]),
        "it reads and deletes nothing"
    );
    Ok(())
}

/// A queue has one policy: both rules are in it, or the events of one are lost.
#[test]
fn events_of_pipelines_and_announced_operations_reach_the_function() -> TestResult {
    let plan = deployed()?;
    let mapping = plan.mappings.iter().find(|it| it.function == "recording").ok_or("no mapping")?;
    let queue = plan.queues.iter().find(|it| it.arn == mapping.queue).ok_or("no queue")?;
    let recording = plan.functions.iter().find(|it| it.name == "recording").ok_or("no function")?;
    assert!(queue.visibility > 6 * recording.timeout, "{:?}", queue.visibility);
    let mut buses = BTreeSet::new();
    for rule in plan.rules.iter().filter(|rule| format!("{:?}", rule.targets).contains(&queue.arn)) {
        let may = policy_allows(
            &queue.policy,
            "events.amazonaws.com",
            "sqs:SendMessage",
            &queue.arn,
            &[("aws:SourceArn", &rule.arn)],
        );
        assert!(may, "{}", rule.name);
        buses.insert(rule.bus.as_str());
    }
    assert_eq!(buses, BTreeSet::from(["default", "medzen-local-calls"]));
    Ok(())
}
