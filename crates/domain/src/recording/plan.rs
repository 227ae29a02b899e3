//! The next step of a call's captures.

use time::{Duration, OffsetDateTime};

use crate::consent::ConsentPurpose;
use crate::id::{CaptureId, PipelineId, RecordingId};
use crate::recording::capture::{
    self, Advanced, Capture, CaptureStatus, PipelineReport, Purposes, Stop, StopReason,
};
use crate::recording::control::{self, Refusal, Request};
use crate::recording::deadline::{self, Overdue};
use crate::recording::permission::{Permission, Permissions};
use crate::recording::timeline::{self, GapReason, Previous};
use crate::recording::{EndReason, Intent, OpenRecording, PauseReason};

/// Only the recorder is left in the call for this long: then nothing is captured any more.
pub const ALONE_FOR: Duration = Duration::minutes(2);

/// Captures in a row that fail before a recording is given up.
pub const MAX_FAILURES: u32 = 3;

/// A capture that ran for this long does not count as one of them when it fails.
const MIN_RUN: Duration = Duration::seconds(60);

/// Whether a capture ran for so long that its failure begins a new count.
#[must_use]
pub fn is_long_run(ran: Duration) -> bool {
    ran >= MIN_RUN
}

/// The pause before the next capture after the first and the second failure in a row.
const RETRY_PAUSES: [Duration; 2] = [Duration::seconds(2), Duration::seconds(15)];

/// The state of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It is active. Since when nobody has been in it, if so.
    Active { empty_since: Option<OffsetDateTime> },
    /// It is ending, has ended or failed, or has not begun.
    Over,
}

/// Captures in a row that failed, and when the latest of them ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    pub count: u32,
    pub last_at: OffsetDateTime,
}

/// The input of the decisions, read in one statement and under the session's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub call: Call,
    pub permissions: Permissions,
    pub recording: Option<OpenRecording>,
    /// The id of the automatic recording: the call is to be recorded and has had no recording yet. So it starts by itself once.
    pub automatic: Option<RecordingId>,
    /// Whether the speech is to be transcribed.
    pub transcribe: bool,
    /// The open capture.
    pub capture: Option<Capture>,
    /// Failures of the open recording's captures; without one, of the transcription's.
    pub failures: Option<Failures>,
}

/// A change of a recording, with its audit entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingChange {
    Begin { id: RecordingId, automatic: bool },
    Pause(PauseReason),
    Resume,
    End(EndReason),
}

/// A step for the captures of a call. A step on the open capture leaves it open: nothing follows before it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is to be done.
    Keep,
    /// Nothing before this moment: captures failed.
    WaitUntil(OffsetDateTime),
    /// A capture is inserted and its pipeline created.
    Open { purposes: Purposes, recording: Option<RecordingId>, gap: Option<GapReason> },
    /// The capture is set to `stopping` and its pipeline is deleted.
    Stop { capture: CaptureId, stop: Stop },
    /// Chime is asked for the pipeline of the capture; without its id, all pipelines are listed. `alarm`: it is stuck.
    Ask { capture: CaptureId, pipeline: Option<PipelineId>, alarm: bool },
}

/// The result of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The changes of the recording, in this order.
    pub changes: Vec<RecordingChange>,
    pub step: Step,
}

impl Snapshot {
    /// Applies what is known of the open capture's pipeline. A capture that ended is not in the snapshot any more.
    pub fn report(&mut self, report: PipelineReport, now: OffsetDateTime) -> Option<Advanced> {
        let mut open = self.capture?;
        if self.call == Call::Over && open.stop.is_none() && matches!(report, PipelineReport::Gone(_)) {
            // The meeting ended, and its capture with it.
            capture::request_stop(&mut open, Stop::new(now, StopReason::CallEnded));
        }
        let advanced = capture::advance(open, report, now);
        let ended = advanced.capture;
        self.capture = Some(ended).filter(|capture| capture.status.is_open());
        if self.capture.is_none() {
            let ran = ended.began_at.is_some_and(|began| is_long_run(now - began));
            let count = self.failures.map_or(0, |failures| failures.count);
            self.failures = match ended.status {
                CaptureStatus::Failed if ran => Some(Failures { count: 1, last_at: now }),
                CaptureStatus::Failed => Some(Failures { count: count + 1, last_at: now }),
                CaptureStatus::Stopped
                | CaptureStatus::Requested
                | CaptureStatus::Starting
                | CaptureStatus::Running
                | CaptureStatus::Stopping => None,
            };
            if let (Some(recording), Some(stop)) = (&mut self.recording, ended.stop)
                && ended.recording == Some(recording.id)
                && ended.began_at.is_some()
            {
                recording.previous = Some(Previous {
                    requested_at: ended.requested_at,
                    stop: stop.reason,
                    revoked: stop.revoked.recording,
                });
            }
        }
        Some(advanced)
    }

    /// Applies a change of the recording.
    pub fn apply(&mut self, change: RecordingChange, now: OffsetDateTime) {
        match (change, &mut self.recording) {
            (RecordingChange::Begin { id, .. }, recording) => {
                *recording = Some(OpenRecording::new(id, now));
                (self.automatic, self.failures) = (None, None);
            }
            (RecordingChange::Pause(reason), Some(recording)) => {
                recording.intent = Intent::Paused;
                recording.last_pause = Some(timeline::Pause { at: now, reason });
            }
            (RecordingChange::Resume, Some(recording)) => recording.intent = Intent::Recording,
            (RecordingChange::End(_), recording) => *recording = None,
            (RecordingChange::Pause(_) | RecordingChange::Resume, None) => {}
        }
    }

    /// The purposes for which an open capture may go on. One of a call that nobody is in is kept for a while, because somebody
    /// may come back.
    fn permitted(&self, open: Purposes) -> Purposes {
        let empty = |permission: &Permission| *permission == Permission::Empty;
        let kept = Purposes {
            recording: empty(&self.permissions.recording),
            transcription: empty(&self.permissions.transcription),
        };
        self.permissions.allowed().union(kept.intersection(open))
    }

    fn is_deserted(&self, now: OffsetDateTime) -> bool {
        match self.call {
            Call::Active { empty_since } => empty_since.is_some_and(|since| now - since >= ALONE_FOR),
            Call::Over => false,
        }
    }
}

/// Decides what follows from a request of the provider, if there is one, and from everything else that has changed.
///
/// # Errors
/// A [`Refusal`] of the request.
pub fn decide(
    mut snapshot: Snapshot,
    request: Option<Request>,
    now: OffsetDateTime,
) -> Result<Decision, Refusal> {
    let mut changes = Vec::new();
    if let Some(request) = request
        && let Some(change) = control::decide(&snapshot, request)?
    {
        snapshot.apply(change, now);
        changes.push(change);
    }
    if let Some(change) = follow(&snapshot, now) {
        snapshot.apply(change, now);
        changes.push(change);
    }
    Ok(Decision { step: next(&snapshot, now), changes })
}

/// The change of the recording that follows from the call and its participants.
fn follow(snapshot: &Snapshot, now: OffsetDateTime) -> Option<RecordingChange> {
    let Some(recording) = snapshot.recording else {
        let id = snapshot.automatic?;
        let allowed = snapshot.call != Call::Over && snapshot.permissions.allowed().recording;
        return allowed.then_some(RecordingChange::Begin { id, automatic: true });
    };
    let own = snapshot.capture.filter(|capture| capture.recording == Some(recording.id));
    // A revocation counts, although the consents may have changed back meanwhile, or its participant was removed.
    let revoked = own.and_then(|capture| capture.stop).is_some_and(|stop| stop.revoked.recording)
        || recording.previous.is_some_and(|previous| previous.revoked);
    // Nobody gets a token without consent while a capture is open, so somebody undecided has no place in one.
    let undecided = own.is_some() && snapshot.permissions.missing().recording;
    let failures = snapshot.failures.map_or(0, |failures| failures.count);
    if snapshot.call == Call::Over {
        return Some(RecordingChange::End(EndReason::CallEnded));
    }
    // Its call cannot go on any more, whatever the database says of it.
    let state = super::state(recording.intent, false, &[]);
    if deadline::passed(deadline::of_recording(state), recording.began_at, now).is_some() {
        return Some(RecordingChange::End(EndReason::CallEnded));
    }
    if revoked || undecided || matches!(snapshot.permissions.recording, Permission::Refused(_)) {
        return Some(RecordingChange::End(EndReason::ConsentRevoked));
    }
    if snapshot.is_deserted(now) {
        return Some(RecordingChange::End(EndReason::EveryoneLeft));
    }
    match recording.intent {
        Intent::Recording if failures >= MAX_FAILURES => Some(RecordingChange::End(EndReason::CaptureFailed)),
        Intent::Recording if snapshot.permissions.missing().recording => {
            Some(RecordingChange::Pause(PauseReason::ConsentMissing))
        }
        Intent::Recording | Intent::Paused | Intent::Ended => None,
    }
}

/// The next step: what is to be captured, compared with the open capture.
#[must_use]
pub fn next(snapshot: &Snapshot, now: OffsetDateTime) -> Step {
    let recording = snapshot.recording.filter(|recording| recording.intent == Intent::Recording);
    let wanted = if snapshot.call == Call::Over || snapshot.is_deserted(now) {
        Purposes::default()
    } else {
        Purposes { recording: recording.is_some(), transcription: snapshot.transcribe }
    };
    let Some(open) = snapshot.capture else {
        return first(snapshot, wanted.intersection(snapshot.permissions.allowed()), recording, now);
    };
    let needed = wanted.intersection(snapshot.permitted(open.purposes));
    let owner = recording.filter(|_| needed.recording).map(|recording| recording.id);
    let overdue = deadline::passed(deadline::of_capture(open.status), open.confirmed_at, now);
    let ask = |alarm| Step::Ask { capture: open.id, pipeline: open.pipeline, alarm };
    if open.status != CaptureStatus::Stopping && (open.purposes != needed || open.recording != owner) {
        return Step::Stop { capture: open.id, stop: stop_of(&open, snapshot, needed, now) };
    }
    if let Some(step) = revocation(&open, snapshot, now) {
        return step;
    }
    match overdue {
        None => Step::Keep,
        Some(Overdue::AskChime) => ask(false),
        Some(Overdue::Alarm | Overdue::GiveUp) => ask(true),
        Some(Overdue::StopCapture) => {
            Step::Stop { capture: open.id, stop: Stop::new(now, StopReason::NeverStarted) }
        }
    }
}

/// The first step of a call without an open capture.
fn first(
    snapshot: &Snapshot,
    purposes: Purposes,
    recording: Option<OpenRecording>,
    now: OffsetDateTime,
) -> Step {
    if purposes.is_empty() {
        return Step::Keep;
    }
    if let Some(Failures { count, last_at }) = snapshot.failures {
        let pause = usize::try_from(count).ok().and_then(|count| RETRY_PAUSES.get(count.saturating_sub(1)));
        // Only the transcription can have failed more often.
        let Some(pause) = pause else { return Step::Keep };
        if now < last_at + *pause {
            return Step::WaitUntil(last_at + *pause);
        }
    }
    let recording = recording.filter(|_| purposes.recording);
    let previous = recording.and_then(|recording| recording.previous);
    let last_pause = recording.and_then(|recording| recording.last_pause);
    Step::Open {
        purposes,
        recording: recording.map(|recording| recording.id),
        gap: previous.map(|previous| timeline::gap_reason(previous, last_pause)),
    }
}

/// A capture that is stopped for another reason and whose consent is revoked before it has ended: its tail is to be marked.
fn revocation(open: &Capture, snapshot: &Snapshot, now: OffsetDateTime) -> Option<Step> {
    let revoked = open.purposes.intersection(snapshot.permissions.missing());
    let known = open.stop.map_or(Purposes::default(), |stop| stop.revoked);
    (known.union(revoked) != known).then_some(Step::Stop {
        capture: open.id,
        stop: Stop { at: now, reason: StopReason::ConsentRevoked, revoked },
    })
}

/// Why the open capture is stopped. A revocation comes first, because it marks the tail.
fn stop_of(open: &Capture, snapshot: &Snapshot, needed: Purposes, now: OffsetDateTime) -> Stop {
    let revoked = open.purposes.intersection(snapshot.permissions.missing());
    if !revoked.is_empty() {
        return Stop { at: now, reason: StopReason::ConsentRevoked, revoked };
    }
    let paused = snapshot.recording.is_some_and(|recording| recording.intent == Intent::Paused);
    let reason = if snapshot.call == Call::Over {
        StopReason::CallEnded
    } else if snapshot.is_deserted(now) {
        StopReason::EveryoneLeft
    } else if !needed.is_empty() {
        StopReason::PurposesChanged
    } else if paused && open.purposes.contains(ConsentPurpose::Recording) {
        StopReason::Paused
    } else {
        StopReason::Requested
    };
    Stop::new(now, reason)
}
