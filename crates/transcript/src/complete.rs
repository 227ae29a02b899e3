//! The result of a transcript, and its deletion.

use api::transcripts::{DeletionState, TranscriptDeletion};
use domain::Error;
use domain::audit::Origin;
use domain::call::Actor;
use domain::error::reason;
use domain::id::TranscriptId;
use domain::transcript::export::Content;
use domain::transcript::gaps::{Evidence, GapReason, gaps};
use domain::transcript::live::{Run, RunEnd};
use domain::transcript::segments::assemble;
use domain::transcript::{Interval, Outcome, Segment};
use runtime::metrics::{self, Metric};
use store::reading::TranscriptDetail;
use store::texts::{FinishedText, TranscriptRow};
use time::OffsetDateTime;

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
        store.mark_revoked(id).await?;
        let segments = assemble(store.transcript_turns(id).await?);
        let gaps = gaps(&evidence(&row, &segments, origin.now));
        let ran = row.runs.iter().any(|run| run.started_at.is_some());
        let outcome = match (segments.len(), ran) {
            (0, false) => Outcome::Failed,
            _ if gaps.iter().any(|gap| is_loss(gap.reason)) => Outcome::Incomplete,
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
        let text = FinishedText { outcome, segments: segments.len(), gaps, sha256 };
        if let Some(event) = store.finish_transcript(id, &text, origin).await? {
            self.calls.publish(event, origin).await;
        }
        Ok(())
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

/// The state of a deletion that was requested.
const fn deletion(found: &TranscriptDetail) -> Option<DeletionState> {
    match (found.deletion_requested, found.deleted) {
        (_, true) => Some(DeletionState::Deleted),
        (true, false) => Some(DeletionState::Deleting),
        (false, false) => None,
    }
}

/// Whether text is missing that was to be there: a revocation, and what nobody asked to transcribe, are no loss.
const fn is_loss(reason: GapReason) -> bool {
    match reason {
        GapReason::Interrupted
        | GapReason::SilentService
        | GapReason::CaptureSwitched
        | GapReason::Failed => true,
        GapReason::ConsentRevoked | GapReason::NotTranscribed => false,
    }
}

/// The known facts of a transcript's call; an open capture or presence ends now.
fn evidence(row: &TranscriptRow, segments: &[Segment], now: OffsetDateTime) -> Evidence {
    let ms = |at: OffsetDateTime| (at - row.call_began_at).whole_milliseconds();
    let ms = |at: OffsetDateTime| i64::try_from(ms(at)).unwrap_or(i64::MAX);
    let end = row.call_ended_at.unwrap_or(now);
    let interval =
        |from: OffsetDateTime, to: Option<OffsetDateTime>| Interval::new(ms(from), ms(to.unwrap_or(end)));
    let runs = || row.runs.iter();
    let failed = runs().filter(|run| run.end_reason.is_some_and(RunEnd::is_failure));
    let next_start = |failed: &Run| {
        let later = runs().filter(|run| run.requested_at > failed.requested_at);
        later.filter_map(|run| run.started_at).min()
    };
    let captures = || row.captures.iter();
    let revoked = captures().filter(|capture| capture.revoked);
    Evidence {
        call_end_ms: ms(end),
        transcribing: runs().filter_map(|run| interval(run.started_at?, run.ended_at)).collect(),
        interrupted: row
            .interruptions
            .iter()
            .filter_map(|one| interval(one.began_at, one.ended_at))
            .collect(),
        // From the end of a run that had begun, until the next one began or the call ended.
        failed: failed
            .filter_map(|run| {
                let ran_until = run.started_at.and(run.ended_at);
                interval(ran_until.unwrap_or(run.requested_at), next_start(run))
            })
            .collect(),
        captured: captures().filter_map(|capture| interval(capture.began_at?, capture.ended_at)).collect(),
        revoked: revoked
            .filter_map(|capture| interval(capture.stop_requested_at?, capture.ended_at))
            .collect(),
        speaking: captures()
            .flat_map(|capture| &capture.speaking)
            .filter_map(|spoken| Interval::new(spoken.0, spoken.1))
            .collect(),
        text: segments.iter().filter_map(|one| Interval::new(one.start_ms, one.end_ms)).collect(),
    }
}
