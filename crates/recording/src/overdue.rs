//! Segments and recordings that have been in a state for longer than they may (`domain::recording::deadline`).

use chime::PipelineStatus;
use domain::Error;
use domain::audit::Origin;
use domain::id::CaptureId;
use domain::recording::deadline::{self, Overdue};
use domain::recording::segment::{SegmentEvent, SegmentStatus};
use store::recordings::DueRecording;
use time::Duration;

use crate::App;

/// Events after which a segment that is given up is final: each concatenation is waited for and made once more.
const MAX_GIVEN_UP: usize = 4;

impl App {
    /// Asks Chime for a segment's concatenation where its event was lost, and gives up what does not come. Returns whether it is
    /// stuck.
    ///
    /// # Errors
    /// 503 where a backend is down.
    pub(crate) async fn follow_up(&self, capture: CaptureId, origin: &Origin) -> Result<bool, Error> {
        let Some(row) = self.calls.store().load_segment(capture).await? else { return Ok(false) };
        let Some(ended) = row.capture_ended_at else { return Ok(false) };
        let current = row.segment();
        let since = row.changed_at.max(ended);
        match deadline::passed(deadline::of_segment(current.status), since, origin.now) {
            None => Ok(false),
            Some(Overdue::GiveUp) => {
                self.give_up(&row, origin).await?;
                Ok(true)
            }
            Some(Overdue::Alarm | Overdue::StopCapture) => Ok(true),
            Some(Overdue::AskChime) => {
                let Some(id) = current.concatenation else { return Ok(false) };
                let found = self.calls.pipelines().get(&row.control_region, id).await?;
                let event = match found.map(|pipeline| pipeline.status) {
                    None | Some(PipelineStatus::Stopped) => SegmentEvent::Ended(id),
                    Some(PipelineStatus::Failed) => SegmentEvent::Failed(id),
                    Some(PipelineStatus::Starting | PipelineStatus::Running | PipelineStatus::Stopping) => {
                        return Ok(false);
                    }
                };
                self.advance(&row, event, None, origin).await?;
                Ok(false)
            }
        }
    }

    /// Gives up the files of a recording that is past its deadline, and reports one whose files are not deleted. Returns whether it is
    /// stuck.
    ///
    /// # Errors
    /// 503 where the database is down.
    pub(crate) async fn follow_up_recording(
        &self,
        recording: &DueRecording,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let state = recording.state();
        let deadlines = deadline::of_recording(state);
        let Some(overdue) = deadline::passed(deadlines, recording.since, origin.now) else {
            return Ok(false);
        };
        tracing::error!(recording = %recording.id, state = ?state, "recording past its deadline");
        match overdue {
            Overdue::GiveUp => {
                for capture in &recording.captures {
                    self.give_up_unseen(*capture, origin).await?;
                }
            }
            // Its operation is repeated.
            Overdue::Alarm | Overdue::AskChime | Overdue::StopCapture => {}
        }
        Ok(true)
    }

    /// Gives up a segment without asking anyone: what could be asked has not answered for days. Its chunks are kept.
    async fn give_up_unseen(&self, capture: CaptureId, origin: &Origin) -> Result<(), Error> {
        for _ in 0..MAX_GIVEN_UP {
            let Some(row) = self.calls.store().load_segment(capture).await? else { return Ok(()) };
            match row.segment().status {
                SegmentStatus::Waiting | SegmentStatus::Concatenating | SegmentStatus::Verifying => {}
                SegmentStatus::Ready
                | SegmentStatus::Incomplete
                | SegmentStatus::Failed
                | SegmentStatus::Deleted => return Ok(()),
            }
            // A file that is known to be better stays.
            let span = row.segment().defect.map_or(Duration::ZERO, |(_, missing)| missing);
            let event = SegmentEvent::GivenUp { span };
            self.advance(&row, event, None, origin).await?;
        }
        Ok(())
    }
}
