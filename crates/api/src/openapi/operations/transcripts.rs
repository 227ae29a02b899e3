//! The routes of the function `transcript`.

use domain::error::reason;

use super::Operation;
use crate::openapi::schemas::Schemas;
use crate::transcripts::{LanguagesResponse, StartTranscriptionRequest, Transcription};

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
    ]
}
