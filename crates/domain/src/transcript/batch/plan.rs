//! Decides which jobs the text of a call needs, from what is known of its sound and of its jobs.

use serde::Deserialize;

use super::job::{JobFailure, JobStatus, MAX_ATTEMPTS};
use crate::id::CaptureId;
use crate::transcript::Interval;
use crate::transcript::gaps::{intersect, union};

/// A job is worth its price, at least 15 s of sound (<https://aws.amazon.com/transcribe/pricing/>), from this much missing text on.
pub const MIN_WANTED_MS: i64 = 1_000;

/// The sound of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    pub capture: CaptureId,
    pub at: Interval,
    /// Whether a job may still be ordered: the sound is kept, a job for its language is possible, and nobody revoked consent since.
    pub available: bool,
}

/// A job as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownJob {
    pub name: String,
    pub capture_id: CaptureId,
    pub attempt: u32,
    pub status: JobStatus,
    /// Of one that failed.
    pub reason: Option<JobFailure>,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The text is what it will be.
    Nothing,
    /// A job is open.
    Wait,
    /// These jobs are ordered: captures with the number of the attempt.
    Order(Vec<(CaptureId, u32)>),
}

/// The next step towards the text of the wanted times.
#[must_use]
pub fn next(sounds: &[Sound], wanted: &[Interval], jobs: &[KnownJob]) -> Next {
    let wanted = union(wanted);
    let missing =
        |sound: &Sound| intersect(&wanted, &[sound.at]).iter().map(|at| at.length_ms()).sum::<i64>();
    let attempt = |sound: &Sound| match latest(jobs, sound.capture) {
        None => Some(1),
        Some(job) if job.status != JobStatus::Failed => None,
        Some(job) if job.attempt >= MAX_ATTEMPTS || job.reason.is_some_and(JobFailure::is_final) => None,
        Some(job) => Some(job.attempt + 1),
    };
    let orders: Vec<_> = sounds
        .iter()
        .filter(|sound| sound.available && missing(sound) >= MIN_WANTED_MS)
        .filter_map(|sound| Some((sound.capture, attempt(sound)?)))
        .collect();
    if !orders.is_empty() {
        return Next::Order(orders);
    }
    if jobs.iter().any(|job| job.status.is_open()) { Next::Wait } else { Next::Nothing }
}

/// Whether the last job on a capture's sound failed.
#[must_use]
pub fn has_failed(jobs: &[KnownJob], capture: CaptureId) -> bool {
    latest(jobs, capture).is_some_and(|job| job.status == JobStatus::Failed)
}

fn latest(jobs: &[KnownJob], capture: CaptureId) -> Option<&KnownJob> {
    jobs.iter().filter(|job| job.capture_id == capture).max_by_key(|job| job.attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(number: u32) -> CaptureId {
        format!("1a2b3c4d-0000-4000-8000-00000000000{number}").parse().expect("an id")
    }

    fn sound(number: u32, start_ms: i64, end_ms: i64) -> Sound {
        Sound { capture: capture(number), at: Interval { start_ms, end_ms }, available: true }
    }

    fn job(number: u32, attempt: u32, status: JobStatus, reason: Option<JobFailure>) -> KnownJob {
        KnownJob { name: String::new(), capture_id: capture(number), attempt, status, reason }
    }

    const CALL: [Interval; 1] = [Interval { start_ms: 0, end_ms: 60_000 }];

    #[test]
    fn each_sound_with_missing_text_gets_one_job() {
        let sounds = [sound(1, 0, 30_000), sound(2, 31_000, 60_000)];
        assert_eq!(next(&sounds, &CALL, &[]), Next::Order(vec![(capture(1), 1), (capture(2), 1)]));
        let open = job(1, 1, JobStatus::Waiting, None);
        assert_eq!(next(&sounds, &CALL, std::slice::from_ref(&open)), Next::Order(vec![(capture(2), 1)]));
        let done = job(2, 1, JobStatus::Completed, None);
        assert_eq!(next(&sounds, &CALL, &[open, done.clone()]), Next::Wait);
        assert_eq!(next(&sounds, &CALL, &[job(1, 1, JobStatus::Completed, None), done]), Next::Nothing);
    }

    #[test]
    fn nothing_is_ordered_where_no_text_is_missing_or_no_job_is_possible() {
        assert_eq!(next(&[sound(1, 0, 30_000)], &[], &[]), Next::Nothing);
        let apart = [Interval { start_ms: 29_500, end_ms: 60_000 }];
        assert_eq!(next(&[sound(1, 0, 30_000)], &apart, &[]), Next::Nothing, "half a second");
        let gone = Sound { available: false, ..sound(1, 0, 30_000) };
        assert_eq!(next(&[gone], &CALL, &[]), Next::Nothing);
    }

    #[test]
    fn a_job_that_failed_is_repeated_once_unless_it_would_fail_again() {
        let sounds = [sound(1, 0, 30_000)];
        let failed = |attempt, reason| job(1, attempt, JobStatus::Failed, Some(reason));
        let first = failed(1, JobFailure::TranscribeFailed);
        assert_eq!(next(&sounds, &CALL, std::slice::from_ref(&first)), Next::Order(vec![(capture(1), 2)]));
        let both = [failed(2, JobFailure::Unreadable), first];
        assert_eq!(next(&sounds, &CALL, &both), Next::Nothing);
        assert!(has_failed(&both, capture(1)));
        let large = [failed(1, JobFailure::TooLarge)];
        assert_eq!(next(&sounds, &CALL, &large), Next::Nothing);
        let repaired = [failed(1, JobFailure::Overdue), job(1, 2, JobStatus::Completed, None)];
        assert!(!has_failed(&repaired, capture(1)));
    }
}
