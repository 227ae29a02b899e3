//! The result of a transcript, and its deletion.

use std::time::Duration;

use domain::Error;
use domain::audit::Origin;
use domain::error::reason;
use domain::id::TranscriptId;
use domain::transcript::Outcome;
use domain::transcript::batch::plan::Next;
use domain::transcript::export::Content;
use domain::transcript::gaps::gaps;
use domain::transcript::segments::assemble;
use runtime::metrics::{self, Metric};
use store::texts::FinishedText;
use tokio::time::Instant;

use crate::App;
use crate::evidence::Known;

/// Time for the deletion of the outputs of one transcript's jobs, of which there are a few.
const DELETE_FOR: Duration = Duration::from_secs(20);

/// Transcripts whose deletion one run requests.
const MAX_EXPIRED: i64 = 100;

impl App {
    /// Gives a transcript whose text is complete its result. Where a job is to make text, it is ordered, and its end completes the
    /// transcript again.
    ///
    /// # Errors
    /// Where the database is down: it is completed later.
    pub(crate) async fn complete(&self, id: TranscriptId, origin: &Origin) -> Result<(), Error> {
        let store = self.calls.store();
        let Some(row) = store.load_transcript(id).await? else { return Ok(()) };
        if row.finished_at.is_some() || row.deletion_requested {
            return Ok(());
        }
        store.mark_revoked(id).await?;
        let segments = assemble(store.transcript_turns(id).await?);
        let known = Known::of(&row, &segments, origin.now);
        match self.next_jobs(&known) {
            Next::Nothing => {}
            Next::Wait => return Ok(()),
            Next::Order(orders) => return self.order_jobs(&known, &orders, origin).await,
        }
        let gaps = gaps(&known.evidence());
        let ran = row.runs.iter().any(|row| row.run.started_at.is_some());
        let outcome = match segments.len() {
            0 if !ran || known.only_jobs_failed() => Outcome::Failed,
            _ if gaps.iter().any(|gap| gap.reason.is_loss()) => Outcome::Incomplete,
            _ => Outcome::Ready,
        };
        let spoke = row.captures.iter().any(|capture| !capture.speaking.is_empty());
        if segments.is_empty() && ran && spoke {
            tracing::warn!(transcript = %id, "a call that was transcribed has no text");
            metrics::emit(&[(Metric::EmptyTranscripts, 1)]);
        }
        let content = Content {
            transcript_id: id,
            appointment_id: row.appointment_id,
            session_id: row.session_id,
            language: row.language.as_deref().unwrap_or_default(),
            segments: &segments,
            gaps: &gaps,
        };
        let sha256 = content.sha256();
        let text = FinishedText {
            outcome,
            segments: segments.len(),
            gaps,
            sha256,
            find_entities: self.comprehend.is_some(),
        };
        if let Some(event) = store.finish_transcript(id, &text, origin).await? {
            self.calls.publish(event, origin).await;
        }
        Ok(())
    }

    /// Deletes the text of a transcript whose deletion was requested: the outputs of jobs with all versions, then the segments.
    ///
    /// # Errors
    /// Where S3 or the database is down, or a version is under hold: it is deleted later.
    pub(crate) async fn delete_text(&self, id: TranscriptId, origin: &Origin) -> Result<(), Error> {
        let until = Instant::now() + DELETE_FOR;
        let progress = self.objects.delete_prefix(&format!("transcripts/{id}/"), None, until).await?;
        if progress.held > 0 {
            return Err(Error::conflict(reason::RECORDING_ON_HOLD));
        }
        if progress.next.is_some() {
            return Err(Error::Unavailable { backend: "s3", source: "time for the deletion is over".into() });
        }
        self.calls.store().delete_transcript(id, origin).await?;
        Ok(())
    }

    /// Requests the deletion of transcripts whose retention has ended.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn expire(&self, origin: &Origin) -> Result<(), Error> {
        let before = origin.now - self.retention;
        let requested =
            self.calls.store().request_transcript_deletion(None, (before, MAX_EXPIRED), None, origin).await?;
        if requested > 0 {
            tracing::info!(requested, "transcripts expired");
        }
        Ok(())
    }
}
