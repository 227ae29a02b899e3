//! The result of a transcript, and its deletion.

use std::time::Duration;

use api::transcripts::{DeletionState, TranscriptDeletion};
use domain::Error;
use domain::audit::Origin;
use domain::call::Actor;
use domain::error::reason;
use domain::id::TranscriptId;
use domain::transcript;
use domain::transcript::batch::plan::Next;
use domain::transcript::export::Content;
use domain::transcript::gaps::gaps;
use domain::transcript::segments::assemble;
use objects::Deleted;
use runtime::metrics::{self, Metric};
use store::reading::TranscriptDetail;
use store::texts::{FinishedText, TextCapture};
use tokio::time::Instant;

use crate::App;
use crate::evidence::Known;
use crate::schedule::Outcome;
use crate::text::TEXTS;

/// Time for the deletion of what is below one prefix.
const DELETE_FOR: Duration = Duration::from_secs(20);

/// Transcripts, and captures of speech, whose deletion one run requests.
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
            0 if !ran || known.only_jobs_failed() => transcript::Outcome::Failed,
            _ if gaps.iter().any(|gap| gap.reason.is_loss()) => transcript::Outcome::Incomplete,
            _ => transcript::Outcome::Ready,
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

    /// Deletes the text of a transcript whose deletion was requested: the outputs of jobs and the texts of captures with all versions,
    /// then the segments. A legal
    /// hold that was placed after the request stops it.
    ///
    /// # Errors
    /// S3 or the database is down, or a version is under hold: it is deleted later.
    pub(crate) async fn delete_text(&self, id: TranscriptId, origin: &Origin) -> Result<Outcome, Error> {
        let store = self.calls.store();
        let is_on_hold = || async { Ok::<_, Error>(store.transcript_on_hold(id).await?) };
        let captures = store.load_transcript(id).await?.map(|row| row.captures).unwrap_or_default();
        let mut files = vec![(format!("transcripts/{id}/"), "")];
        for TextCapture { capture_id, .. } in captures {
            // Those of a segment that is incomplete stay otherwise until its recording is deleted.
            files.push((format!("captures/{capture_id}/"), TEXTS));
            files.push((format!("concatenations/{capture_id}-"), TEXTS));
        }
        for (prefix, part) in files {
            let until = Instant::now() + DELETE_FOR;
            match self.objects.delete_unless_held((&prefix, part), until, is_on_hold).await? {
                Deleted::All { held: 0 } => {}
                Deleted::All { .. } => return Err(Error::conflict(reason::TRANSCRIPT_ON_HOLD)),
                Deleted::Part => return Ok(Outcome::Later(origin.now, "time for the deletion is over")),
                Deleted::OnHold => return Ok(Outcome::on_hold(origin)),
            }
        }
        let is_deleted = store.delete_transcript(id, origin).await?;
        Ok(if is_deleted { Outcome::Done } else { Outcome::on_hold(origin) })
    }

    /// Requests the deletion of a transcript's text. May be repeated. Its SHA-256 and its times stay.
    ///
    /// # Errors
    /// 403 without the right, 404 for one that there is not, 409 while it is not finished or must be kept, 503 when the database is
    /// down.
    pub(crate) async fn delete(
        &self,
        actor: &Actor,
        id: TranscriptId,
        origin: &Origin,
    ) -> Result<TranscriptDeletion, Error> {
        let (mut found, by) = self.deletable(actor, id).await?;
        if deletion(&found).is_none() {
            let finished_at = found.finished_at.ok_or(Error::conflict(reason::TRANSCRIPT_NOT_READY))?;
            if finished_at + self.retention > origin.now {
                return Err(Error::conflict(reason::TRANSCRIPT_RETAINED));
            }
            let before = origin.now - self.retention;
            self.calls.store().request_transcript_deletion(Some(id), (before, 1), Some(by), origin).await?;
            (found, _) = self.deletable(actor, id).await?;
        }
        let state = deletion(&found).ok_or(Error::conflict(if found.on_hold {
            reason::TRANSCRIPT_ON_HOLD
        } else {
            // A run of the same call has opened it again.
            reason::TRANSCRIPT_NOT_READY
        }))?;
        let (appointment_id, session_id) = (found.appointment_id, found.session_id);
        Ok(TranscriptDeletion { transcript_id: id, appointment_id, session_id, state })
    }

    /// Requests the deletion of transcripts, and of speech, whose retention has ended.
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
        let ended_before = origin.now - self.speech_retention;
        let expired = self.calls.store().expire_speech((ended_before, MAX_EXPIRED), origin.now).await?;
        if expired > 0 {
            tracing::info!(expired, "speech expired");
        }
        Ok(())
    }
}

/// The state of a deletion that was requested.
const fn deletion(found: &TranscriptDetail) -> Option<DeletionState> {
    match (found.deletion_requested, found.deleted) {
        (_, true) => Some(DeletionState::Deleted),
        (true, false) => Some(DeletionState::Deleting),
        (false, false) => None,
    }
}
