//! The objects that a pipeline puts: their names, as the guide gives them, and their headers.
//!
//! With a prefix in the sink's ARN the folders are directly under it, without one under the pipeline's id
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-folder-structure.html>). A chunk is named by the time in UTC at which it
//! starts (<https://docs.aws.amazon.com/chime-sdk/latest/dg/configure-audio.html>).

use bytes::Bytes;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::input::{ArtifactState, Artifacts, AudioMux};
use crate::s3::{ObjectHeaders, S3};

const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]-[hour]-[minute]-[second]-[subsecond digits:3]");
const STAMP_CHARACTERS: usize = "yyyy-mm-dd-hh-mm-ss-mmm".len();

/// The kinds of chunks that a capture makes, beside the sound of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each kind is wanted or not, in any combination")]
pub(super) struct Wanted {
    /// The active speaker's picture is with the sound.
    pub(super) speaker: bool,
    pub(super) composited: bool,
    /// Each camera by itself.
    pub(super) video: bool,
    /// Each shared screen by itself.
    pub(super) content: bool,
}

impl Wanted {
    /// Without a configuration everything but the grid, which has parameters.
    pub(super) fn new(artifacts: Option<&Artifacts>) -> Self {
        let Some(artifacts) = artifacts else {
            return Self { speaker: true, composited: false, video: true, content: true };
        };
        Self {
            speaker: artifacts.audio.mux_type == AudioMux::AudioWithActiveSpeakerVideo,
            composited: artifacts.audio.mux_type == AudioMux::AudioWithCompositedVideo,
            video: artifacts.video.state == ArtifactState::Enabled,
            content: artifacts.content.state == ArtifactState::Enabled,
        }
    }
}

/// Where a pipeline puts its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sink {
    pub(super) bucket: String,
    /// Empty, or without a slash at its ends.
    pub(super) prefix: String,
    /// The key of `aws:kms`, if not the bucket's.
    pub(super) key_id: Option<String>,
}

impl Sink {
    /// `arn:aws:s3:::bucket/prefix`.
    pub(super) fn parse(arn: &str, key_id: Option<String>) -> Option<Self> {
        let path = arn.strip_prefix("arn:")?.split_once(":s3:::")?.1;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let sink = Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned(), key_id };
        (!bucket.is_empty()).then_some(sink)
    }

    /// The folders' common part.
    pub(super) fn base(&self, pipeline_id: &str) -> String {
        if self.prefix.is_empty() { pipeline_id.to_owned() } else { self.prefix.clone() }
    }

    pub(super) fn put(&self, s3: &S3, key: &str, bytes: Bytes) {
        let is_text = key.rsplit_once('.').is_some_and(|(_, ending)| ending == "txt");
        let headers = ObjectHeaders {
            content_type: Some(if is_text { "text/plain" } else { "video/mp4" }.to_owned()),
            encryption: self.key_id.as_ref().map(|_| "aws:kms".to_owned()),
            encryption_key: self.key_id.clone(),
            ..ObjectHeaders::default()
        };
        if let Err(error) = s3.put(&self.bucket, key, bytes, headers) {
            tracing::error!(%error, key, "an artifact of a media pipeline is lost");
        }
    }
}

/// The name of a chunk that starts at this time.
pub(super) fn stamp(at_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    at.ok().and_then(|at| at.format(STAMP).ok()).unwrap_or_default()
}

/// The time at which a chunk starts, by its key.
pub(super) fn started_ms(key: &str) -> Option<i64> {
    let name = key.rsplit('/').next()?;
    let at = PrimitiveDateTime::parse(name.get(..STAMP_CHARACTERS)?, STAMP).ok()?.assume_utc();
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_the_start_to_the_millisecond() {
        let at_ms = 1_627_503_710_085;
        assert_eq!(stamp(at_ms), "2021-07-28-20-21-50-085");
        assert_eq!(started_ms("a/video/2021-07-28-20-21-50-085-attendee#content.mp4"), Some(at_ms));
        assert_eq!(started_ms("a/audio/7d9f1c5e.mp4"), None);
    }

    #[test]
    fn a_prefix_takes_the_place_of_the_pipelines_id() {
        let base = |arn: &str| Sink::parse(arn, None).map(|sink| (sink.bucket.clone(), sink.base("id")));
        let pair = |bucket: &str, base: &str| Some((bucket.to_owned(), base.to_owned()));
        assert_eq!(base("arn:aws:s3:::bucket"), pair("bucket", "id"));
        assert_eq!(base("arn:aws:s3:::bucket/"), pair("bucket", "id"));
        assert_eq!(base("arn:aws:s3:::bucket/a/b/"), pair("bucket", "a/b"));
        for other in ["arn:aws:s3:::", "arn:aws:sqs:eu-central-1:1:queue", "bucket"] {
            assert_eq!(base(other), None, "{other}");
        }
    }
}
