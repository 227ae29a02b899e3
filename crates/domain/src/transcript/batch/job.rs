//! A job: its name, its states, and the files that it takes.

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::id::{CaptureId, TranscriptId};

/// The longest file of a job: 4 hours (<https://docs.aws.amazon.com/transcribe/latest/dg/limits-guidelines.html>).
pub const MAX_FILE_MS: i64 = 4 * 3_600 * 1_000;

/// The largest file of a job: 2 GB.
pub const MAX_FILE_BYTES: u64 = 2_000_000_000;

/// Speakers that a job distinguishes (`MaxSpeakerLabels`).
pub const MAX_SPEAKERS: usize = 30;

/// A job that distinguishes speakers expects at least so many.
pub const MIN_SPEAKERS: usize = 2;

/// Jobs on the sound of one capture.
pub const MAX_ATTEMPTS: u32 = 2;

/// A job ends within this time, the wait for its file included: a recorded file is given up after 24 hours
/// ([`crate::recording::deadline`]), and Transcribe is faster than the speech.
pub const WITHIN: Duration = Duration::hours(48);

/// Whether a job takes a file.
#[must_use]
pub const fn takes(length_ms: i64, bytes: u64) -> bool {
    length_ms <= MAX_FILE_MS && bytes <= MAX_FILE_BYTES
}

/// The status of a job (`medzen.transcription_jobs`). The last two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Its file is not there yet.
    Waiting,
    /// Transcribe was asked for it.
    Running,
    Completed,
    Failed,
}

impl JobStatus {
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Waiting | Self::Running => true,
            Self::Completed | Self::Failed => false,
        }
    }

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Why a job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobFailure {
    /// The sound of the capture is no file: nothing was captured, or it could not be concatenated, or was deleted.
    NoFile,
    /// Longer than 4 hours, or larger than 2 GB.
    TooLarge,
    /// A consent was withdrawn after the sound was captured: it goes to no service.
    ConsentRevoked,
    /// Transcribe rejected the request.
    Refused,
    /// Transcribe reported a failure.
    TranscribeFailed,
    /// It completed, and its output is missing or not readable.
    Unreadable,
    /// It did not end in time.
    Overdue,
}

impl JobFailure {
    /// Whether another job on the same sound would fail the same way.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::NoFile | Self::TooLarge | Self::ConsentRevoked => true,
            Self::Refused | Self::TranscribeFailed | Self::Unreadable | Self::Overdue => false,
        }
    }

    /// The spelling in the database and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFile => "no_file",
            Self::TooLarge => "too_large",
            Self::ConsentRevoked => "consent_revoked",
            Self::Refused => "refused",
            Self::TranscribeFailed => "transcribe_failed",
            Self::Unreadable => "unreadable",
            Self::Overdue => "overdue",
        }
    }
}

/// A job on the sound of a capture. Its name is derived from what it is of, so that a start that is repeated is the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub transcript: TranscriptId,
    pub capture: CaptureId,
    /// From 1.
    pub attempt: u32,
}

impl Job {
    /// `<project>-<transcriptId>-<capture>-<attempt>`, with the first 8 digits of the capture's id.
    #[must_use]
    pub fn name(self, project: &str) -> String {
        let Self { transcript, capture, attempt } = self;
        let capture = capture.to_string();
        let capture = capture.split('-').next().unwrap_or_default();
        format!("{project}-{transcript}-{capture}-{attempt}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_sound_a_job_is_of_and_which_attempt_it_is() {
        let id = "7d9f1c5e-0000-4000-8000-000000000001";
        let capture = "1a2b3c4d-0000-4000-8000-000000000002".parse().expect("an id");
        let job = Job { transcript: id.parse().expect("an id"), capture, attempt: 2 };
        assert_eq!(job.name("calls-eu"), format!("calls-eu-{id}-1a2b3c4d-2"));
    }

    #[test]
    fn a_job_takes_four_hours_and_two_gigabytes() {
        assert!(takes(MAX_FILE_MS, MAX_FILE_BYTES));
        assert!(!takes(MAX_FILE_MS + 1, 1));
        assert!(!takes(1, MAX_FILE_BYTES + 1));
    }

    #[test]
    fn statuses_and_failures_are_spelled_alike_everywhere() {
        for status in [JobStatus::Waiting, JobStatus::Running, JobStatus::Completed, JobStatus::Failed] {
            assert_eq!(serde_json::to_value(status).ok(), Some(status.as_str().into()));
        }
        for failure in [
            JobFailure::NoFile,
            JobFailure::TooLarge,
            JobFailure::Refused,
            JobFailure::TranscribeFailed,
            JobFailure::Unreadable,
            JobFailure::Overdue,
        ] {
            assert_eq!(serde_json::to_value(failure).ok(), Some(failure.as_str().into()));
        }
    }
}
