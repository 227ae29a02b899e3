//! How long a capture, a segment and a recording stay in a state, and what happens then. One table for all: a state that is not
//! here is final. The schedule runs each minute, so a state outlasts its deadline by two runs at most.

use time::{Duration, OffsetDateTime};

use crate::recording::RecordingState;
use crate::recording::capture::CaptureStatus;
use crate::recording::segment::SegmentStatus;

/// What follows when a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Chime is asked for the pipeline (`GetMediaPipeline`, or `ListMediaPipelines` where its id is not known): the event that
    /// reports its state was lost.
    AskChime,
    /// The capture is stopped.
    StopCapture,
    /// The object is given up in this state and continues as far as it can: a segment becomes `incomplete` or `failed`, and so do all of a
    /// recording; a recording whose call goes on ends.
    GiveUp,
    /// It is counted as stuck, which raises an alarm; what is due is still retried.
    Alarm,
}

/// A deadline of a state, from the moment at which the state began or was last confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub after: Duration,
    pub then: Overdue,
}

const fn after(after: Duration, then: Overdue) -> Deadline {
    Deadline { after, then }
}

/// A meeting lives for 24 hours at most (<https://docs.aws.amazon.com/chime-sdk/latest/dg/mtgs-sdk-mtgs.html>); what belongs to
/// a call does not outlast it by more than the time of two runs.
const LONGEST_CALL: Duration = Duration::minutes(24 * 60 + 2);

/// The deadlines of a capture's status, the earliest first.
#[must_use]
pub const fn of_capture(status: CaptureStatus) -> &'static [Deadline] {
    match status {
        // The request that inserted the row has 20 s, and one run of the schedule repeats it with the same token.
        CaptureStatus::Requested => const { &[after(Duration::seconds(90), Overdue::StopCapture)] },
        // Chime reports a capture that runs within seconds.
        CaptureStatus::Starting => {
            const {
                &[
                    after(Duration::seconds(30), Overdue::AskChime),
                    after(Duration::seconds(120), Overdue::StopCapture),
                ]
            }
        }
        CaptureStatus::Running => const { &[after(Duration::minutes(5), Overdue::AskChime)] },
        // The alarm says that a call may be captured after a revocation.
        CaptureStatus::Stopping => {
            const {
                &[
                    after(Duration::seconds(15), Overdue::AskChime),
                    after(Duration::seconds(60), Overdue::Alarm),
                ]
            }
        }
        CaptureStatus::Stopped | CaptureStatus::Failed => &[],
    }
}

/// The deadlines of a segment's status: of the time since it began and since its capture ended, whichever is later.
#[must_use]
pub const fn of_segment(status: SegmentStatus) -> &'static [Deadline] {
    match status {
        // The quota of pipelines is full, or Chime is down.
        SegmentStatus::Waiting => {
            const { &[after(Duration::minutes(30), Overdue::Alarm), after(Duration::hours(24), Overdue::GiveUp)] }
        }
        // Chime concatenates faster than it captures; users report files that never come.
        SegmentStatus::Concatenating => {
            const { &[after(Duration::minutes(10), Overdue::AskChime), after(Duration::hours(6), Overdue::GiveUp)] }
        }
        // Reading and copying a file of 2 GB takes a run or two.
        SegmentStatus::Verifying => {
            const { &[after(Duration::minutes(15), Overdue::Alarm), after(Duration::hours(24), Overdue::GiveUp)] }
        }
        SegmentStatus::Ready | SegmentStatus::Incomplete | SegmentStatus::Failed | SegmentStatus::Deleted => {
            &[]
        }
    }
}

/// The deadlines of a recording's state. Both attempts of a segment together take at most 108 hours.
#[must_use]
pub const fn of_recording(state: RecordingState) -> &'static [Deadline] {
    match state {
        RecordingState::Recording | RecordingState::Paused => {
            const { &[after(LONGEST_CALL, Overdue::GiveUp)] }
        }
        RecordingState::Processing => const { &[after(Duration::hours(108), Overdue::GiveUp)] },
        // Its operation is repeated every ten minutes.
        RecordingState::Deleting => const { &[after(Duration::hours(1), Overdue::Alarm)] },
        RecordingState::Ready
        | RecordingState::Incomplete
        | RecordingState::Failed
        | RecordingState::Deleted => &[],
    }
}

/// The latest deadline that has passed.
#[must_use]
pub fn passed(deadlines: &[Deadline], since: OffsetDateTime, now: OffsetDateTime) -> Option<Overdue> {
    let over = deadlines.iter().rev().find(|deadline| now - since >= deadline.after);
    over.map(|deadline| deadline.then)
}
