use super::*;
use crate::recording::capture::{Stop, StopReason};
use crate::recording::segment::{
    Chunks, Defect, File, MAX_CONCATENATIONS, Segment, SegmentEvent, Verdict, advance, verify,
};
use crate::recording::timeline::{GapReason, Pause, Previous, Recorded, entries, gap_reason};

/// A minute in chunks of 5 seconds.
fn chunks() -> Chunks {
    Chunks { first_at: NOW, last_at: NOW + seconds(55), last_length: seconds(5) }
}

fn file(shortest: i64, longest: i64) -> File {
    File { shortest_track: Duration::milliseconds(shortest), longest_track: Duration::milliseconds(longest) }
}

fn after(events: &[SegmentEvent]) -> Segment {
    events.iter().fold(Segment::new(), |segment, event| advance(segment, *event))
}

const SHORT: SegmentEvent = SegmentEvent::Verified(Verdict::Defective(Defect::Short, Duration::seconds(30)));

#[test]
fn a_file_is_complete_if_it_is_as_long_as_its_chunks_and_its_tracks_agree() {
    use Defect::{LastChunkMissing, Short, TracksApart};
    let found = |shortest, longest| verify(file(shortest, longest), chunks());
    assert_eq!(found(60_000, 60_000), Verdict::Complete);
    assert_eq!(found(59_000, 60_000), Verdict::Complete);
    assert_eq!(found(58_999, 60_000), Verdict::Defective(TracksApart, Duration::milliseconds(1001)));
    assert_eq!(found(56_000, 56_000), Verdict::Complete, "the last chunk is short by 4 s");
    let short = Chunks { last_length: Duration::milliseconds(300), ..chunks() };
    assert_eq!(verify(file(55_300, 55_300), short), Verdict::Complete, "its last chunk has 0.3 s");
    assert_eq!(found(55_400, 55_400), Verdict::Defective(LastChunkMissing, Duration::milliseconds(4600)));
    assert_eq!(found(49_999, 49_999), Verdict::Defective(Short, Duration::milliseconds(10_001)));
    let one = Chunks { last_at: NOW, ..chunks() };
    assert_eq!(verify(file(4_000, 4_000), one), Verdict::Complete);
    assert_eq!(verify(file(70_000, 70_000), chunks()), Verdict::Complete, "longer than its chunks");
}

#[test]
fn a_segment_is_ready_only_after_the_verification() {
    let concatenated = [SegmentEvent::Created(pipeline_id(1)), SegmentEvent::Ended(pipeline_id(1))];
    assert_eq!(after(&concatenated[..1]).status, SegmentStatus::Concatenating);
    assert_eq!(after(&concatenated).status, SegmentStatus::Verifying);
    let ready = advance(after(&concatenated), SegmentEvent::Verified(Verdict::Complete));
    assert_eq!((ready.status, ready.defect), (SegmentStatus::Ready, None));
    assert_eq!(advance(ready, SHORT), ready, "verified once");
    let early = after(&[SegmentEvent::Verified(Verdict::Complete)]);
    assert_eq!(early, Segment::new());
    let another = after(&[SegmentEvent::Created(pipeline_id(1)), SegmentEvent::Ended(pipeline_id(2))]);
    assert_eq!(another.status, SegmentStatus::Concatenating, "the end of another pipeline");
}

#[test]
fn a_short_file_is_concatenated_once_more_and_the_best_one_counts() {
    let first = after(&[SegmentEvent::Created(pipeline_id(1)), SegmentEvent::Ended(pipeline_id(1)), SHORT]);
    assert_eq!((first.status, first.concatenation), (SegmentStatus::Waiting, None));
    assert_eq!(first.defect, Some((Defect::Short, seconds(30))));
    let again = |event| {
        let events = [SegmentEvent::Created(pipeline_id(2)), SegmentEvent::Ended(pipeline_id(2)), event];
        events.into_iter().fold(first, advance)
    };
    let ready = again(SegmentEvent::Verified(Verdict::Complete));
    assert_eq!((ready.status, ready.defect), (SegmentStatus::Ready, None));
    let worse = again(SegmentEvent::NoFile { span: seconds(60) });
    assert_eq!((worse.status, worse.defect), (SegmentStatus::Incomplete, Some((Defect::Short, seconds(30)))));
    assert_eq!(worse.concatenations, MAX_CONCATENATIONS);
    let late = advance(again(SHORT), SegmentEvent::Created(pipeline_id(3)));
    assert_eq!(late.status, SegmentStatus::Incomplete, "final");
}

#[test]
fn a_segment_without_chunks_fails_and_one_that_is_given_up_keeps_them() {
    assert_eq!(after(&[SegmentEvent::NoChunks]).status, SegmentStatus::Failed);
    let never = SegmentEvent::GivenUp { span: seconds(60) };
    assert_eq!(after(&[never]).status, SegmentStatus::Incomplete, "the quota was full for a day");
    let lost = after(&[SegmentEvent::Created(pipeline_id(1)), never]);
    assert_eq!(lost.status, SegmentStatus::Waiting, "once more");
    let twice =
        after(&[SegmentEvent::Created(pipeline_id(1)), never, SegmentEvent::Created(pipeline_id(2)), never]);
    assert_eq!(
        (twice.status, twice.defect),
        (SegmentStatus::Incomplete, Some((Defect::NoFile, seconds(60))))
    );
}

#[test]
fn a_gap_has_the_reason_for_which_nothing_was_recorded() {
    let previous = |stop| Previous { requested_at: NOW, stop, revoked: false };
    let pause = |at, reason| Some(Pause { at: NOW + seconds(at), reason });
    for (stop, last_pause, expected) in [
        (StopReason::Paused, pause(9, PauseReason::Requested), GapReason::Paused),
        (StopReason::PurposesChanged, pause(9, PauseReason::Requested), GapReason::Paused),
        (StopReason::PurposesChanged, pause(9, PauseReason::ConsentMissing), GapReason::ConsentMissing),
        (StopReason::PurposesChanged, pause(-9, PauseReason::Requested), GapReason::CaptureChanged),
        (StopReason::ConsentRevoked, None, GapReason::CaptureChanged),
        (StopReason::EndedByChime, None, GapReason::CaptureFailed),
        (StopReason::PipelineFailed, None, GapReason::CaptureFailed),
    ] {
        assert_eq!(gap_reason(previous(stop), last_pause), expected, "{stop:?} {last_pause:?}");
    }
}

#[test]
fn the_timeline_keeps_gaps_and_leaves_out_tails() {
    let segment = |began: i64, ended: i64, stop, gap| Recorded {
        began_at: NOW + seconds(began),
        ended_at: NOW + seconds(ended),
        stop,
        gap,
    };
    let paused = Stop::new(NOW + seconds(60), StopReason::Paused);
    let revoked = Stop { at: NOW + seconds(160), reason: StopReason::ConsentRevoked, revoked: RECORDING };
    let played =
        entries(&[segment(0, 62, paused, None), segment(100, 166, revoked, Some(GapReason::Paused))]);
    assert_eq!(played[0].playable, seconds(62));
    assert_eq!((played[0].gap, played[0].tail), (None, None));
    assert_eq!(played[1].gap, Some((seconds(38), GapReason::Paused)));
    assert_eq!((played[1].started_at, played[1].playable), (NOW + seconds(100), seconds(60)));
    assert_eq!(played[1].tail.map(|tail| tail.length), Some(seconds(6)));
}
