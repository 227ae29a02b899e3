//! Media pipelines: captures of a meeting's media, and concatenations of what was captured.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_chimesdkmediapipelines::Client;
use aws_sdk_chimesdkmediapipelines::config::Region;
use aws_sdk_chimesdkmediapipelines::types as sdk;
use aws_sdk_chimesdkmediapipelines::types::{
    ArtifactsConcatenationState, ArtifactsState, AudioArtifactsConcatenationState, AudioMuxType,
    MediaPipelineStatus,
};
use aws_smithy_types::error::operation::BuildError;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::id::{CaptureId, PipelineId};
use domain::recording::Layout;

use crate::Error;

/// Time for one attempt: a pooled connection that died is detected within it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);
/// Time for a request with its retries; the requests that delete a pipeline at the end of a call have less, by their caller.
const DEADLINE: Duration = Duration::from_secs(8);
/// Pipelines that one listing reads: ten times an account's default quota of 100
/// (<https://docs.aws.amazon.com/general/latest/gr/chime-sdk.html>).
const MAX_LISTED: usize = 1000;

/// The media pipelines API, in every control region. Cheap to clone; clones share their clients.
#[derive(Clone)]
pub struct Pipelines {
    sdk: SdkConfig,
    clients: Arc<Mutex<HashMap<String, Client>>>,
}

impl fmt::Debug for Pipelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipelines")
    }
}

/// A capture that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewCapture<'a> {
    /// The idempotency token, and the last part of the sink.
    pub capture: CaptureId,
    pub control_region: &'a str,
    /// As Chime returned it with the meeting; it is never built.
    pub meeting_arn: &'a str,
    /// The bucket and the prefix of the chunks: `arn:aws:s3:::bucket/captures/<capture>`.
    pub sink_arn: &'a str,
    /// `None`: sound only, for its text.
    pub layout: Option<Layout>,
}

/// A concatenation that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewConcatenation<'a> {
    /// The idempotency token.
    pub token: &'a str,
    pub control_region: &'a str,
    /// The pipeline of the capture.
    pub source_arn: &'a str,
    /// The bucket and the prefix of the file.
    pub sink_arn: &'a str,
    pub layout: Layout,
}

/// A pipeline that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub id: PipelineId,
    pub arn: String,
}

/// A pipeline as Chime knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    pub id: PipelineId,
    pub arn: String,
    pub status: PipelineStatus,
    /// Where it writes.
    pub sink_arn: Option<String>,
}

/// The status of a pipeline, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineStatus {
    /// It has not begun.
    Starting,
    /// It works, or continues after a temporary failure.
    Running,
    Stopping,
    Stopped,
    Failed,
}

impl PipelineStatus {
    fn of(status: Option<&MediaPipelineStatus>) -> Self {
        match status {
            Some(MediaPipelineStatus::InProgress | MediaPipelineStatus::Paused) => Self::Running,
            Some(MediaPipelineStatus::Stopping) => Self::Stopping,
            Some(MediaPipelineStatus::Stopped) => Self::Stopped,
            Some(MediaPipelineStatus::Failed) => Self::Failed,
            // The SDK's enum is open; a status that is not known yet is none that ends a pipeline.
            _ => Self::Starting,
        }
    }
}

impl Pipelines {
    #[must_use]
    pub fn new(sdk: SdkConfig) -> Self {
        Self { sdk, clients: Arc::default() }
    }

    fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.to_owned()).or_insert_with(|| {
            let timeouts = TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(DEADLINE)
                .build();
            let config = aws_sdk_chimesdkmediapipelines::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()))
                .timeout_config(timeouts)
                .build();
            Client::from_conf(config)
        });
        client.clone()
    }

    /// Creates the pipeline of a capture. A repetition with the same capture returns the same pipeline.
    ///
    /// # Errors
    /// `Limit` when a quota of the account is exhausted; see [`Error::without_effect`].
    pub async fn create_capture(&self, new: NewCapture<'_>) -> Result<Created, Error> {
        let answer = self
            .client(new.control_region)
            .create_media_capture_pipeline()
            .client_request_token(new.capture.to_string())
            .source_type(sdk::MediaPipelineSourceType::ChimeSdkMeeting)
            .source_arn(new.meeting_arn)
            .sink_type(sdk::MediaPipelineSinkType::S3Bucket)
            .sink_arn(new.sink_arn)
            .chime_sdk_meeting_configuration(
                sdk::ChimeSdkMeetingConfiguration::builder()
                    .artifacts_configuration(artifacts(new.layout).map_err(incomplete)?)
                    .build(),
            )
            .send()
            .await
            .map_err(Error::of)?;
        let pipeline = answer.media_capture_pipeline();
        created(
            pipeline.and_then(|made| made.media_pipeline_id()),
            pipeline.and_then(|made| made.media_pipeline_arn()),
        )
    }

    /// Creates the concatenation of a capture. It waits until the capture has ended
    /// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-architecture.html>).
    ///
    /// # Errors
    /// `Limit` when a quota of the account is exhausted, `NotFound` when the capture is not known any more.
    pub async fn create_concatenation(&self, new: NewConcatenation<'_>) -> Result<Created, Error> {
        let source = sdk::MediaCapturePipelineSourceConfiguration::builder()
            .media_pipeline_arn(new.source_arn)
            .chime_sdk_meeting_configuration(
                sdk::ChimeSdkMeetingConcatenationConfiguration::builder()
                    .artifacts_configuration(concatenated(new.layout).map_err(incomplete)?)
                    .build(),
            )
            .build()
            .map_err(incomplete)?;
        let source = sdk::ConcatenationSource::builder()
            .r#type(sdk::ConcatenationSourceType::MediaCapturePipeline)
            .media_capture_pipeline_source_configuration(source)
            .build()
            .map_err(incomplete)?;
        let sink = sdk::ConcatenationSink::builder()
            .r#type(sdk::ConcatenationSinkType::S3Bucket)
            .s3_bucket_sink_configuration(
                sdk::S3BucketSinkConfiguration::builder()
                    .destination(new.sink_arn)
                    .build()
                    .map_err(incomplete)?,
            )
            .build()
            .map_err(incomplete)?;
        let answer = self
            .client(new.control_region)
            .create_media_concatenation_pipeline()
            .client_request_token(new.token)
            .sources(source)
            .sinks(sink)
            .send()
            .await
            .map_err(Error::of)?;
        let pipeline = answer.media_concatenation_pipeline();
        created(
            pipeline.and_then(|made| made.media_pipeline_id()),
            pipeline.and_then(|made| made.media_pipeline_arn()),
        )
    }

    /// A pipeline of any kind as Chime knows it; `None` where it does not.
    ///
    /// # Errors
    /// Every error but `NotFound`.
    pub async fn get(&self, control_region: &str, id: PipelineId) -> Result<Option<Pipeline>, Error> {
        let answer = self
            .client(control_region)
            .get_media_pipeline()
            .media_pipeline_id(id.to_string())
            .send()
            .await
            .map_err(Error::of);
        let answer = match answer {
            Ok(answer) => answer,
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(pipeline) = answer.media_pipeline() else { return Ok(None) };
        if let Some(capture) = pipeline.media_capture_pipeline() {
            return Ok(Some(Pipeline {
                id,
                arn: capture.media_pipeline_arn().unwrap_or_default().to_owned(),
                status: PipelineStatus::of(capture.status()),
                sink_arn: capture.sink_arn().map(str::to_owned),
            }));
        }
        Ok(pipeline.media_concatenation_pipeline().map(|concatenation| {
            let sink = concatenation.sinks().first().and_then(|sink| sink.s3_bucket_sink_configuration());
            Pipeline {
                id,
                arn: concatenation.media_pipeline_arn().unwrap_or_default().to_owned(),
                status: PipelineStatus::of(concatenation.status()),
                sink_arn: sink.map(|sink| sink.destination().to_owned()),
            }
        }))
    }

    /// The ids of the account's pipelines of every kind, at most a thousand.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn list(&self, control_region: &str) -> Result<Vec<PipelineId>, Error> {
        let (mut ids, mut next) = (Vec::new(), None);
        loop {
            let answer = self
                .client(control_region)
                .list_media_pipelines()
                .set_next_token(next)
                .send()
                .await
                .map_err(Error::of)?;
            ids.extend(
                answer
                    .media_pipelines()
                    .iter()
                    .filter_map(|summary| summary.media_pipeline_id()?.parse::<PipelineId>().ok()),
            );
            next = answer.next_token().map(str::to_owned);
            if next.is_none() || ids.len() >= MAX_LISTED {
                return Ok(ids);
            }
        }
    }

    /// Requests the stop of a capture. One that Chime does not know is not an error.
    ///
    /// # Errors
    /// When Chime may still capture.
    pub async fn delete_capture(&self, control_region: &str, id: PipelineId) -> Result<(), Error> {
        let answer = self
            .client(control_region)
            .delete_media_capture_pipeline()
            .media_pipeline_id(id.to_string())
            .send()
            .await
            .map_err(Error::of);
        match answer {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The artifacts of a capture. Data messages and events of the meeting are always written by Chime.
fn artifacts(layout: Option<Layout>) -> Result<sdk::ArtifactsConfiguration, BuildError> {
    let (mux, composited) = match layout {
        None | Some(Layout::AudioOnly) => (AudioMuxType::AudioOnly, None),
        Some(Layout::ActiveSpeaker) => (AudioMuxType::AudioWithActiveSpeakerVideo, None),
        Some(Layout::Grid) => {
            let grid = sdk::GridViewConfiguration::builder()
                .content_share_layout(sdk::ContentShareLayoutOption::Horizontal)
                .build()?;
            let composited = sdk::CompositedVideoArtifactsConfiguration::builder()
                .layout(sdk::LayoutOption::GridView)
                .resolution(sdk::ResolutionOption::Hd)
                .grid_view_configuration(grid)
                .build();
            (AudioMuxType::AudioWithCompositedVideo, Some(composited))
        }
    };
    Ok(sdk::ArtifactsConfiguration::builder()
        .audio(sdk::AudioArtifactsConfiguration::builder().mux_type(mux).build()?)
        .video(sdk::VideoArtifactsConfiguration::builder().state(ArtifactsState::Disabled).build()?)
        .content(sdk::ContentArtifactsConfiguration::builder().state(ArtifactsState::Disabled).build()?)
        .set_composited_video(composited)
        .build())
}

/// The artifacts of a concatenation: the API requires all seven states.
fn concatenated(layout: Layout) -> Result<sdk::ArtifactsConcatenationConfiguration, BuildError> {
    let disabled = ArtifactsConcatenationState::Disabled;
    let composited = match layout {
        Layout::AudioOnly | Layout::ActiveSpeaker => ArtifactsConcatenationState::Disabled,
        Layout::Grid => ArtifactsConcatenationState::Enabled,
    };
    Ok(sdk::ArtifactsConcatenationConfiguration::builder()
        .audio(
            sdk::AudioConcatenationConfiguration::builder()
                .state(AudioArtifactsConcatenationState::Enabled)
                .build()?,
        )
        .video(sdk::VideoConcatenationConfiguration::builder().state(disabled.clone()).build()?)
        .content(sdk::ContentConcatenationConfiguration::builder().state(disabled.clone()).build()?)
        .data_channel(sdk::DataChannelConcatenationConfiguration::builder().state(disabled.clone()).build()?)
        .transcription_messages(
            sdk::TranscriptionMessagesConcatenationConfiguration::builder()
                .state(disabled.clone())
                .build()?,
        )
        .meeting_events(sdk::MeetingEventsConcatenationConfiguration::builder().state(disabled).build()?)
        .composited_video(
            sdk::CompositedVideoConcatenationConfiguration::builder().state(composited).build()?,
        )
        .build())
}

fn created(id: Option<&str>, arn: Option<&str>) -> Result<Created, Error> {
    match (id.and_then(|id| id.parse().ok()), arn) {
        (Some(id), Some(arn)) => Ok(Created { id, arn: arn.to_owned() }),
        _ => Err(Error::Unavailable("an answer without a pipeline's id and ARN".into())),
    }
}

/// A request that lacks a required member, which the types of this crate rule out.
fn incomplete(error: BuildError) -> Error {
    Error::Refused { code: "incomplete".to_owned(), source: Box::new(error) }
}
