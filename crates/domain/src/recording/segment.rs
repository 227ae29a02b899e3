//! A segment: the file that Chime concatenates from the chunks of one capture (`recording_segments`).
//!
//! The row is inserted when the capture runs, with the concatenation as a pending operation, so that nothing depends on the
//! stop being handled: Chime waits for the capture to end
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-architecture.html>). The chunks stay until the file is verified.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::id::PipelineId;

/// Concatenations of a segment: users report files that are cut off or never come, and a second one was complete.
pub const MAX_CONCATENATIONS: u32 = 2;

/// A file may be this much shorter than its chunks.
pub const MAX_SHORTFALL: Duration = Duration::seconds(10);

/// Tracks of a file may differ by this much.
pub const MAX_TRACK_DIFFERENCE: Duration = Duration::seconds(1);

/// The times in the names of chunks are rounded; a file that ends this close to the beginning of the last chunk lacks it, unless that
/// chunk is about as short itself.
const CHUNK_ROUNDING: Duration = Duration::milliseconds(500);

/// The status of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SegmentStatus {
    /// Its concatenation is to be created: a capture takes precedence, and the quota may be full.
    Waiting,
    /// Chime concatenates, or waits for the capture to end.
    Concatenating,
    /// The file is compared with the chunks, then copied, and its chunks are deleted.
    Verifying,
    /// Complete.
    Ready,
    /// A part is missing or could not be verified; the chunks are kept. Final.
    Incomplete,
    /// There is nothing to play. Final.
    Failed,
    /// Its files were deleted. Final.
    Deleted,
}

impl SegmentStatus {
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Concatenating,
        Self::Verifying,
        Self::Ready,
        Self::Incomplete,
        Self::Failed,
        Self::Deleted,
    ];

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Concatenating => "concatenating",
            Self::Verifying => "verifying",
            Self::Ready => "ready",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }
}

/// Why a segment is incomplete or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// The file is shorter than the chunks.
    Short,
    LastChunkMissing,
    TracksApart,
    /// The file cannot be read as MP4 within the limits of the verification.
    Unverifiable,
    /// There is no file.
    NoFile,
    /// Chime wrote no chunks.
    NoChunks,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub status: SegmentStatus,
    /// The current concatenation pipeline.
    pub concatenation: Option<PipelineId>,
    /// Concatenations that were created.
    pub concatenations: u32,
    /// The defect of the best file so far, and how much of it is missing.
    pub defect: Option<(Defect, Duration)>,
}

impl Segment {
    /// The segment of a capture that runs now.
    #[must_use]
    pub const fn new() -> Self {
        Self { status: SegmentStatus::Waiting, concatenation: None, concatenations: 0, defect: None }
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self::new()
    }
}

/// The chunks of a capture, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    pub first_at: OffsetDateTime,
    pub last_at: OffsetDateTime,
    /// The duration of the last chunk.
    pub last_length: Duration,
}

impl Chunks {
    /// From the beginning of the first chunk to the end of the last.
    #[must_use]
    pub fn span(self) -> Duration {
        self.last_at - self.first_at + self.last_length
    }
}

/// The tracks of a concatenated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    pub shortest_track: Duration,
    pub longest_track: Duration,
}

/// The result of the verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Complete,
    Defective(Defect, Duration),
}

/// Compares a file with the chunks that it was made of.
#[must_use]
pub fn verify(file: File, chunks: Chunks) -> Verdict {
    let missing = (chunks.span() - file.longest_track).max(Duration::ZERO);
    let until_last = chunks.last_at - chunks.first_at;
    if missing > MAX_SHORTFALL {
        Verdict::Defective(Defect::Short, missing)
    } else if !until_last.is_zero()
        && file.longest_track <= until_last + CHUNK_ROUNDING.min(chunks.last_length / 2)
    {
        Verdict::Defective(Defect::LastChunkMissing, missing)
    } else if file.longest_track - file.shortest_track > MAX_TRACK_DIFFERENCE {
        Verdict::Defective(Defect::TracksApart, file.longest_track - file.shortest_track)
    } else {
        Verdict::Complete
    }
}

/// An event in the life of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentEvent {
    /// Its concatenation was created.
    Created(PipelineId),
    /// The concatenation has ended, by an event or by `GetMediaPipeline`: a file may be there.
    Ended(PipelineId),
    /// The concatenation failed.
    Failed(PipelineId),
    /// The file was compared with the chunks, and copied with its checksum.
    Verified(Verdict),
    /// The concatenation has ended and there is no file. `span`: of the chunks.
    NoFile { span: Duration },
    /// The capture has ended and wrote no chunks.
    NoChunks,
    /// A deadline says to give up. `span`: of the chunks, as far as it is known.
    GivenUp { span: Duration },
    /// Its files were deleted, versions too.
    Deleted,
}

/// Applies an event. One that was received before, belongs to an earlier concatenation, or comes after the end, changes nothing.
#[must_use]
pub fn advance(mut segment: Segment, event: SegmentEvent) -> Segment {
    use SegmentStatus::{Concatenating, Deleted, Failed, Incomplete, Ready, Verifying, Waiting};
    let current = |id: PipelineId| segment.concatenation == Some(id);
    match (segment.status, event) {
        (_, SegmentEvent::Deleted) => segment.status = Deleted,
        (Waiting, SegmentEvent::Created(id)) => {
            segment.status = Concatenating;
            segment.concatenation = Some(id);
            segment.concatenations += 1;
        }
        (Concatenating, SegmentEvent::Ended(id) | SegmentEvent::Failed(id)) if current(id) => {
            segment.status = Verifying;
        }
        (Verifying, SegmentEvent::Verified(Verdict::Complete)) => {
            segment.status = Ready;
            segment.defect = None;
        }
        (Verifying, SegmentEvent::Verified(Verdict::Defective(defect, missing))) => {
            retry(&mut segment, defect, missing);
        }
        (Waiting | Concatenating | Verifying, SegmentEvent::NoChunks) => {
            segment.status = Failed;
            segment.defect = Some((Defect::NoChunks, Duration::ZERO));
        }
        (Waiting, SegmentEvent::GivenUp { span }) => {
            // The chunks are there, so nothing is lost: an operator can concatenate them.
            keep_best(&mut segment, Defect::NoFile, span);
            segment.status = Incomplete;
        }
        (Verifying, SegmentEvent::NoFile { span }) | (Concatenating, SegmentEvent::GivenUp { span }) => {
            retry(&mut segment, Defect::NoFile, span);
        }
        (Verifying, SegmentEvent::GivenUp { span }) => {
            keep_best(&mut segment, Defect::Unverifiable, span);
            segment.status = Incomplete;
        }
        (
            Waiting | Concatenating | Verifying | Ready | Incomplete | Failed | Deleted,
            SegmentEvent::Created(_)
            | SegmentEvent::Ended(_)
            | SegmentEvent::Failed(_)
            | SegmentEvent::Verified(_)
            | SegmentEvent::NoFile { .. }
            | SegmentEvent::NoChunks
            | SegmentEvent::GivenUp { .. },
        ) => {}
    }
    segment
}

/// Another concatenation, or `incomplete` if that was the last.
fn retry(segment: &mut Segment, defect: Defect, missing: Duration) {
    keep_best(segment, defect, missing);
    let again = segment.concatenations < MAX_CONCATENATIONS;
    segment.status = if again { SegmentStatus::Waiting } else { SegmentStatus::Incomplete };
    segment.concatenation = segment.concatenation.filter(|_| !again);
}

fn keep_best(segment: &mut Segment, defect: Defect, missing: Duration) {
    if segment.defect.is_none_or(|(_, best)| missing < best) {
        segment.defect = Some((defect, missing));
    }
}
