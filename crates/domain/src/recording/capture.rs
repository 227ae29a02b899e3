//! A capture: one media capture pipeline of Chime and its row (`media_captures`).
//!
//! The row is inserted before the pipeline is created, and its id is the pipeline's `ClientRequestToken`: a repeated creation
//! returns the same pipeline. So a crash at any point leaves a row that the schedule finishes.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::consent::ConsentPurpose;
use crate::id::{CaptureId, PipelineId, RecordingId};
use crate::operation::LEASE;

/// The status of a capture. All but the last two are open, and a session has at most one open capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureStatus {
    /// Its pipeline is to be created (`start_capture`); whether it was is not known.
    Requested,
    /// Its pipeline was created and has not reported yet.
    Starting,
    /// Chime captures.
    Running,
    /// Its pipeline is to be deleted (`stop_capture`). Chime may still capture.
    Stopping,
    /// Chime no longer has its pipeline. Final.
    Stopped,
    /// As `stopped`, and it was not meant to end, or it never captured anything. Final.
    Failed,
}

impl CaptureStatus {
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::Starting, Self::Running, Self::Stopping, Self::Stopped, Self::Failed];

    /// Whether Chime may have a pipeline for it: then the session gets no other capture, and nobody gets a join token without
    /// consent to its purposes.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Requested | Self::Starting | Self::Running | Self::Stopping => true,
            Self::Stopped | Self::Failed => false,
        }
    }

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// The purposes of a capture; in the database a list of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<ConsentPurpose>", into = "Vec<ConsentPurpose>")]
pub struct Purposes {
    pub recording: bool,
    /// The speech is captured for its text.
    pub transcription: bool,
}

impl From<Vec<ConsentPurpose>> for Purposes {
    fn from(list: Vec<ConsentPurpose>) -> Self {
        Self {
            recording: list.contains(&ConsentPurpose::Recording),
            transcription: list.contains(&ConsentPurpose::Transcription),
        }
    }
}

impl From<Purposes> for Vec<ConsentPurpose> {
    fn from(purposes: Purposes) -> Self {
        let all = [ConsentPurpose::Recording, ConsentPurpose::Transcription];
        all.into_iter().filter(|purpose| purposes.contains(*purpose)).collect()
    }
}

impl Purposes {
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.recording && !self.transcription
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            recording: self.recording || other.recording,
            transcription: self.transcription || other.transcription,
        }
    }

    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            recording: self.recording && other.recording,
            transcription: self.transcription && other.transcription,
        }
    }

    #[must_use]
    pub const fn contains(self, purpose: ConsentPurpose) -> bool {
        match purpose {
            ConsentPurpose::Recording => self.recording,
            ConsentPurpose::Transcription => self.transcription,
        }
    }
}

/// Why the stop of a capture was requested, or why it ended (`media_captures.stop_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The provider stopped the recording or the transcription, and nothing else is captured.
    Requested,
    Paused,
    /// A participant refused or revoked consent to one of its purposes.
    ConsentRevoked,
    /// The purposes have changed; another capture follows.
    PurposesChanged,
    CallEnded,
    /// Only the recorder was left in the call.
    EveryoneLeft,
    /// Chime reported a permanent failure.
    PipelineFailed,
    /// It did not run by its deadline.
    NeverStarted,
    /// Chime has no pipeline any more and no stop was requested.
    EndedByChime,
    /// Chime refused to create the pipeline.
    Refused,
    /// Chime refused to create the pipeline: the quota of the account is exhausted.
    Capacity,
}

impl StopReason {
    /// Whether a capture with this reason ends as `failed`.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Requested
            | Self::Paused
            | Self::ConsentRevoked
            | Self::PurposesChanged
            | Self::CallEnded
            | Self::EveryoneLeft => false,
            Self::PipelineFailed
            | Self::NeverStarted
            | Self::EndedByChime
            | Self::Refused
            | Self::Capacity => true,
        }
    }
}

/// An open capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    pub id: CaptureId,
    pub purposes: Purposes,
    /// The recording whose segment it is; one with the purpose `recording` has one.
    pub recording: Option<RecordingId>,
    pub status: CaptureStatus,
    /// Its pipeline, once it is known.
    pub pipeline: Option<PipelineId>,
    pub requested_at: OffsetDateTime,
    /// When the status last changed, or Chime last confirmed it.
    pub confirmed_at: OffsetDateTime,
    /// When Chime began to capture.
    pub began_at: Option<OffsetDateTime>,
    /// The request to stop it.
    pub stop: Option<Stop>,
}

/// The request to stop a capture. The first one counts, except that a revocation replaces any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub at: OffsetDateTime,
    pub reason: StopReason,
    /// The purposes that were refused, with the reason `consent_revoked`.
    pub revoked: Purposes,
}

impl Stop {
    /// A stop for another reason than a revocation.
    #[must_use]
    pub const fn new(at: OffsetDateTime, reason: StopReason) -> Self {
        Self { at, reason, revoked: Purposes { recording: false, transcription: false } }
    }
}

/// What is known of a capture's pipeline: from the answer to a request, from an event, or from `GetMediaCapturePipeline` and
/// `ListMediaPipelines`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineReport {
    /// Chime has created it.
    Created(PipelineId),
    /// Chime refused to create it, without effect.
    Refused { capacity: bool },
    /// Chime captures. The event may come before the answer to the creation; `GetMediaCapturePipeline` then says by the
    /// `SinkArn` which capture it belongs to.
    InProgress(PipelineId),
    /// It will not capture any more. As with `InProgress`, the answer to its creation may have been lost.
    Failed(PipelineId),
    /// It was deleted, or Chime does not know it.
    Gone(PipelineId),
    /// No pipeline of the account has the capture's `SinkArn`.
    NotListed,
}

/// The change of a capture by a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advanced {
    pub capture: Capture,
    /// A pipeline that must not exist, because the capture is not to run: to be deleted at once.
    pub delete: Option<PipelineId>,
}

/// Applies a report to a capture. A report that was received before, or belongs to another pipeline, changes nothing.
#[must_use]
pub fn advance(mut capture: Capture, report: PipelineReport, now: OffsetDateTime) -> Advanced {
    use CaptureStatus::{Requested, Running, Starting, Stopping};
    let before = capture.status;
    if let PipelineReport::Created(id) | PipelineReport::InProgress(id) = report {
        if !before.is_open() || capture.pipeline.is_some_and(|known| known != id) {
            return Advanced { capture, delete: Some(id) };
        }
        capture.pipeline = Some(id);
    }
    match report {
        PipelineReport::Created(_) => {
            if before == Requested {
                (capture.status, capture.confirmed_at) = (Starting, now);
            }
        }
        PipelineReport::InProgress(_) => {
            capture.began_at = capture.began_at.or(Some(now));
            match before {
                Requested | Starting | Running => (capture.status, capture.confirmed_at) = (Running, now),
                Stopping | CaptureStatus::Stopped | CaptureStatus::Failed => {}
            }
        }
        PipelineReport::Refused { capacity } => {
            if before.is_open() && capture.pipeline.is_none() {
                let reason = if capacity { StopReason::Capacity } else { StopReason::Refused };
                finish(&mut capture, reason, now);
            }
        }
        PipelineReport::Failed(id) => {
            if before.is_open() && *capture.pipeline.get_or_insert(id) == id {
                // Whether a failed pipeline counts as the meeting's capture is not documented, so it is deleted.
                request_stop(&mut capture, Stop::new(now, StopReason::PipelineFailed));
            }
        }
        PipelineReport::Gone(id) => {
            // Without an id where the answer to its creation was lost: it was found by its sink.
            if before.is_open() && *capture.pipeline.get_or_insert(id) == id {
                finish(&mut capture, StopReason::EndedByChime, now);
            }
        }
        PipelineReport::NotListed => {
            // A creation may be in flight until the lease of its operation has expired.
            let settled = capture.stop.is_some_and(|stop| now - stop.at > LEASE);
            if before == Stopping && capture.pipeline.is_none() && settled {
                finish(&mut capture, StopReason::NeverStarted, now);
            }
        }
    }
    // A creation that returns after its capture was stopped deletes what it has created.
    let delete = capture.pipeline.filter(|_| capture.status == Stopping);
    Advanced { capture, delete }
}

/// Requests the stop of a capture.
pub fn request_stop(capture: &mut Capture, stop: Stop) {
    if !capture.status.is_open() {
        return;
    }
    if capture.status != CaptureStatus::Stopping {
        (capture.status, capture.confirmed_at) = (CaptureStatus::Stopping, stop.at);
    }
    match &mut capture.stop {
        None => capture.stop = Some(stop),
        Some(first) if stop.reason == StopReason::ConsentRevoked => {
            if first.reason == stop.reason {
                // The earlier time: a second purpose that is revoked later ends at it too.
                first.revoked = first.revoked.union(stop.revoked);
            } else {
                *first = stop;
            }
        }
        Some(_) => {}
    }
}

fn finish(capture: &mut Capture, reason: StopReason, now: OffsetDateTime) {
    let stop = *capture.stop.get_or_insert(Stop::new(now, reason));
    capture.status = if stop.reason.is_failure() { CaptureStatus::Failed } else { CaptureStatus::Stopped };
    capture.confirmed_at = now;
}

/// The part of a capture after a revocation, which nobody may hear or see. Chime writes chunks of 5 seconds, and a stop takes
/// a moment; the text that participants consent to mentions it.
pub const MAX_TAIL: Duration = Duration::seconds(10);

/// The marked tail of a capture whose consent was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Playback ends here.
    pub from: OffsetDateTime,
    /// How long Chime captured after that.
    pub length: Duration,
}

impl Tail {
    /// Whether more was captured than the text of the consent says: an operator has to know.
    #[must_use]
    pub fn exceeds_limit(self) -> bool {
        self.length > MAX_TAIL
    }
}

/// The marked tail of a capture that ended at `ended_at`, for one purpose: from the revocation to its end, however long that
/// is. A capture for two purposes has no tail for the one that nobody revoked.
#[must_use]
pub fn tail(
    purpose: ConsentPurpose,
    began_at: OffsetDateTime,
    stop: Stop,
    ended_at: OffsetDateTime,
) -> Option<Tail> {
    let from = stop.at.max(began_at);
    (stop.revoked.contains(purpose) && ended_at > from).then(|| Tail { from, length: ended_at - from })
}
