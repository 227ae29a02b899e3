//! The routes of the function `transcript`.

use domain::error::reason;
use serde_json::json;

use super::Operation;
use crate::openapi::schemas::Schemas;
use crate::transcripts::{
    LanguagesResponse, SearchRequest, SearchResponse, StartTranscriptionRequest, Transcript,
    TranscriptDeletion, TranscriptView, Transcription,
};

pub(super) fn all(schemas: &mut Schemas) -> Vec<Operation> {
    let function = "transcript";
    let transcription = schemas.response::<Transcription>();
    vec![
        Operation::new(
            function,
            "POST /appointments/{appointmentId}/call/transcription",
            "startTranscription",
            "Start to transcribe the call, or get the transcription that goes on",
        )
        .optional_body(schemas.request::<StartTranscriptionRequest>())
        .answers(200, "It was being transcribed already.", transcription.clone())
        .answers(201, "The transcription was started.", transcription.clone())
        .fails(&[
            reason::PROVIDER_ONLY.erase(),
            reason::NO_ACTIVE_CALL.erase(),
            reason::CONSENT_REQUIRED.erase(),
            reason::INVALID_FIELD.erase(),
            reason::CALL_NOT_READY.erase(),
            reason::TRANSCRIPT_DELETED.erase(),
            reason::TRANSCRIPTION_BUDGET.erase(),
            reason::CALLS_THROTTLED.erase(),
        ]),
        Operation::new(
            function,
            "DELETE /appointments/{appointmentId}/call/transcription",
            "stopTranscription",
            "Stop to transcribe the call",
        )
        .answers(200, "It stops, or had ended before.", transcription)
        .fails(&[
            reason::PROVIDER_ONLY.erase(),
            reason::TRANSCRIPT_NOT_FOUND.erase(),
            reason::CALL_NOT_READY.erase(),
            reason::CALLS_THROTTLED.erase(),
        ]),
        Operation::new(
            function,
            "GET /transcription/languages",
            "listLanguages",
            "The languages of Amazon Transcribe, and what this deployment does with them",
        )
        .answers(200, "The languages.", schemas.response::<LanguagesResponse>()),
        Operation {
            texts: &["text/vtt", "application/x-subrip", "text/plain"],
            ..Operation::new(
                function,
                "GET /appointments/{appointmentId}/transcript",
                "readTranscript",
                "What was said in a call, in the form that `Accept` names",
            )
        }
        .reads(
            "sessionId",
            "The call; without it the latest that has a transcript.",
            json!({ "type": "string", "format": "uuid" }),
        )
        .reads("view", "`redacted` hides personal and health data.", schemas.response::<TranscriptView>())
        .answers(200, "The transcript.", schemas.response::<Transcript>())
        .fails(&[
            reason::TRANSCRIPT_RIGHT_MISSING.erase(),
            reason::TRANSCRIPT_NOT_FOUND.erase(),
            reason::NOT_ACCEPTABLE.erase(),
            reason::TRANSCRIPT_NOT_READY.erase(),
            reason::TRANSCRIPT_NOT_MARKED.erase(),
        ]),
        Operation::new(
            function,
            "DELETE /transcripts/{transcriptId}",
            "deleteTranscript",
            "Delete a transcript that need not be kept any more",
        )
        .answers(202, "Its text is being deleted.", schemas.response::<TranscriptDeletion>())
        .fails(&[
            reason::TRANSCRIPT_RIGHT_MISSING.erase(),
            reason::TRANSCRIPT_NOT_FOUND.erase(),
            reason::TRANSCRIPT_NOT_READY.erase(),
            reason::TRANSCRIPT_RETAINED.erase(),
            reason::TRANSCRIPT_ON_HOLD.erase(),
            reason::TRANSCRIPT_ON_HOLD.erase(),
        ]),
        Operation::new(
            function,
            "POST /transcripts/search",
            "searchTranscripts",
            "Search in the transcripts of the caller's own calls",
        )
        .body(schemas.request::<SearchRequest>())
        .answers(200, "A page of results.", schemas.response::<SearchResponse>())
        .fails(&[reason::TRANSCRIPT_RIGHT_MISSING.erase()]),
    ]
}
