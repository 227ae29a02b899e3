//! The sound of a capture as one file, which is what a job takes: the verified file of its recording, or a concatenation of the speech that
//! was captured for its text alone.

use chime::NewConcatenation;
use domain::Error;
use domain::audit::Origin;
use domain::recording::Layout;
use domain::recording::segment::SegmentStatus;
use domain::transcript::batch::job::{JobFailure, JobStatus};
use store::jobs::{JobChange, JobRow, RecordedFile};
use time::{Duration, OffsetDateTime};

use crate::App;

/// The file of a concatenation that is not there for this long does not come: Chime concatenates faster than it captures.
const FILE_WITHIN: Duration = Duration::hours(6);

/// A file of sound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SoundFile {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) began_at: OffsetDateTime,
    pub(crate) length: Duration,
}

/// The sound of a capture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sound {
    NotYet,
    File(SoundFile),
    /// There is no file, and none comes.
    None(JobFailure),
}

impl App {
    /// The file of a job; where nothing makes it yet, its concatenation is ordered.
    ///
    /// # Errors
    /// Where a backend is down.
    pub(crate) async fn sound(&self, job: &JobRow, origin: &Origin) -> Result<Sound, Error> {
        match job.recording_id {
            Some(recording) => match &job.file {
                None => Ok(Sound::NotYet),
                Some(file) => self.recorded(&format!("recordings/{recording}/"), file).await,
            },
            None => self.concatenated(job, origin).await,
        }
    }

    async fn recorded(&self, prefix: &str, file: &RecordedFile) -> Result<Sound, Error> {
        match file.status {
            SegmentStatus::Waiting | SegmentStatus::Concatenating | SegmentStatus::Verifying => {
                Ok(Sound::NotYet)
            }
            SegmentStatus::Ready
            | SegmentStatus::Incomplete
            | SegmentStatus::Failed
            | SegmentStatus::Deleted => {
                let key = format!("{prefix}{}.mp4", file.number);
                let size = self.size(&key).await?;
                let known = file.started_at.zip(file.duration_seconds).zip(size);
                Ok(known.map_or(Sound::None(JobFailure::NoFile), |((began_at, seconds), bytes)| {
                    Sound::File(SoundFile { key, bytes, began_at, length: Duration::seconds_f64(seconds) })
                }))
            }
        }
    }

    async fn concatenated(&self, job: &JobRow, origin: &Origin) -> Result<Sound, Error> {
        // Below the prefix of the capture, so that the file is deleted with its chunks.
        let sink = format!("concatenations/{}-t{}", job.capture_id, job.attempt);
        let Some(pipeline) = job.concatenation_id else {
            let Some(arn) = &job.pipeline_arn else { return Ok(Sound::None(JobFailure::NoFile)) };
            let created = self
                .calls
                .pipelines()
                .create_concatenation(NewConcatenation {
                    token: &format!("{}-t{}", job.capture_id, job.attempt),
                    control_region: &job.control_region,
                    source_arn: arn,
                    sink_arn: &format!("{}/{sink}", self.bucket_arn),
                    layout: Layout::AudioOnly,
                })
                .await;
            let id = match created {
                Ok(created) => created.id,
                Err(chime::Error::NotFound) => return Ok(Sound::None(JobFailure::NoFile)),
                Err(error) => return Err(error.into()),
            };
            let change = JobChange { concatenation_id: Some(id), ..JobChange::to(JobStatus::Waiting) };
            self.calls.store().apply_job(job, &change, origin.now, origin.now).await?;
            return Ok(Sound::NotYet);
        };
        // Both folders are reported (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-folder-structure.html>).
        for key in [format!("{sink}/audio/{pipeline}.mp4"), format!("{sink}/{pipeline}/audio/{pipeline}.mp4")]
        {
            let Some(bytes) = self.size(&key).await? else { continue };
            let chunks = self.objects.chunks(&format!("speech/{}/", job.capture_id)).await?;
            return Ok(chunks.map_or(Sound::None(JobFailure::NoFile), |chunks| {
                let (began_at, length) = (chunks.span.first_at, chunks.span.span());
                Sound::File(SoundFile { key, bytes, began_at, length })
            }));
        }
        let late = origin.now - job.changed_at > FILE_WITHIN;
        Ok(if late { Sound::None(JobFailure::NoFile) } else { Sound::NotYet })
    }

    /// The size of an object, if there is one.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let page = self.objects.list(key, None).await?;
        let found = page.objects.into_iter().find(|object| object.key == key);
        Ok(found.map(|object| u64::try_from(object.size).unwrap_or(0)))
    }
}
