//! Media pipelines as the real SDK meets them.

use aws_sdk_chimesdkmediapipelines::Client;
use aws_sdk_chimesdkmediapipelines::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_chimesdkmediapipelines::operation::list_media_pipelines::ListMediaPipelinesOutput;
use aws_sdk_chimesdkmediapipelines::types::{
    ArtifactsConcatenationConfiguration, ArtifactsConcatenationState, ArtifactsConfiguration, ArtifactsState,
    AudioArtifactsConcatenationState, AudioArtifactsConfiguration, AudioConcatenationConfiguration,
    AudioMuxType, ChimeSdkMeetingConcatenationConfiguration, ChimeSdkMeetingConfiguration,
    CompositedVideoConcatenationConfiguration, ConcatenationSink, ConcatenationSinkType, ConcatenationSource,
    ConcatenationSourceType, ContentArtifactsConfiguration, ContentConcatenationConfiguration,
    DataChannelConcatenationConfiguration, MediaCapturePipeline, MediaCapturePipelineSourceConfiguration,
    MediaPipelineSinkType, MediaPipelineSourceType, MediaPipelineStatus,
    MeetingEventsConcatenationConfiguration, S3BucketSinkConfiguration,
    TranscriptionMessagesConcatenationConfiguration, VideoArtifactsConfiguration,
    VideoConcatenationConfiguration,
};
use local::chime::{EventDelivery, Options};
use local::faults::{Fault, FaultKind};

use crate::fixture::{BUCKET, Fixture, create};

fn code<T: ProvideErrorMetadata, R>(error: &SdkError<T, R>) -> &str {
    error.code().unwrap_or("no code")
}

async fn fixture() -> (Fixture, String) {
    let fixture =
        Fixture::with(Options { event_delivery: EventDelivery::Immediate, ..Options::default() }).await;
    let meeting = create(&fixture.chime(), "token-1").send().await.expect("a meeting");
    let arn = meeting.meeting().and_then(|it| it.meeting_arn()).expect("it has an ARN").to_owned();
    (fixture, arn)
}

fn artifacts() -> ChimeSdkMeetingConfiguration {
    let audio = AudioArtifactsConfiguration::builder().mux_type(AudioMuxType::AudioOnly);
    let video = VideoArtifactsConfiguration::builder().state(ArtifactsState::Disabled);
    let content = ContentArtifactsConfiguration::builder().state(ArtifactsState::Disabled);
    let artifacts = ArtifactsConfiguration::builder()
        .audio(audio.build().expect("a type is all it needs"))
        .video(video.build().expect("a state is all it needs"))
        .content(content.build().expect("a state is all it needs"));
    ChimeSdkMeetingConfiguration::builder().artifacts_configuration(artifacts.build()).build()
}

async fn capture(client: &Client, meeting: &str) -> MediaCapturePipeline {
    let answer = client
        .create_media_capture_pipeline()
        .source_type(MediaPipelineSourceType::ChimeSdkMeeting)
        .source_arn(meeting)
        .sink_type(MediaPipelineSinkType::S3Bucket)
        .sink_arn(format!("arn:aws:s3:::{BUCKET}/captures/c1"))
        .client_request_token("capture-1")
        .chime_sdk_meeting_configuration(artifacts())
        .send()
        .await
        .expect("a capture");
    answer.media_capture_pipeline().expect("it is answered").clone()
}

fn concatenated() -> ArtifactsConcatenationConfiguration {
    let (on, off) = (ArtifactsConcatenationState::Enabled, ArtifactsConcatenationState::Disabled);
    let audio = AudioConcatenationConfiguration::builder().state(AudioArtifactsConcatenationState::Enabled);
    let video = VideoConcatenationConfiguration::builder().state(off.clone());
    let content = ContentConcatenationConfiguration::builder().state(off.clone());
    let data = DataChannelConcatenationConfiguration::builder().state(off.clone());
    let transcription = TranscriptionMessagesConcatenationConfiguration::builder().state(off.clone());
    let events = MeetingEventsConcatenationConfiguration::builder().state(on);
    let composited = CompositedVideoConcatenationConfiguration::builder().state(off);
    ArtifactsConcatenationConfiguration::builder()
        .audio(audio.build().expect("complete"))
        .video(video.build().expect("complete"))
        .content(content.build().expect("complete"))
        .data_channel(data.build().expect("complete"))
        .transcription_messages(transcription.build().expect("complete"))
        .meeting_events(events.build().expect("complete"))
        .composited_video(composited.build().expect("complete"))
        .build()
}

async fn concatenation(client: &Client, capture_arn: &str) -> String {
    let meeting =
        ChimeSdkMeetingConcatenationConfiguration::builder().artifacts_configuration(concatenated());
    let source = MediaCapturePipelineSourceConfiguration::builder()
        .media_pipeline_arn(capture_arn)
        .chime_sdk_meeting_configuration(meeting.build());
    let source = ConcatenationSource::builder()
        .r#type(ConcatenationSourceType::MediaCapturePipeline)
        .media_capture_pipeline_source_configuration(source.build().expect("complete"));
    let bucket = S3BucketSinkConfiguration::builder().destination(format!("arn:aws:s3:::{BUCKET}/joined/c1"));
    let sink = ConcatenationSink::builder()
        .r#type(ConcatenationSinkType::S3Bucket)
        .s3_bucket_sink_configuration(bucket.build().expect("complete"));
    let answer = client
        .create_media_concatenation_pipeline()
        .sources(source.build().expect("complete"))
        .sinks(sink.build().expect("complete"))
        .client_request_token("joined-1")
        .send()
        .await
        .expect("a concatenation");
    let id = answer.media_concatenation_pipeline().and_then(|it| it.media_pipeline_id());
    id.expect("it has an id").to_owned()
}

#[tokio::test]
async fn a_capture_and_its_concatenation_live_as_the_sdk_expects() {
    let (fixture, meeting) = fixture().await;
    let client = fixture.pipelines();
    let capture = capture(&client, &meeting).await;
    let id = capture.media_pipeline_id().expect("an id");
    let arn = capture.media_pipeline_arn().expect("an ARN");
    assert_eq!(arn, format!("arn:aws:chime:eu-central-1:111122223333:media-pipeline/{id}"));
    assert_eq!(capture.status(), Some(&MediaPipelineStatus::Initializing));
    assert_eq!(capture.source_arn(), Some(meeting.as_str()));
    assert_eq!(capture.chime_sdk_meeting_configuration(), Some(&artifacts()));
    assert!(capture.created_timestamp().is_some());
    let policy = ("s3:GetBucketPolicy".to_owned(), Some(format!("arn:aws:s3:::{BUCKET}")));
    assert_eq!(fixture.last_asked(), policy);
    fixture.clock.advance(2);
    let joined = concatenation(&client, arn).await;
    fixture.clock.advance(10);
    let got = client.get_media_capture_pipeline().media_pipeline_id(id).send().await.expect("it is there");
    let status = got.media_capture_pipeline().and_then(|it| it.status());
    assert_eq!(status, Some(&MediaPipelineStatus::InProgress));
    assert_eq!(fixture.last_asked(), ("chime:GetMediaCapturePipeline".to_owned(), Some(arn.to_owned())));
    let pages = client.list_media_pipelines().into_paginator().page_size(1).send();
    let pages: Vec<_> = pages.collect::<Result<_, _>>().await.expect("each page comes");
    let summaries = pages.iter().flat_map(ListMediaPipelinesOutput::media_pipelines);
    let ids: Vec<_> = summaries.filter_map(|it| it.media_pipeline_id()).collect();
    assert_eq!((ids, pages.len()), (vec![id, joined.as_str()], 2));
    client.delete_media_capture_pipeline().media_pipeline_id(id).send().await.expect("it stops");
    fixture.clock.advance(30);
    let got = client.get_media_pipeline().media_pipeline_id(&joined).send().await.expect("it is there");
    let got = got.media_pipeline().and_then(|it| it.media_concatenation_pipeline()).expect("of this kind");
    assert_eq!(got.status(), Some(&MediaPipelineStatus::Stopped));
    let keys = fixture.s3.keys(BUCKET);
    assert!(keys.contains(&format!("joined/c1/audio/{joined}.mp4")), "{keys:?}");
    let events = fixture.events.lock().expect("no test panics here").clone();
    let of_pipelines = events.iter().filter(|it| it["detail-type"] == "Chime Media Pipeline State Change");
    let names: Vec<_> = of_pipelines.filter_map(|it| it["detail"]["eventType"].as_str()).collect();
    assert_eq!(
        names,
        [
            "chime:MediaPipelineInProgress",
            "chime:MediaPipelineDeleted",
            "chime:MediaPipelineInProgress",
            "chime:MediaPipelineDeleted",
        ]
    );
}

#[tokio::test]
async fn refusals_have_the_names_of_the_service_model() {
    let (fixture, meeting) = fixture().await;
    let client = fixture.pipelines();
    let unknown = "7d9f1c5e-0000-0000-0000-000000000000";
    let error = client.delete_media_pipeline().media_pipeline_id(unknown).send().await.expect_err("none");
    assert_eq!(code(&error), "NotFoundException");
    fixture.chime.set_pipeline_quota(Some(0));
    let create = || {
        client
            .create_media_capture_pipeline()
            .source_type(MediaPipelineSourceType::ChimeSdkMeeting)
            .source_arn(&meeting)
            .sink_type(MediaPipelineSinkType::S3Bucket)
            .sink_arn(format!("arn:aws:s3:::{BUCKET}"))
    };
    let error = create().send().await.expect_err("the limit is reached");
    assert_eq!(code(&error), "ResourceLimitExceededException");
    let error = create().sink_arn("arn:aws:s3:::nobucket").send().await.expect_err("no bucket");
    assert_eq!(code(&error), "BadRequestException");
    let throttle = Fault {
        service: "chime".to_owned(),
        operation: Some("CreateMediaCapturePipeline".to_owned()),
        function: None,
        kind: FaultKind::Throttle,
        nth: Some(1),
        ms: None,
        times: None,
    };
    fixture.faults.add(throttle);
    let error = create().send().await.expect_err("throttled");
    assert_eq!(code(&error), "ThrottledClientException");
    fixture.deny("s3:GetBucketPolicy");
    assert_eq!(code(&create().send().await.expect_err("denied")), "AccessDeniedException");
}
