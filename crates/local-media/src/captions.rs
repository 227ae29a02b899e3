//! Live captions by a script: a test or a person says who said what, and when.

use std::time::Duration;

use crate::frame::{
    Alternative, Item, PRONUNCIATION, STARTED, STOPPED, Transcript, TranscriptEvent, TranscriptResult,
    TranscriptionStatus,
};

/// A step of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// After the script's start.
    pub after: Duration,
    pub step: CaptionStep,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptionStep {
    /// The transcription has started.
    Started,
    /// The transcription has stopped.
    Stopped,
    /// Words. A later step with the same `result_id` replaces them.
    Words { result_id: String, attendee_id: String, text: String, partial: bool },
}

/// The event that a step causes. `external_user_id` is that of the speaker.
pub(crate) fn event(step: &CaptionStep, external_user_id: &str, now_ms: i64) -> TranscriptEvent {
    let status = |kind| TranscriptEvent {
        status: Some(TranscriptionStatus {
            kind,
            event_time: now_ms,
            transcription_region: "us-east-1".to_owned(),
            transcription_configuration: "{}".to_owned(),
        }),
        transcript: None,
    };
    match step {
        CaptionStep::Started => status(STARTED),
        CaptionStep::Stopped => status(STOPPED),
        CaptionStep::Words { result_id, attendee_id, text, partial } => {
            let item = |word: &str| Item {
                content: word.to_owned(),
                end_time: now_ms,
                speaker_attendee_id: attendee_id.clone(),
                speaker_external_user_id: external_user_id.to_owned(),
                start_time: now_ms,
                kind: PRONUNCIATION,
            };
            let result = TranscriptResult {
                alternatives: vec![Alternative {
                    items: text.split_whitespace().map(item).collect(),
                    transcript: text.clone(),
                }],
                channel_id: String::new(),
                end_time: now_ms,
                is_partial: *partial,
                result_id: result_id.clone(),
                start_time: now_ms,
            };
            TranscriptEvent { status: None, transcript: Some(Transcript { results: vec![result] }) }
        }
    }
}
