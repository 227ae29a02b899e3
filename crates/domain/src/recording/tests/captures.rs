use super::*;
use crate::consent::ConsentPurpose;
use crate::recording::capture::{Advanced, PipelineReport, Stop, StopReason, advance, request_stop, tail};

fn requested() -> Capture {
    Capture { status: CaptureStatus::Requested, pipeline: None, began_at: None, ..running(RECORDING) }
}

fn stopping(reason: StopReason) -> Capture {
    let mut capture = running(RECORDING);
    request_stop(&mut capture, Stop::new(NOW, reason));
    capture
}

fn revocation(at: OffsetDateTime) -> Stop {
    Stop { at, reason: StopReason::ConsentRevoked, revoked: RECORDING }
}

#[test]
fn a_capture_goes_from_request_to_stop() {
    let created = advance(requested(), PipelineReport::Created(pipeline_id(1)), NOW).capture;
    assert_eq!((created.status, created.pipeline), (CaptureStatus::Starting, Some(pipeline_id(1))));
    let runs = advance(created, PipelineReport::InProgress(pipeline_id(1)), NOW).capture;
    assert_eq!((runs.status, runs.began_at), (CaptureStatus::Running, Some(NOW)));
    let mut stops = runs;
    request_stop(&mut stops, Stop::new(NOW, StopReason::Paused));
    assert_eq!(stops.status, CaptureStatus::Stopping);
    let gone = advance(stops, PipelineReport::Gone(pipeline_id(1)), NOW).capture;
    assert_eq!(gone.status, CaptureStatus::Stopped);
    assert_eq!(advance(gone, PipelineReport::Gone(pipeline_id(1)), NOW).capture, gone, "once");
}

#[test]
fn an_event_that_comes_before_the_answer_to_the_creation_is_not_undone_by_it() {
    let runs = advance(requested(), PipelineReport::InProgress(pipeline_id(1)), NOW).capture;
    assert_eq!(runs.status, CaptureStatus::Running);
    assert_eq!(advance(runs, PipelineReport::Created(pipeline_id(1)), NOW).capture, runs);
}

#[test]
fn a_start_that_finds_its_capture_stopped_deletes_its_pipeline() {
    let mut capture = requested();
    request_stop(&mut capture, revocation(NOW));
    let created = advance(capture, PipelineReport::Created(pipeline_id(1)), NOW);
    assert_eq!(created.delete, Some(pipeline_id(1)));
    assert_eq!(created.capture.status, CaptureStatus::Stopping);
    for status in [CaptureStatus::Stopped, CaptureStatus::Failed] {
        let final_ = Capture { status, ..running(RECORDING) };
        for report in [PipelineReport::Created(pipeline_id(2)), PipelineReport::InProgress(pipeline_id(2))] {
            assert_eq!(
                advance(final_, report, NOW),
                Advanced { capture: final_, delete: Some(pipeline_id(2)) },
                "{report:?}"
            );
        }
    }
    let second = advance(running(RECORDING), PipelineReport::Created(pipeline_id(2)), NOW);
    assert_eq!(second, Advanced { capture: running(RECORDING), delete: Some(pipeline_id(2)) });
}

/// The answer to the creation was lost, and the schedule finds the pipeline by its sink when it has stopped.
#[test]
fn a_pipeline_that_is_gone_ends_a_capture_that_does_not_know_its_id() {
    let mut stops = requested();
    request_stop(&mut stops, Stop::new(NOW, StopReason::CallEnded));
    for before in [requested(), stops] {
        let after = advance(before, PipelineReport::Gone(pipeline_id(1)), NOW + seconds(5)).capture;
        assert_eq!((after.status.is_open(), after.pipeline), (false, Some(pipeline_id(1))));
    }
}

#[test]
fn a_capture_without_a_known_pipeline_ends_only_when_no_creation_can_be_in_flight() {
    let mut capture = requested();
    request_stop(&mut capture, Stop::new(NOW, StopReason::Requested));
    let listed = |at: i64| advance(capture, PipelineReport::NotListed, NOW + seconds(at)).capture.status;
    assert_eq!(listed(30), CaptureStatus::Stopping);
    assert_eq!(listed(31), CaptureStatus::Stopped);
    let untouched = advance(requested(), PipelineReport::NotListed, NOW + seconds(31)).capture;
    assert_eq!(untouched.status, CaptureStatus::Requested, "its operation is still retried");
}

#[test]
fn a_failure_is_a_stop_and_then_a_failed_capture() {
    let failed = advance(running(RECORDING), PipelineReport::Failed(pipeline_id(1)), NOW);
    assert_eq!((failed.capture.status, failed.delete), (CaptureStatus::Stopping, Some(pipeline_id(1))));
    let gone = advance(failed.capture, PipelineReport::Gone(pipeline_id(1)), NOW).capture;
    assert_eq!(gone.status, CaptureStatus::Failed);
    let unknown = advance(requested(), PipelineReport::Failed(pipeline_id(1)), NOW);
    assert_eq!((unknown.capture.status, unknown.delete), (CaptureStatus::Stopping, Some(pipeline_id(1))));
    let lost = advance(running(RECORDING), PipelineReport::Gone(pipeline_id(1)), NOW).capture;
    assert_eq!(
        (lost.status, lost.stop),
        (CaptureStatus::Failed, Some(Stop::new(NOW, StopReason::EndedByChime)))
    );
    for (capacity, reason) in [(true, StopReason::Capacity), (false, StopReason::Refused)] {
        let refused = advance(requested(), PipelineReport::Refused { capacity }, NOW).capture;
        assert_eq!((refused.status, refused.stop), (CaptureStatus::Failed, Some(Stop::new(NOW, reason))));
    }
    let other = advance(running(RECORDING), PipelineReport::Gone(pipeline_id(2)), NOW).capture;
    assert_eq!(other, running(RECORDING), "another pipeline's end");
}

#[test]
fn a_revocation_replaces_another_reason_to_stop_and_no_other_replaces_it() {
    let mut capture = stopping(StopReason::Paused);
    request_stop(&mut capture, revocation(NOW + seconds(1)));
    assert_eq!(capture.stop, Some(revocation(NOW + seconds(1))));
    for reason in [StopReason::CallEnded, StopReason::NeverStarted] {
        request_stop(&mut capture, Stop::new(NOW + seconds(2), reason));
    }
    request_stop(
        &mut capture,
        Stop { at: NOW + seconds(3), reason: StopReason::ConsentRevoked, revoked: TEXT },
    );
    let stop = capture.stop.expect("a stop");
    assert_eq!((stop.at, stop.revoked), (NOW + seconds(1), BOTH));
}

#[test]
fn the_tail_is_all_that_was_captured_after_a_revocation() {
    let (began, ended) = (NOW, NOW + seconds(66));
    let of = |stop| tail(ConsentPurpose::Recording, began, stop, ended);
    let marked = of(revocation(NOW + seconds(60))).expect("a tail");
    assert_eq!((marked.from, marked.length), (NOW + seconds(60), seconds(6)));
    assert!(!marked.exceeds_limit());
    let long = of(revocation(NOW + seconds(55))).expect("a tail");
    assert_eq!((long.length, long.exceeds_limit()), (seconds(11), true));
    let late = of(revocation(NOW - seconds(1))).expect("a tail");
    assert_eq!((late.from, late.length), (began, seconds(66)), "it began after the revocation");
    assert_eq!(of(Stop::new(NOW + seconds(60), StopReason::Paused)), None);
    assert_eq!(of(Stop { revoked: TEXT, ..revocation(NOW + seconds(60)) }), None, "another purpose");
}
