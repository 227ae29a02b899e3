//! Transcripts are read and saved, in full or redacted. The audit entry is written before the answer.

use api::transcripts::{Transcript, TranscriptRequest, TranscriptView};
use domain::Error;
use domain::audit::Origin;
use domain::call::{self, Actor};
use domain::error::reason;
use domain::id::{AppointmentId, TranscriptId, UserId};
use domain::recording::rights::Right;
use domain::state::Role;
use domain::transcript::entities::MedicalEntity;
use domain::transcript::export::Content;
use domain::transcript::format::Format;
use domain::transcript::redact;
use domain::transcript::segments::assemble;
use domain::transcript::{Segment, Source};
use runtime::Answer;
use runtime::metrics::{self, Metric};
use store::reading::{TranscriptAccess, TranscriptDetail, WhichTranscript};

use crate::App;

/// The name under which a browser saves a file: nothing of the patient is in it.
const DOWNLOAD_NAME: &str = "consultation";

impl App {
    /// The transcript of an appointment in the form that the caller accepts.
    ///
    /// # Errors
    /// 403 without the right, 404 where there is none, 406 for another form, 409 while it is not finished, is being deleted, or is to
    /// be redacted and is not marked, 503 when the database is down.
    pub(crate) async fn transcript(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        wanted: &TranscriptRequest,
        origin: &Origin,
    ) -> Result<Answer, Error> {
        let format = Format::accepted(wanted.accept.as_deref()).ok_or(Error::NotAcceptable)?;
        let view = wanted.view.unwrap_or_default();
        let which = WhichTranscript::Of(appointment, wanted.session_id);
        let access = self.calls.store().view_transcript(actor, which).await?;
        let reader = self.member_with(&access, rights(view))?;
        let found = access.transcript.ok_or(Error::NotFound(reason::TRANSCRIPT_NOT_FOUND))?;
        let not_ready = || Error::conflict(reason::TRANSCRIPT_NOT_READY);
        let outcome = found.outcome.filter(|_| !found.deletion_requested).ok_or_else(not_ready)?;
        if view == TranscriptView::Redacted && !found.marked {
            return Err(Error::conflict(reason::TRANSCRIPT_NOT_MARKED));
        }
        let turns = self.calls.store().transcript_turns(found.id).await?;
        // Since the first statement its text was deleted, or another run of the call has added to it.
        if turns.len() != found.segment_count {
            return Err(not_ready());
        }
        let segments = assemble(turns);
        let unchanged = is_unchanged(&found, &segments);
        let segments = shown(segments, view);
        let entities = if view == TranscriptView::Full && format == Format::Json {
            self.entities(found.id).await?
        } else {
            Vec::new()
        };
        self.calls.store().audit_reading(found.id, reader, (format.as_str(), view.as_str()), origin).await?;
        let answer = match format.file(&segments, &found.gaps) {
            Some(text) => Answer::text(200, format.media_type(), text),
            None => Answer::json(
                200,
                &Transcript {
                    transcript_id: found.id,
                    appointment_id: found.appointment_id,
                    session_id: found.session_id,
                    language: found.language.unwrap_or_default(),
                    state: outcome,
                    view,
                    sha256: found.sha256,
                    unchanged,
                    segments,
                    gaps: found.gaps,
                    entities,
                },
            )?,
        };
        let name = format!("attachment; filename=\"{DOWNLOAD_NAME}.{}\"", format.as_str());
        Ok(answer.with_header("content-disposition", name).with_header("vary", "accept"))
    }

    /// The medical entities of a transcript, in the order of the call.
    async fn entities(&self, id: TranscriptId) -> Result<Vec<MedicalEntity>, Error> {
        if self.comprehend.is_none() {
            return Ok(Vec::new());
        }
        let pieces = self.calls.store().transcript_entities(id).await?;
        let mut entities: Vec<_> = pieces.into_iter().flat_map(|piece| piece.entities).collect();
        entities.sort_by_key(|one| (one.segment, one.start, one.end));
        Ok(entities)
    }

    /// The caller, who has one of these rights to the appointment's transcripts.
    fn member_with(&self, access: &TranscriptAccess, rights: &[Right]) -> Result<(UserId, Role), Error> {
        // Only the host's appointment counts: an observer of a call has no part in it afterwards.
        let member = call::member(access.caller.as_ref(), access.appointment.as_ref(), None)?;
        if !rights.iter().any(|right| self.rights.check(member.role, *right).is_ok()) {
            return Err(Error::Forbidden(reason::TRANSCRIPT_RIGHT_MISSING));
        }
        Ok((member.user, member.role))
    }

    /// A transcript by its id, and the caller, who may delete it.
    pub(crate) async fn deletable(
        &self,
        actor: &Actor,
        id: TranscriptId,
    ) -> Result<(TranscriptDetail, (UserId, Role)), Error> {
        let mut access = self.calls.store().view_transcript(actor, WhichTranscript::Id(id)).await?;
        let found = access.transcript.take().ok_or(Error::NotFound(reason::TRANSCRIPT_NOT_FOUND))?;
        let member = self.member_with(&access, &[Right::TranscriptDelete])?;
        Ok((found, member))
    }
}

/// The rights of which one is needed: whoever may read all may also read it redacted.
const fn rights(view: TranscriptView) -> &'static [Right] {
    match view {
        TranscriptView::Full => &[Right::TranscriptRead],
        TranscriptView::Redacted => &[Right::TranscriptReadRedacted, Right::TranscriptRead],
    }
}

/// Whether personal data is marked in a segment: in a result of a live transcription that became final
/// (<https://docs.aws.amazon.com/transcribe/latest/dg/pii-redaction-stream.html>), and not in the text of a job after the call.
fn is_marked(segment: &Segment) -> bool {
    segment.source == Source::Live && !segment.unfinished
}

/// Whether a transcript has the SHA-256 with which it was finished. One that has not is given all the same, and reported.
fn is_unchanged(found: &TranscriptDetail, segments: &[Segment]) -> bool {
    let content = Content {
        transcript_id: found.id,
        appointment_id: found.appointment_id,
        session_id: found.session_id,
        language: found.language.as_deref().unwrap_or_default(),
        segments,
        gaps: &found.gaps,
    };
    let unchanged = found.sha256.as_ref() == Some(&content.sha256());
    if !unchanged {
        tracing::error!(transcript = %found.id, "transcript differs from its SHA-256");
        metrics::emit(&[(Metric::TranscriptsChanged, 1)]);
    }
    unchanged
}

/// The segments in a view. A segment in which nothing is marked is hidden as a whole.
fn shown(segments: Vec<Segment>, view: TranscriptView) -> Vec<Segment> {
    match view {
        TranscriptView::Full => segments,
        TranscriptView::Redacted => segments.iter().map(|one| redact::segment(one, is_marked(one))).collect(),
    }
}
