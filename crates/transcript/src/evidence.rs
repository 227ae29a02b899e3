//! What is known of the call of a transcript: when it was transcribed, captured and spoken in, and which sound has no text.

use domain::id::CaptureId;
use domain::transcript::batch::job::JobStatus;
use domain::transcript::batch::plan::{Sound, has_failed};
use domain::transcript::gaps::{Evidence, Gap, GapReason, gaps, intersect, subtract, union};
use domain::transcript::live::{Mode, Run, RunEnd};
use domain::transcript::settings::{BatchSettings, RunSettings};
use domain::transcript::{Interval, Segment};
use serde::Deserialize as _;
use store::texts::{TextCapture, TranscriptRow};
use time::OffsetDateTime;

/// A transcript with its segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) row: &'a TranscriptRow,
    segments: &'a [Segment],
    /// A call that goes on ends now.
    now: OffsetDateTime,
}

impl<'a> Known<'a> {
    pub(crate) const fn of(row: &'a TranscriptRow, segments: &'a [Segment], now: OffsetDateTime) -> Self {
        Self { row, segments, now }
    }

    /// Milliseconds from the beginning of the call.
    pub(crate) fn ms(&self, at: OffsetDateTime) -> i64 {
        i64::try_from((at - self.row.call_began_at).whole_milliseconds()).unwrap_or(i64::MAX)
    }

    fn interval(&self, from: OffsetDateTime, to: Option<OffsetDateTime>) -> Option<Interval> {
        let end = self.row.call_ended_at.unwrap_or(self.now);
        Interval::new(self.ms(from), self.ms(to.unwrap_or(end)))
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let row = self.row;
        let runs = || row.runs.iter().map(|row| &row.run);
        let captures = || row.captures.iter();
        let failed = runs().filter(|run| run.end_reason.is_some_and(RunEnd::is_failure));
        let revoked = captures().filter(|capture| capture.revoked);
        let next_start = |failed: &Run| {
            let later = runs().filter(|run| run.requested_at > failed.requested_at);
            later.filter_map(|run| run.started_at).min()
        };
        // From the end of a run that had begun, until the next one began or the call ended.
        let mut failed: Vec<Interval> = failed
            .filter_map(|run| {
                let ran_until = run.started_at.and(run.ended_at);
                self.interval(ran_until.unwrap_or(run.requested_at), next_start(run))
            })
            .collect();
        failed.extend(
            self.of_jobs(|capture| !self.is_revoked(capture) && has_failed(&row.jobs, capture.capture_id)),
        );
        let mut revoked: Vec<Interval> = revoked
            .filter_map(|capture| self.interval(capture.stop_requested_at?, capture.ended_at))
            .collect();
        revoked.extend(self.of_jobs(|capture| {
            let has_text = row
                .jobs
                .iter()
                .any(|job| job.capture_id == capture.capture_id && job.status == JobStatus::Completed);
            self.is_revoked(capture) && !has_text
        }));
        Evidence {
            call_end_ms: self.ms(row.call_ended_at.unwrap_or(self.now)),
            transcribing: runs().filter_map(|run| self.interval(run.started_at?, run.ended_at)).collect(),
            interrupted: row
                .interruptions
                .iter()
                .filter_map(|one| self.interval(one.began_at, one.ended_at))
                .collect(),
            failed,
            captured: captures().filter_map(|capture| self.captured(capture)).collect(),
            revoked,
            speaking: captures()
                .flat_map(|capture| &capture.speaking)
                .filter_map(|spoken| Interval::new(spoken.0, spoken.1))
                .collect(),
            text: self.text(),
        }
    }

    /// The sound of each capture that has ended. `kept_for`: how long the speech is kept that was captured for its text alone.
    pub(crate) fn sounds(&self, kept_for: time::Duration) -> Vec<Sound> {
        let sound = |capture: &TextCapture| {
            let kept = capture.recorded || capture.ended_at.is_some_and(|ended| ended + kept_for > self.now);
            Some(Sound {
                capture: capture.capture_id,
                at: self.captured(capture)?,
                available: kept
                    && capture.captured
                    && capture.ended_at.is_some()
                    && !self.is_revoked(capture)
                    && self.settings(capture).is_some(),
            })
        };
        self.row.captures.iter().filter_map(sound).collect()
    }

    /// The times without text that a job may fill: those of runs in batch mode, and with `fill_gaps` the losses of the live text.
    pub(crate) fn fillable(&self, fill_gaps: bool) -> Vec<Gap> {
        let evidence = self.evidence();
        let mut wanted = self.batch_runs();
        if fill_gaps {
            let losses = gaps(&evidence).into_iter().filter(|gap| gap.reason.is_loss());
            wanted.extend(losses.filter_map(|gap| Interval::new(gap.start_ms, gap.end_ms)));
        }
        let taken = union(&[evidence.text, evidence.revoked].concat());
        let gap = |at: Interval| Gap { start_ms: at.start_ms, end_ms: at.end_ms, reason: GapReason::Failed };
        subtract(&union(&wanted), &taken).into_iter().map(gap).collect()
    }

    /// The request to Transcribe for a capture: the settings of the last run that it was of.
    pub(crate) fn settings(&self, capture: &TextCapture) -> Option<BatchSettings> {
        let at = self.captured(capture)?;
        let of = self.row.runs.iter().rev().find(|row| {
            let run = self.interval(row.run.requested_at, row.run.ended_at);
            run.is_some_and(|run| run.intersection(at).is_some())
        })?;
        RunSettings::deserialize(&of.settings).ok()?.batch
    }

    pub(crate) fn capture(&self, id: CaptureId) -> Option<&'a TextCapture> {
        self.row.captures.iter().find(|capture| capture.capture_id == id)
    }

    /// Whether there is nothing but runs in batch mode, and a job of theirs failed.
    pub(crate) fn only_jobs_failed(&self) -> bool {
        self.row.runs.iter().all(|row| row.run.mode == Mode::Batch)
            && self
                .row
                .captures
                .iter()
                .any(|capture| !self.is_revoked(capture) && has_failed(&self.row.jobs, capture.capture_id))
    }

    fn captured(&self, capture: &TextCapture) -> Option<Interval> {
        self.interval(capture.began_at?, capture.ended_at)
    }

    /// Whether a consent to the transcription was revoked after the capture began: from then on its sound goes to no service.
    fn is_revoked(&self, capture: &TextCapture) -> bool {
        self.row.revoked_at.zip(capture.began_at).is_some_and(|(last, began)| began < last)
    }

    fn text(&self) -> Vec<Interval> {
        self.segments.iter().filter_map(|one| Interval::new(one.start_ms, one.end_ms)).collect()
    }

    fn batch_runs(&self) -> Vec<Interval> {
        let runs = self.row.runs.iter().map(|row| &row.run).filter(|run| run.mode == Mode::Batch);
        // From the request on: a capture that runs is noticed a moment later.
        runs.filter(|run| run.started_at.is_some())
            .filter_map(|run| self.interval(run.requested_at, run.ended_at))
            .collect()
    }

    /// The times of runs in batch mode in these captures.
    fn of_jobs(&self, of: impl Fn(&TextCapture) -> bool) -> Vec<Interval> {
        let captures = self.row.captures.iter().filter(|capture| of(capture));
        let sound: Vec<Interval> = captures.filter_map(|capture| self.captured(capture)).collect();
        intersect(&union(&self.batch_runs()), &union(&sound))
    }
}
