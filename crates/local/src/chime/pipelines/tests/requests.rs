//! Answers and refusals.

use super::*;

async fn refused(engine: &Engine, path: &str, body: &Value, status: u16, because: &str) {
    let (found, answer) = engine.ask("POST", path, body).await;
    let message = answer["Message"].as_str().unwrap_or_default();
    assert!(
        found == status && message.contains(because),
        "{body} gets {found} {answer}, not {status} {because}"
    );
}

#[tokio::test]
async fn each_bad_member_of_a_capture_is_refused_by_name() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let unknown = arn.replace(&meeting[..8], "00000000");
    let table = [
        ("/SourceType", json!("Meeting"), "SourceType"),
        ("/SourceArn", json!(null), "SourceArn"),
        ("/SourceArn", json!("meeting"), "SourceArn must satisfy"),
        ("/SourceArn", json!(unknown), "SourceArn: there is no such meeting"),
        ("/SinkType", json!("Kinesis"), "SinkType"),
        ("/SinkArn", json!(null), "SinkArn"),
        ("/SinkArn", json!("recordings"), "SinkArn must satisfy"),
        (
            "/SinkArn",
            json!("arn:aws:sqs:eu-central-1:111122223333:queue"),
            "SinkArn must be the ARN of a bucket",
        ),
        ("/SinkArn", json!("arn:aws:s3:::nobucket/captures"), "SinkArn: there is no such bucket"),
        ("/ClientRequestToken", json!("x"), "ClientRequestToken must have length"),
        ("/ClientRequestToken", json!("a b"), "ClientRequestToken must satisfy"),
        ("/SinkConfiguration", json!({}), "SinkConfiguration"),
        ("/SinkIamRoleArn", json!("arn:aws:iam::111122223333:role/sink"), "must be given together"),
        ("/ChimeSdkMeetingConfiguration", artifacts("Everything"), "Audio.MuxType"),
        ("/ChimeSdkMeetingConfiguration", artifacts("AudioWithCompositedVideo"), "CompositedVideo"),
        ("/ChimeSdkMeetingConfiguration/ArtifactsConfiguration/Video", json!(null), "Video"),
        ("/ChimeSdkMeetingConfiguration/ArtifactsConfiguration/Content/State", json!("On"), "Content.State"),
    ];
    for (pointer, value, because) in table {
        let body = changed(good_capture(&arn), pointer, value);
        refused(&engine, "/sdk-media-capture-pipelines", &body, 400, because).await;
    }
    let closed = changed(good_capture(&arn), "/SinkArn", json!(format!("arn:aws:s3:::{CLOSED_BUCKET}")));
    refused(&engine, "/sdk-media-capture-pipelines", &closed, 403, "s3:PutObject").await;
    assert_eq!(engine.chime.pipelines()["pipelines"], json!([]), "a refused request makes nothing");
}

#[tokio::test]
async fn each_bad_member_of_a_concatenation_is_refused_by_name() {
    let engine = engine();
    let (_, arn) = engine.meeting(true);
    let capture = engine.capture(&good_capture(&arn)).await;
    let source = "/Sources/0/MediaCapturePipelineSourceConfiguration";
    let state =
        |kind: &str| format!("{source}/ChimeSdkMeetingConfiguration/ArtifactsConfiguration/{kind}/State");
    let unknown = pipeline_arn(REGION, ACCOUNT, "00000000-0000-0000-0000-000000000000");
    let destination = "/Sinks/0/S3BucketSinkConfiguration/Destination";
    let table = [
        ("/Sources".to_owned(), json!([]), "Sources and Sinks"),
        ("/Sinks".to_owned(), json!([]), "Sources and Sinks"),
        ("/Sources/0/Type".to_owned(), json!("Meeting"), "Sources[0].Type"),
        (format!("{source}/MediaPipelineArn"), json!(unknown), "MediaPipelineArn: there is no such"),
        (state("Audio"), json!("Disabled"), "Audio.State must be Enabled"),
        (state("Video"), json!("Enabled"), "Video.State"),
        (state("MeetingEvents"), json!(null), "State"),
        (destination.to_owned(), json!("arn:aws:s3:::nobucket"), "Destination: there is no such bucket"),
        ("/ClientRequestToken".to_owned(), json!("capture-1"), "ClientRequestToken: it was used"),
    ];
    for (pointer, value, because) in table {
        let body = changed(good_concatenation(&capture), &pointer, value);
        refused(&engine, "/sdk-media-concatenation-pipelines", &body, 400, because).await;
    }
    let closed =
        changed(good_concatenation(&capture), destination, json!(format!("arn:aws:s3:::{CLOSED_BUCKET}")));
    refused(&engine, "/sdk-media-concatenation-pipelines", &closed, 403, "s3:PutObject").await;
}

#[tokio::test]
async fn a_token_makes_one_pipeline_however_often_it_comes() {
    let engine = engine();
    let (_, arn) = engine.meeting(true);
    let first = engine.capture(&good_capture(&arn)).await;
    assert_eq!(engine.capture(&good_capture(&arn)).await, first);
    let other = changed(good_capture(&arn), "/SinkArn", json!("arn:aws:s3:::recordings/captures/c2"));
    refused(&engine, "/sdk-media-capture-pipelines", &other, 400, "ClientRequestToken: it was used").await;
    engine.stop(&first).await;
    engine.advance(2);
    assert_eq!(engine.capture(&good_capture(&arn)).await, first, "a pipeline that has ended");
    assert_eq!(engine.status(&first).await, "Stopped", "and has not begun again");
}

#[tokio::test]
async fn a_meeting_has_one_capture_until_that_has_stopped() {
    let engine = engine();
    let (_, arn) = engine.meeting(true);
    let second = changed(good_capture(&arn), "/ClientRequestToken", json!("capture-2"));
    let path = "/sdk-media-capture-pipelines";
    let first = engine.capture(&good_capture(&arn)).await;
    refused(&engine, path, &second, 400, "Limit reached").await;
    engine.stop(&first).await;
    refused(&engine, path, &second, 400, "Limit reached").await;
    engine.advance(2);
    let second = engine.capture(&second).await;
    let failed = NewPipelineEvent {
        event_type: "MediaPipelinePermanentFailure".to_owned(),
        ..NewPipelineEvent::default()
    };
    engine.chime.pipeline_event(&second, failed).expect("it is there");
    let third = changed(good_capture(&arn), "/ClientRequestToken", json!("capture-3"));
    refused(&engine, path, &third, 400, "Limit reached").await;
    engine.stop(&second).await;
    engine.advance(2);
    engine.capture(&third).await;
}

#[tokio::test]
async fn the_limit_of_active_pipelines_counts_every_kind() {
    let engine = engine();
    engine.chime.set_pipeline_quota(Some(2));
    let (_, arn) = engine.meeting(true);
    let capture = engine.capture(&good_capture(&arn)).await;
    engine.concatenation(&good_concatenation(&capture)).await;
    let (_, other) = engine.meeting(true);
    let other = changed(good_capture(&other), "/ClientRequestToken", json!("capture-2"));
    let (status, answer) = engine.ask("POST", "/sdk-media-capture-pipelines", &other).await;
    assert_eq!((status, &answer["Code"]), (400, &json!("ResourceLimitExceeded")), "{answer}");
    engine.chime.set_pipeline_quota(None);
    engine.capture(&other).await;
}

#[tokio::test]
async fn pipelines_are_listed_by_pages_and_found_by_their_kind() {
    let engine = engine();
    let mut ids = Vec::new();
    for n in 0..3 {
        let (_, arn) = engine.meeting(true);
        let body = changed(good_capture(&arn), "/ClientRequestToken", json!(format!("capture-{n}")));
        ids.push(engine.capture(&body).await);
    }
    ids.push(engine.concatenation(&good_concatenation(&ids[0])).await);
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let (status, page) =
            engine.ask("GET", &format!("/sdk-media-pipelines?max-results=2{token}"), &Value::Null).await;
        assert_eq!(status, 200, "{page}");
        let summaries = page["MediaPipelines"].as_array().expect("a list");
        found.extend(summaries.iter().filter_map(|it| Some(it["MediaPipelineId"].as_str()?.to_owned())));
        let Some(next) = page["NextToken"].as_str() else { break };
        token = format!("&next-token={next}");
    }
    assert_eq!(found, ids);
    for (query, because) in
        [("max-results=0", "MaxResults"), ("max-results=x", "MaxResults"), ("next-token=x", "NextToken")]
    {
        let (status, answer) =
            engine.ask("GET", &format!("/sdk-media-pipelines?{query}"), &Value::Null).await;
        assert!(
            status == 400 && answer["Message"].as_str().is_some_and(|it| it.contains(because)),
            "{answer}"
        );
    }
    let get = |path: String| {
        let engine = &engine;
        async move { engine.ask("GET", &path, &Value::Null).await }
    };
    let (status, answer) = get(format!("/sdk-media-capture-pipelines/{}", ids[0])).await;
    assert_eq!((status, &answer["MediaCapturePipeline"]["SinkArn"]), (200, &json!(SINK)));
    let (status, _) = get(format!("/sdk-media-capture-pipelines/{}", ids[3])).await;
    assert_eq!(status, 404, "it is a concatenation");
    let (status, answer) = get(format!("/sdk-media-pipelines/{}", ids[3])).await;
    let sinks = &answer["MediaPipeline"]["MediaConcatenationPipeline"]["Sinks"];
    assert_eq!((status, sinks), (200, &good_concatenation("x")["Sinks"]));
    assert_eq!(get("/sdk-media-pipelines/x".to_owned()).await.0, 400, "an id has a form");
}

#[tokio::test]
async fn a_region_without_the_service_is_refused() {
    let engine = engine();
    let request = http::Request::builder().uri("/sdk-media-pipelines").body(()).expect("a request");
    let request = request.into_parts().0;
    for region in ["af-south-1", "eu-north-1"] {
        let answer = engine.chime.media_pipelines().answer(region, &request, Bytes::new()).await;
        assert_eq!(answer.status(), 400, "{region}");
    }
}

#[test]
fn a_call_needs_the_permissions_of_aws_reference() {
    let engine = engine();
    let arns = ArnScope { account: ACCOUNT, region: REGION };
    let id = "7d9f1c5e-0000-0000-0000-000000000000";
    let permissions = |method: &str, path: &str, body: &Value| {
        let request = http::Request::builder().method(method).uri(path).body(()).expect("a request");
        let operation = engine.chime.media_pipelines().operation(
            arns,
            &request.into_parts().0,
            body.to_string().as_bytes(),
        );
        let permissions = operation.expect("it is known").permissions.into_iter();
        permissions.map(|it| (it.action, it.resource)).collect::<Vec<_>>()
    };
    let arn = Some(pipeline_arn(REGION, ACCOUNT, id));
    let one = |action: &str, resource: &Option<String>| vec![(format!("chime:{action}"), resource.clone())];
    let policy = ("s3:GetBucketPolicy".to_owned(), Some("arn:aws:s3:::recordings".to_owned()));
    for (method, path, action) in [
        ("GET", "sdk-media-capture-pipelines", "GetMediaCapturePipeline"),
        ("DELETE", "sdk-media-capture-pipelines", "DeleteMediaCapturePipeline"),
        ("GET", "sdk-media-pipelines", "GetMediaPipeline"),
        ("DELETE", "sdk-media-pipelines", "DeleteMediaPipeline"),
    ] {
        assert_eq!(permissions(method, &format!("/{path}/{id}"), &Value::Null), one(action, &arn));
    }
    assert_eq!(permissions("GET", "/sdk-media-pipelines", &Value::Null), one("ListMediaPipelines", &None));
    let mut create = one("CreateMediaCapturePipeline", &None);
    create.push(policy.clone());
    assert_eq!(permissions("POST", "/sdk-media-capture-pipelines", &good_capture("arn")), create);
    let mut join = one("CreateMediaConcatenationPipeline", &None);
    join.push(policy);
    assert_eq!(permissions("POST", "/sdk-media-concatenation-pipelines", &good_concatenation(id)), join);
}
