//! The sound of a capture as one file, which is what a job takes: the verified file of its recording, or a concatenation of the speech that
//! was captured for its text alone.

use chime::NewConcatenation;
use domain::Error;
use domain::audit::Origin;
use domain::recording::Layout;
use domain::recording::segment::SegmentStatus;
use domain::transcript::batch::job::{JobFailure, JobStatus};
use objects::Inspection;
use store::jobs::{Concatenation, JobChange, JobRow, RecordedFile};
use time::{Duration, OffsetDateTime};

use crate::App;

/// The file of a concatenation that is not there for this long does not come: Chime concatenates faster than it captures.
const FILE_WITHIN: Duration = Duration::hours(6);

/// Chime knows an ended capture within this time, as for recordings.
const KNOWN_WITHIN: Duration = Duration::minutes(10);

/// Sound that a concatenated file may lack of its chunks, as for recordings.
const MAX_SHORTFALL: Duration = Duration::seconds(10);

/// The folder of speech that is captured for its text alone.
const SPEECH: &str = "speech";

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
    /// A backend is down.
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
        let Some(Concatenation { id, attempt }) = &job.concatenation else {
            return self.concatenate(job, origin).await;
        };
        let late = origin.now - job.changed_at > FILE_WITHIN;
        let missing = if late { Sound::None(JobFailure::NoFile) } else { Sound::NotYet };
        let sink = sink(job, *attempt);
        // Both folders are reported (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-folder-structure.html>).
        for key in [format!("{sink}/audio/{id}.mp4"), format!("{sink}/{id}/audio/{id}.mp4")] {
            let Inspection::File { file, size, .. } = (match self.objects.inspect(&key).await {
                Ok(inspection) => inspection,
                Err(objects::Error::NotFound) => continue,
                Err(error) => return Err(error.into()),
            }) else {
                return Ok(missing);
            };
            let chunks = match self.objects.chunks(&format!("{SPEECH}/{}/", job.capture_id)).await {
                Ok(chunks) => chunks,
                Err(error @ objects::Error::Unexpected(_)) => {
                    tracing::warn!(job = %job.name, reason = %error, "speech is not what Chime writes");
                    return Ok(Sound::None(JobFailure::NoFile));
                }
                Err(error) => return Err(error.into()),
            };
            let Some(chunks) = chunks else { return Ok(Sound::None(JobFailure::NoFile)) };
            // Concatenations without their last chunks are reported; what is there after the wait is better than nothing.
            if file.longest_track + MAX_SHORTFALL < chunks.span.span() && !late {
                return Ok(Sound::NotYet);
            }
            let length = file.longest_track;
            return Ok(Sound::File(SoundFile { key, bytes: size, began_at: chunks.span.first_at, length }));
        }
        Ok(missing)
    }

    async fn concatenate(&self, job: &JobRow, origin: &Origin) -> Result<Sound, Error> {
        let Some(arn) = &job.pipeline_arn else { return Ok(Sound::None(JobFailure::NoFile)) };
        let created = self
            .calls
            .pipelines()
            .create_concatenation(NewConcatenation {
                token: &format!("{}-t{}", job.capture_id, job.attempt),
                control_region: &job.control_region,
                source_arn: arn,
                sink_arn: &format!("{}/{}", self.bucket_arn, sink(job, job.attempt)),
                layout: Layout::AudioOnly,
            })
            .await;
        let id = match created {
            Ok(created) => created.id,
            // Chime may not know yet that the capture has ended.
            Err(chime::Error::NotFound)
                if job.captured_until.is_none_or(|ended| origin.now < ended + KNOWN_WITHIN) =>
            {
                return Ok(Sound::NotYet);
            }
            Err(chime::Error::NotFound) => return Ok(Sound::None(JobFailure::NoFile)),
            Err(error) => return Err(error.into()),
        };
        let change = JobChange { concatenation_id: Some(id), ..JobChange::to(JobStatus::Waiting) };
        self.calls.store().apply_job(job, &change, origin.now, origin.now).await?;
        Ok(Sound::NotYet)
    }

    /// The size of an object, if there is one.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let page = self.objects.list(key, None).await?;
        let found = page.objects.into_iter().find(|object| object.key == key);
        Ok(found.map(|object| u64::try_from(object.size).unwrap_or(0)))
    }
}

/// The prefix to which the concatenation of an attempt is written: below the prefix of its capture, so that it is deleted and held with the chunks.
fn sink(job: &JobRow, attempt: u32) -> String {
    format!("{SPEECH}/{}/t{attempt}", job.capture_id)
}
