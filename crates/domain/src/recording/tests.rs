mod captures;
mod plans;
mod random;
mod segments;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::*;
use crate::id::{CaptureId, PipelineId, UserId};
use crate::recording::capture::{Capture, CaptureStatus, Purposes};
use crate::recording::permission::{Permission, Permissions};
use crate::recording::plan::{Call, Snapshot};

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

const NONE: Purposes = Purposes { recording: false, transcription: false };
const RECORDING: Purposes = Purposes { recording: true, transcription: false };
const TEXT: Purposes = Purposes { recording: false, transcription: true };
const BOTH: Purposes = Purposes { recording: true, transcription: true };

fn uuid(kind: u8, n: u32) -> String {
    Uuid::from_u128(u128::from(kind) << 64 | u128::from(n)).hyphenated().to_string()
}

fn capture_id(n: u32) -> CaptureId {
    uuid(1, n).parse().expect("a UUID")
}

fn recording_id(n: u32) -> RecordingId {
    uuid(2, n).parse().expect("a UUID")
}

fn pipeline_id(n: u32) -> PipelineId {
    uuid(3, n).parse().expect("a UUID")
}

fn user(n: u32) -> UserId {
    uuid(4, n).parse().expect("a UUID")
}

fn seconds(seconds: i64) -> Duration {
    Duration::seconds(seconds)
}

/// A call with people in it who allow everything, and nothing captured.
fn snapshot() -> Snapshot {
    Snapshot {
        call: Call::Active { empty_since: None },
        permissions: Permissions { recording: Permission::Allowed, transcription: Permission::Allowed },
        recording: None,
        automatic: None,
        transcribe: false,
        capture: None,
        failures: None,
    }
}

/// A capture with pipeline 1, which runs since `NOW`.
fn running(purposes: Purposes) -> Capture {
    Capture {
        id: capture_id(1),
        purposes,
        recording: purposes.recording.then(|| recording_id(1)),
        status: CaptureStatus::Running,
        pipeline: Some(pipeline_id(1)),
        requested_at: NOW,
        confirmed_at: NOW,
        began_at: Some(NOW),
        stop: None,
    }
}

/// A call that is recorded.
fn recorded() -> Snapshot {
    Snapshot {
        recording: Some(OpenRecording::new(recording_id(1), NOW)),
        capture: Some(running(RECORDING)),
        ..snapshot()
    }
}

#[test]
fn the_state_of_a_recording_follows_from_its_segments() {
    use SegmentStatus::{Concatenating, Deleted, Failed, Incomplete, Ready, Verifying, Waiting};
    let ended = |segments: &[SegmentStatus]| state(Intent::Ended, false, segments);
    for (segments, expected) in [
        (&[][..], RecordingState::Failed),
        (&[Ready], RecordingState::Ready),
        (&[Ready, Ready], RecordingState::Ready),
        (&[Ready, Waiting], RecordingState::Processing),
        (&[Incomplete, Concatenating], RecordingState::Processing),
        (&[Verifying], RecordingState::Processing),
        (&[Ready, Incomplete], RecordingState::Incomplete),
        (&[Ready, Failed], RecordingState::Incomplete),
        (&[Failed, Failed], RecordingState::Failed),
    ] {
        assert_eq!(ended(segments), expected, "{segments:?}");
    }
    assert_eq!(state(Intent::Recording, false, &[Ready]), RecordingState::Recording);
    assert_eq!(state(Intent::Paused, false, &[Ready]), RecordingState::Paused);
    assert_eq!(state(Intent::Ended, true, &[Ready, Deleted]), RecordingState::Deleting);
    assert_eq!(state(Intent::Ended, true, &[Deleted, Deleted]), RecordingState::Deleted);
    assert_eq!(state(Intent::Ended, true, &[]), RecordingState::Deleted);
}

#[test]
fn every_state_that_is_not_final_has_a_deadline_and_no_final_one_has() {
    for status in CaptureStatus::ALL {
        assert_eq!(deadline::of_capture(status).is_empty(), !status.is_open(), "{status:?}");
    }
    for status in SegmentStatus::ALL {
        let final_ = match status {
            SegmentStatus::Waiting | SegmentStatus::Concatenating | SegmentStatus::Verifying => false,
            SegmentStatus::Ready
            | SegmentStatus::Incomplete
            | SegmentStatus::Failed
            | SegmentStatus::Deleted => true,
        };
        assert_eq!(deadline::of_segment(status).is_empty(), final_, "{status:?}");
    }
    for (state, unfinished) in [
        (RecordingState::Recording, true),
        (RecordingState::Paused, true),
        (RecordingState::Processing, true),
        (RecordingState::Deleting, true),
        (RecordingState::Ready, false),
        (RecordingState::Incomplete, false),
        (RecordingState::Failed, false),
        (RecordingState::Deleted, false),
    ] {
        assert_eq!(!deadline::of_recording(state).is_empty(), unfinished, "{state:?}");
    }
    for deadlines in CaptureStatus::ALL.map(deadline::of_capture) {
        assert!(deadlines.is_sorted_by_key(|deadline| deadline.after), "{deadlines:?}");
    }
}

#[test]
fn states_are_spelled_alike_in_the_database_and_on_the_wire() {
    for status in CaptureStatus::ALL {
        assert_eq!(serde_json::to_value(status).ok(), Some(status.as_str().into()));
    }
    for status in SegmentStatus::ALL {
        assert_eq!(serde_json::to_value(status).ok(), Some(status.as_str().into()));
    }
}
