//! Strict parsing of requests, as for the meetings API: a member that the service model does not have is refused.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::Refusal;
use crate::chime::input::Tag;
use crate::chime::validate;

const MAX_ARN_CHARACTERS: usize = 1024;
const MAX_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateCapture {
    #[expect(dead_code, reason = "read only to refuse what is not in the enumeration")]
    pub(super) source_type: SourceType,
    pub(super) source_arn: String,
    #[expect(dead_code, reason = "read only to refuse what is not in the enumeration")]
    pub(super) sink_type: SinkType,
    pub(super) sink_arn: String,
    pub(super) client_request_token: Option<String>,
    pub(super) chime_sdk_meeting_configuration: Option<MeetingConfiguration>,
    pub(super) sse_aws_key_management_params: Option<KeyManagement>,
    pub(super) sink_iam_role_arn: Option<String>,
    pub(super) tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
pub(super) enum SourceType {
    ChimeSdkMeeting,
}

#[derive(Debug, Deserialize)]
pub(super) enum SinkType {
    S3Bucket,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MeetingConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_configuration: Option<SourceConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifacts_configuration: Option<Artifacts>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct SourceConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) selected_video_streams: Option<SelectedStreams>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct SelectedStreams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attendee_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_user_ids: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Artifacts {
    pub(super) audio: AudioArtifacts,
    pub(super) video: VideoArtifacts,
    pub(super) content: ContentArtifacts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) composited_video: Option<CompositedVideo>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AudioArtifacts {
    pub(super) mux_type: AudioMux,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(clippy::enum_variant_names, reason = "the names are the service model's")]
pub(super) enum AudioMux {
    AudioOnly,
    AudioWithActiveSpeakerVideo,
    AudioWithCompositedVideo,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct VideoArtifacts {
    pub(super) state: ArtifactState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mux_type: Option<VideoMux>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum VideoMux {
    VideoOnly,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ContentArtifacts {
    pub(super) state: ArtifactState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mux_type: Option<ContentMux>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum ContentMux {
    ContentOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum ArtifactState {
    Enabled,
    Disabled,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CompositedVideo {
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<Layout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<Resolution>,
    grid_view_configuration: GridView,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum Layout {
    GridView,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Resolution {
    Hd,
    Fhd,
}

/// The parameters of each layout are kept as they came: no picture is composed of them here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GridView {
    content_share_layout: ContentShareLayout,
    #[serde(skip_serializing_if = "Option::is_none")]
    presenter_only_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_speaker_only_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    horizontal_layout_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vertical_layout_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_attribute: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canvas_orientation: Option<CanvasOrientation>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum ContentShareLayout {
    PresenterOnly,
    Horizontal,
    Vertical,
    ActiveSpeakerOnly,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum CanvasOrientation {
    Landscape,
    Portrait,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct KeyManagement {
    pub(super) aws_kms_key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_kms_encryption_context: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateConcatenation {
    pub(super) sources: Vec<Source>,
    pub(super) sinks: Vec<Sink>,
    pub(super) client_request_token: Option<String>,
    pub(super) tags: Option<Vec<Tag>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Source {
    r#type: ConcatenationSource,
    pub(super) media_capture_pipeline_source_configuration: CaptureSource,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum ConcatenationSource {
    MediaCapturePipeline,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CaptureSource {
    pub(super) media_pipeline_arn: String,
    pub(super) chime_sdk_meeting_configuration: ConcatenationConfiguration,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ConcatenationConfiguration {
    pub(super) artifacts_configuration: ConcatenatedArtifacts,
}

/// All seven are required.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ConcatenatedArtifacts {
    pub(super) audio: Concatenated,
    pub(super) video: Concatenated,
    pub(super) content: Concatenated,
    pub(super) data_channel: Concatenated,
    pub(super) transcription_messages: Concatenated,
    pub(super) meeting_events: Concatenated,
    pub(super) composited_video: Concatenated,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Concatenated {
    pub(super) state: ArtifactState,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Sink {
    r#type: SinkKind,
    pub(super) s3_bucket_sink_configuration: BucketSink,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum SinkKind {
    S3Bucket,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct BucketSink {
    pub(super) destination: String,
}

type Checked = Result<(), Refusal>;

fn refuse(message: &str) -> Checked {
    Err(Refusal::BadRequest(message.to_owned()))
}

impl CreateCapture {
    /// The constraints of the service model and of the guide.
    pub(super) fn check(&self) -> Checked {
        token(self.client_request_token.as_deref())?;
        arn("SourceArn", &self.source_arn)?;
        arn("SinkArn", &self.sink_arn)?;
        tags(self.tags.as_deref())?;
        if self.sse_aws_key_management_params.is_some() != self.sink_iam_role_arn.is_some() {
            return refuse("SseAwsKeyManagementParams and SinkIamRoleArn must be given together");
        }
        let artifacts = self.artifacts();
        let composited = artifacts.is_some_and(|it| it.composited_video.is_some());
        let audio = artifacts.is_some_and(|it| it.audio.mux_type == AudioMux::AudioWithCompositedVideo);
        if composited != audio {
            return refuse(
                "CompositedVideo and Audio.MuxType AudioWithCompositedVideo must be given together",
            );
        }
        Ok(())
    }

    pub(super) fn artifacts(&self) -> Option<&Artifacts> {
        self.chime_sdk_meeting_configuration.as_ref()?.artifacts_configuration.as_ref()
    }
}

impl CreateConcatenation {
    /// The source and the sink, of which there is one each.
    pub(super) fn check(&self) -> Result<(&CaptureSource, &str), Refusal> {
        token(self.client_request_token.as_deref())?;
        tags(self.tags.as_deref())?;
        let ([source], [sink]) = (self.sources.as_slice(), self.sinks.as_slice()) else {
            return Err(Refusal::BadRequest("Sources and Sinks must have one member each".to_owned()));
        };
        let source = &source.media_capture_pipeline_source_configuration;
        let destination = &sink.s3_bucket_sink_configuration.destination;
        arn("MediaPipelineArn", &source.media_pipeline_arn)?;
        arn("Destination", destination)?;
        let artifacts = &source.chime_sdk_meeting_configuration.artifacts_configuration;
        if artifacts.audio.state != ArtifactState::Enabled {
            refuse("ArtifactsConfiguration.Audio.State must be Enabled")?;
        }
        for (name, artifact) in [("Video", &artifacts.video), ("Content", &artifacts.content)] {
            if artifact.state == ArtifactState::Enabled {
                refuse(&format!(
                    "ArtifactsConfiguration.{name}.State: the local cloud does not join {name}"
                ))?;
            }
        }
        Ok((source, destination))
    }
}

fn token(token: Option<&str>) -> Checked {
    token.map_or(Ok(()), |token| Ok(validate::token(token)?))
}

fn arn(member: &str, text: &str) -> Checked {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:-_.".contains(c);
    let is_arn = text.strip_prefix("arn").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain));
    if is_arn && text.len() <= MAX_ARN_CHARACTERS {
        Ok(())
    } else {
        refuse(&format!("{member} must satisfy regular expression pattern: ^arn[\\/\\:\\-\\_\\.a-zA-Z0-9]+$"))
    }
}

fn tags(tags: Option<&[Tag]>) -> Checked {
    let many = tags.is_some_and(|tags| tags.len() > MAX_TAGS);
    if many { refuse("Tags must have at most 50 members") } else { Ok(()) }
}
