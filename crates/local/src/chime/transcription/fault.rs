//! Faults of transcriptions on demand, as `POST /_local/chime/transcriptions/faults` takes them. Each is for transcriptions that are
//! started after it.

use local_media::CaptionStatusKind;
use serde::Deserialize;

use super::{START_MS, Transcription};
use crate::chime::Chime;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewTranscriptionFault {
    pub kind: TranscriptionFault,
    /// Of a failure or an interruption: the reason that its event gives.
    pub message: Option<String>,
    /// It fails or is interrupted after so many seconds; 0: it fails in place of starting.
    #[serde(default)]
    pub after_seconds: u32,
    /// An interruption lasts so many seconds. Without it only the control API ends it.
    pub for_seconds: Option<u32>,
    /// Of how many transcriptions; 1 when absent.
    #[serde(default = "one")]
    pub times: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TranscriptionFault {
    /// Neither an event nor text ever comes, as without the service-linked role.
    NeverStarts,
    Fails,
    Interrupts,
    /// It starts, and makes no text.
    Silent,
    /// The members of its messages begin with capital letters.
    PascalCase,
}

#[derive(Debug, Default)]
pub(in crate::chime) struct TranscriptionFaults(Vec<NewTranscriptionFault>);

impl TranscriptionFaults {
    /// Applies the first fault that is left.
    pub(super) fn apply(&mut self, transcription: &mut Transcription, now_ms: i64) {
        let Some(fault) = self.0.first_mut() else { return };
        fault.times = fault.times.saturating_sub(1);
        let fault = fault.clone();
        self.0.retain(|it| it.times > 0);
        let from_ms = now_ms + START_MS + i64::from(fault.after_seconds) * 1_000;
        match fault.kind {
            TranscriptionFault::NeverStarts => transcription.steps.clear(),
            TranscriptionFault::Fails => {
                if fault.after_seconds == 0 {
                    transcription.steps.clear();
                }
                transcription.plan(from_ms, CaptionStatusKind::Failed, fault.message);
            }
            TranscriptionFault::Interrupts => {
                transcription.plan(from_ms, CaptionStatusKind::Interrupted, fault.message);
                if let Some(seconds) = fault.for_seconds {
                    let until_ms = from_ms + i64::from(seconds) * 1_000;
                    transcription.plan(until_ms, CaptionStatusKind::Resumed, None);
                }
            }
            TranscriptionFault::Silent => transcription.silent = true,
            TranscriptionFault::PascalCase => transcription.pascal_case = true,
        }
    }
}

impl Chime {
    /// Puts a fault on transcriptions that are started after it.
    pub fn add_transcription_fault(&self, fault: NewTranscriptionFault) {
        self.current_state().transcription_faults.0.push(fault);
    }

    /// Takes back the faults that have not hit.
    pub fn clear_transcription_faults(&self) {
        self.current_state().transcription_faults.0.clear();
    }
}
