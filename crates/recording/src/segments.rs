//! Segments: from the concatenation of a capture's chunks to a verified file.

use std::time::Duration as StdDuration;

use chime::NewConcatenation;
use domain::Error;
use domain::audit::Origin;
use domain::error::reason;
use domain::id::{CaptureId, PipelineId, RecordingId};
use domain::operation::Operation;
use domain::recording::Layout;
use domain::recording::segment::{self, Defect, Segment, SegmentEvent, SegmentStatus, Verdict};
use objects::{Deleted, Inspection};
use runtime::metrics::{self, Metric};
use store::recordings::{SegmentRow, VerifiedFile};
use time::Duration;
use tokio::time::Instant;

use crate::App;
use crate::pipelines::{CAPTURES, SPEECH};

/// Time for the copy or the deletion of one run; the next one continues.
pub(crate) const STEP: StdDuration = StdDuration::from_secs(20);

/// A capture that ended this long ago and that Chime does not know is not known any more.
const KNOWN_FOR: Duration = Duration::minutes(10);

/// The prefix of Chime's concatenated files.
pub(crate) const CONCATENATIONS: &str = "concatenations";

/// The key of a verified file.
pub(crate) fn file_key(recording: RecordingId, number: u32) -> String {
    format!("recordings/{recording}/{number}.mp4")
}

/// Whether an operation was executed, has to be continued, or is forbidden by a legal hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Unfinished,
    OnHold,
}

impl App {
    /// Creates the concatenation of a segment that waits for it.
    ///
    /// # Errors
    /// Where the quota is exhausted or a backend is down: the segment waits.
    pub(crate) async fn concatenate(&self, capture: CaptureId, origin: &Origin) -> Result<Outcome, Error> {
        let Some(row) = self.waiting_for(capture, SegmentStatus::Waiting).await? else {
            return Ok(Outcome::Done);
        };
        let arn = match &row.pipeline_arn {
            Some(arn) => Some(arn.clone()),
            // Chime reported that it captures before it answered the creation.
            None => match row.pipeline_id {
                Some(id) => {
                    let found = self.calls.pipelines().get(&row.control_region, id).await?;
                    found.map(|pipeline| pipeline.arn)
                }
                None => None,
            },
        };
        let Some(arn) = arn else { return self.without_capture(&row, origin).await };
        let token = format!("{capture}-{}", row.segment().concatenations + 1);
        let created = self
            .calls
            .pipelines()
            .create_concatenation(NewConcatenation {
                token: &token,
                control_region: &row.control_region,
                source_arn: &arn,
                sink_arn: &format!("{}/{CONCATENATIONS}/{token}", self.bucket_arn),
                layout: row.layout,
            })
            .await;
        match created {
            Ok(created) => {
                self.advance(&row, SegmentEvent::Created(created.id), None, origin).await?;
                Ok(Outcome::Done)
            }
            // The chunks are kept, so nothing is lost: an operator can concatenate them.
            Err(chime::Error::NotFound) => self.without_capture(&row, origin).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the concatenated file of a segment, compares it with its chunks, and copies it.
    ///
    /// # Errors
    /// Where a backend is down: it is verified again.
    pub(crate) async fn verify(&self, capture: CaptureId, origin: &Origin) -> Result<Outcome, Error> {
        let Some(row) = self.waiting_for(capture, SegmentStatus::Verifying).await? else {
            return Ok(Outcome::Done);
        };
        if row.capture_ended_at.is_none() {
            // Its concatenation ended early: as long as Chime captures, no file is complete.
            return Err(unavailable("the capture goes on"));
        }
        let chunks = match self.objects.chunks(&format!("{CAPTURES}/{capture}/")).await {
            Ok(chunks) => chunks,
            Err(error @ objects::Error::Unexpected(_)) => {
                tracing::warn!(capture = %capture, reason = %error, "concatenated file cannot be verified");
                let verdict = Verdict::Defective(Defect::Unverifiable, Duration::ZERO);
                self.advance(&row, SegmentEvent::Verified(verdict), None, origin).await?;
                return Ok(Outcome::Done);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(chunks) = chunks else {
            self.advance(&row, SegmentEvent::NoChunks, None, origin).await?;
            return Ok(Outcome::Done);
        };
        let span = chunks.span.span();
        let Some(concatenation) = row.segment().concatenation else {
            self.advance(&row, SegmentEvent::GivenUp { span }, None, origin).await?;
            return Ok(Outcome::Done);
        };
        let found = self.find_concatenated(&row, concatenation).await?;
        let (key, inspection) = found.unzip();
        let (event, duration) = match inspection {
            None => (SegmentEvent::NoFile { span }, None),
            Some(Inspection::Unverifiable { reason }) => {
                tracing::warn!(capture = %capture, reason, "concatenated file cannot be verified");
                let verdict = Verdict::Defective(Defect::Unverifiable, span);
                (SegmentEvent::Verified(verdict), None)
            }
            Some(Inspection::File { file, .. }) => {
                (SegmentEvent::Verified(segment::verify(file, chunks.span)), Some(file.longest_track))
            }
        };
        let after = segment::advance(row.segment(), event);
        let file = match key.zip(duration).filter(|_| is_best(event, &after)) {
            None => None,
            Some((key, duration)) => {
                let to = file_key(row.recording_id, row.number);
                let Some(copied) = self.objects.copy(&key, &to, Instant::now() + STEP).await? else {
                    return Ok(Outcome::Unfinished);
                };
                Some(VerifiedFile { started_at: chunks.span.first_at, duration, sha256: copied.sha256 })
            }
        };
        self.advance(&row, event, file.as_ref(), origin).await?;
        Ok(Outcome::Done)
    }

    /// Deletes the chunks of a verified segment's capture and Chime's concatenated files, versions too, unless a legal hold stands.
    ///
    /// # Errors
    /// Where S3 or the database is down, or a version is under hold that the database does not have.
    pub(crate) async fn delete_chunks(&self, capture: CaptureId, origin: &Origin) -> Result<Outcome, Error> {
        if let Some(row) = self.calls.store().load_segment(capture).await? {
            if row.text_pending {
                let source = "the text of the capture is not taken".into();
                return Err(Error::Unavailable { backend: "transcript", source });
            }
            match row.segment().status {
                SegmentStatus::Ready | SegmentStatus::Failed | SegmentStatus::Deleted => {}
                SegmentStatus::Waiting
                | SegmentStatus::Concatenating
                | SegmentStatus::Verifying
                | SegmentStatus::Incomplete => return Ok(Outcome::Done),
            }
        }
        let until = Instant::now() + STEP;
        for prefix in [
            format!("{CAPTURES}/{capture}/"),
            format!("{SPEECH}/{capture}/"),
            format!("{CONCATENATIONS}/{capture}-"),
        ] {
            let is_on_hold = || async { Ok::<_, Error>(self.calls.store().capture_on_hold(capture).await?) };
            match self.objects.delete_unless_held((&prefix, ""), until, is_on_hold).await? {
                Deleted::All { held: 0 } => {}
                Deleted::All { .. } => return Err(Error::conflict(reason::RECORDING_ON_HOLD)),
                Deleted::OnHold => return Ok(Outcome::OnHold),
                Deleted::Part => return Ok(Outcome::Unfinished),
            }
        }
        self.calls.store().chunks_deleted(capture, origin.now).await?;
        Ok(Outcome::Done)
    }

    /// Applies what is known of a concatenation's pipeline.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn report_concatenation(
        &self,
        capture: CaptureId,
        event: SegmentEvent,
        origin: &Origin,
    ) -> Result<(), Error> {
        match self.calls.store().load_segment(capture).await? {
            Some(row) => self.advance(&row, event, None, origin).await,
            None => Ok(()),
        }
    }

    /// Chime's file of a concatenation, if it is there. The guide shows the folders under the sink's prefix; users also report them
    /// under the pipeline's id (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-folder-structure.html>).
    async fn find_concatenated(
        &self,
        row: &SegmentRow,
        pipeline: PipelineId,
    ) -> Result<Option<(String, Inspection)>, Error> {
        let folder = match row.layout {
            Layout::AudioOnly | Layout::ActiveSpeaker => "audio",
            Layout::Grid => "composited-video",
        };
        let sink = format!("{CONCATENATIONS}/{}-{}", row.capture_id, row.segment().concatenations);
        for key in
            [format!("{sink}/{folder}/{pipeline}.mp4"), format!("{sink}/{pipeline}/{folder}/{pipeline}.mp4")]
        {
            match self.objects.inspect(&key).await {
                Ok(inspection) => return Ok(Some((key, inspection))),
                Err(objects::Error::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn waiting_for(
        &self,
        capture: CaptureId,
        status: SegmentStatus,
    ) -> Result<Option<SegmentRow>, Error> {
        let row = self.calls.store().load_segment(capture).await?;
        Ok(row.filter(|row| row.segment().status == status))
    }

    /// Gives a segment up whose capture Chime does not know: once the capture ended long ago. Before, Chime may not know it yet.
    async fn without_capture(&self, row: &SegmentRow, origin: &Origin) -> Result<Outcome, Error> {
        match row.capture_ended_at {
            Some(ended) if origin.now - ended > KNOWN_FOR => self.give_up(row, origin).await,
            Some(_) | None => Err(unavailable("Chime does not know the capture")),
        }
    }

    pub(crate) async fn give_up(&self, row: &SegmentRow, origin: &Origin) -> Result<Outcome, Error> {
        let span = match self.objects.chunks(&format!("{CAPTURES}/{}/", row.capture_id)).await {
            Ok(chunks) => chunks.map_or(Duration::ZERO, |chunks| chunks.span.span()),
            Err(error @ objects::Error::Unavailable { .. }) => return Err(error.into()),
            // Nothing is known of them, and they are kept; a file that is known to be better stays.
            Err(_) => row.segment().defect.map_or(Duration::ZERO, |(_, missing)| missing),
        };
        self.advance(row, SegmentEvent::GivenUp { span }, None, origin).await?;
        Ok(Outcome::Done)
    }

    /// Applies an event to a segment. One that changes nothing writes nothing; where something else changed it meanwhile, the
    /// operation or the schedule comes again.
    pub(crate) async fn advance(
        &self,
        row: &SegmentRow,
        event: SegmentEvent,
        file: Option<&VerifiedFile>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let before = row.segment();
        let after = segment::advance(before, event);
        if after == before {
            return Ok(());
        }
        let next = match after.status {
            SegmentStatus::Waiting => Some(Operation::Concatenate),
            SegmentStatus::Verifying => Some(Operation::VerifySegment),
            SegmentStatus::Ready => Some(Operation::DeleteChunks),
            // Objects that are no known chunks are kept until the recording is deleted.
            SegmentStatus::Failed
            | SegmentStatus::Concatenating
            | SegmentStatus::Incomplete
            | SegmentStatus::Deleted => None,
        };
        let applied = self.calls.store().apply_segment(row, &after, file, next, origin).await?;
        let never_began = after.status == SegmentStatus::Failed && row.capture_began_at.is_none();
        if applied.is_some()
            && !never_began
            && matches!(after.status, SegmentStatus::Incomplete | SegmentStatus::Failed)
        {
            tracing::error!(capture = %row.capture_id, recording = %row.recording_id, state = after.status.as_str(), "segment not complete");
            metrics::emit(&[(Metric::RecordingsFailed, 1)]);
        }
        if let Some(event) = applied {
            self.calls.publish(event, origin).await;
        }
        Ok(())
    }
}

fn unavailable(reason: &'static str) -> Error {
    Error::Unavailable { backend: "chime", source: reason.into() }
}

/// Whether the file of a verdict is complete, or the best one so far: it is copied, also where another concatenation follows, which
/// may give a worse file or none.
fn is_best(event: SegmentEvent, after: &Segment) -> bool {
    match event {
        SegmentEvent::Verified(Verdict::Complete) => true,
        SegmentEvent::Verified(Verdict::Defective(defect, missing)) => {
            after.defect == Some((defect, missing))
        }
        SegmentEvent::Created(_)
        | SegmentEvent::Ended(_)
        | SegmentEvent::Failed(_)
        | SegmentEvent::NoFile { .. }
        | SegmentEvent::NoChunks
        | SegmentEvent::GivenUp { .. }
        | SegmentEvent::Deleted => false,
    }
}
