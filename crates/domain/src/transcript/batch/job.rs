//! The name of a job, and the files that a job takes.

use crate::id::TranscriptId;

/// The longest file of a job: 4 hours (<https://docs.aws.amazon.com/transcribe/latest/dg/limits-guidelines.html>).
pub const MAX_FILE_MS: i64 = 4 * 3_600 * 1_000;

/// The largest file of a job: 2 GB.
pub const MAX_FILE_BYTES: u64 = 2_000_000_000;

/// Speakers that a job distinguishes (`MaxSpeakerLabels`).
pub const MAX_SPEAKERS: usize = 30;

/// Whether a job takes a file.
#[must_use]
pub const fn takes(length_ms: i64, bytes: u64) -> bool {
    length_ms <= MAX_FILE_MS && bytes <= MAX_FILE_BYTES
}

/// A job: its name says which transcript it is for, so that an event or a list of jobs does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub transcript: TranscriptId,
    pub attempt: u32,
}

impl Job {
    /// `<project>-<transcriptId>-<attempt>`.
    #[must_use]
    pub fn name(self, project: &str) -> String {
        let Self { transcript, attempt } = self;
        format!("{project}-{transcript}-{attempt}")
    }

    /// Reads a name. None for a job of something else.
    #[must_use]
    pub fn parse(project: &str, name: &str) -> Option<Self> {
        let (transcript, attempt) = name.strip_prefix(project)?.strip_prefix('-')?.rsplit_once('-')?;
        let job = Self { transcript: transcript.parse().ok()?, attempt: attempt.parse().ok()? };
        // One spelling, so that the name of a job is its identity.
        (job.name(project) == name).then_some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_transcript_and_attempt_a_job_is_of() {
        let id = "7d9f1c5e-0000-4000-8000-000000000001";
        let job = Job { transcript: id.parse().expect("an id"), attempt: 2 };
        let name = job.name("calls-eu");
        assert_eq!(name, format!("calls-eu-{id}-2"));
        assert_eq!(Job::parse("calls-eu", &name), Some(job));
        for other in [
            "",
            "calls-eu",
            "calls-eu-x-2",
            &format!("calls-{id}-2"),
            &format!("calls-eu-{id}-02"),
            &format!("calls-eu-{id}"),
            &format!("calls-eu-{id}-+2"),
            &format!("calls-eu-{}-2", id.to_uppercase()),
            &format!("calls-eu-{id}--2"),
        ] {
            assert_eq!(Job::parse("calls-eu", other), None, "{other}");
        }
    }

    #[test]
    fn a_job_takes_four_hours_and_two_gigabytes() {
        assert!(takes(MAX_FILE_MS, MAX_FILE_BYTES));
        assert!(!takes(MAX_FILE_MS + 1, 1));
        assert!(!takes(1, MAX_FILE_BYTES + 1));
    }
}
