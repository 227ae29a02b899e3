//! The result of a transcript, and its deletion.

use domain::Error;
use domain::audit::Origin;
use domain::id::TranscriptId;
use domain::transcript::Outcome;
use runtime::metrics::{self, Metric};
use store::texts::FinishedText;

use crate::App;

/// Transcripts whose deletion one run requests.
const MAX_EXPIRED: i64 = 100;

impl App {
    /// Gives a transcript whose text is complete its result.
    ///
    /// # Errors
    /// Where the database is down: it is completed later.
    pub(crate) async fn complete(&self, id: TranscriptId, origin: &Origin) -> Result<(), Error> {
        let store = self.calls.store();
        let Some(row) = store.load_transcript(id).await? else { return Ok(()) };
        if row.finished_at.is_some() || row.deletion_requested {
            return Ok(());
        }
        let document = self.document(&row, origin.now).await?;
        let segments = document.segments.len();
        let ran = row.runs.iter().any(|run| run.started_at.is_some());
        let outcome = match (segments, ran) {
            (0, false) => Outcome::Failed,
            _ if document.gaps.is_empty() => Outcome::Ready,
            _ => Outcome::Incomplete,
        };
        if segments == 0 && ran {
            tracing::warn!(transcript = %id, "a call that was transcribed has no text");
            metrics::emit(&[(Metric::EmptyTranscripts, 1)]);
        }
        let text = FinishedText { outcome, segments, sha256: document.sha256()? };
        if let Some(event) = store.finish_transcript(id, &text, origin).await? {
            self.calls.publish(event, origin).await;
        }
        Ok(())
    }

    /// Deletes the text of a transcript whose deletion was requested.
    ///
    /// # Errors
    /// Where the database is down.
    pub(crate) async fn delete_text(&self, id: TranscriptId, origin: &Origin) -> Result<(), Error> {
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
