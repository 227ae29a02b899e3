use super::*;
use crate::recording::capture::{PipelineReport, Stop, StopReason};
use crate::recording::control::{Refusal, Request};
use crate::recording::plan::{Decision, Failures, MAX_FAILURES, RecordingChange, Step, decide};
use crate::recording::timeline::GapReason;

fn at(snapshot: Snapshot, request: Option<Request>, after: i64) -> Decision {
    decide(snapshot, request, NOW + seconds(after)).expect("not refused")
}

/// What follows without a request.
fn follows(snapshot: Snapshot, after: i64) -> (Vec<RecordingChange>, Step) {
    let Decision { changes, step } = at(snapshot, None, after);
    (changes, step)
}

fn asked(snapshot: Snapshot, request: Request) -> (Vec<RecordingChange>, Step) {
    let Decision { changes, step } = at(snapshot, Some(request), 0);
    (changes, step)
}

fn stop(reason: StopReason) -> Step {
    Step::Stop { capture: capture_id(1), stop: Stop::new(NOW, reason) }
}

fn permissions(recording: Permission, transcription: Permission) -> Permissions {
    Permissions { recording, transcription }
}

fn opened(purposes: Purposes, gap: Option<GapReason>) -> Step {
    Step::Open { purposes, recording: purposes.recording.then(|| recording_id(1)), gap }
}

/// The snapshot after its capture has ended.
fn without_capture(mut snapshot: Snapshot, reason: StopReason) -> Snapshot {
    let open = snapshot.capture.as_mut().expect("a capture");
    capture::request_stop(open, Stop::new(NOW, reason));
    snapshot.report(PipelineReport::Gone(pipeline_id(1)), NOW).expect("it was open");
    assert_eq!(snapshot.capture, None);
    snapshot
}

#[test]
fn a_start_opens_a_capture_and_a_repeated_one_changes_nothing() {
    let begin = RecordingChange::Begin { id: recording_id(1), automatic: false };
    let start = Request::Start(recording_id(1));
    assert_eq!(asked(snapshot(), start), (vec![begin], opened(RECORDING, None)));
    assert_eq!(asked(recorded(), Request::Start(recording_id(2))), (vec![], Step::Keep));
}

#[test]
fn a_start_is_refused_without_everybody_s_consent_and_names_who_is_missing() {
    let start = |snapshot| decide(snapshot, Some(Request::Start(recording_id(1))), NOW);
    for missing in [Permission::Undecided(vec![user(2)]), Permission::Refused(vec![user(2)])] {
        let call = Snapshot { permissions: permissions(missing, Permission::Allowed), ..snapshot() };
        assert_eq!(start(call), Err(Refusal::ConsentRequired(vec![user(2)])));
    }
    let empty = Snapshot { permissions: permissions(Permission::Empty, Permission::Empty), ..snapshot() };
    assert_eq!(start(empty), Err(Refusal::ConsentRequired(vec![])));
    assert_eq!(start(Snapshot { call: Call::Over, ..snapshot() }), Err(Refusal::NoActiveCall));
}

#[test]
fn a_pause_stops_the_capture_and_a_resume_waits_until_it_has_ended() {
    let (changes, step) = asked(recorded(), Request::Pause(recording_id(1)));
    assert_eq!(changes, [RecordingChange::Pause(PauseReason::Requested)]);
    assert_eq!(step, stop(StopReason::Paused));
    let mut paused = recorded();
    paused.apply(changes[0], NOW);
    assert_eq!(
        decide(paused.clone(), Some(Request::Start(recording_id(2))), NOW),
        Err(Refusal::Paused(recording_id(1)))
    );
    capture::request_stop(paused.capture.as_mut().expect("one"), Stop::new(NOW, StopReason::Paused));
    assert_eq!(asked(paused.clone(), Request::Pause(recording_id(1))), (vec![], Step::Keep), "again");
    let resume = Request::Resume(recording_id(1));
    assert_eq!(asked(paused.clone(), resume), (vec![RecordingChange::Resume], Step::Keep), "not before");
    let ended = without_capture(paused, StopReason::Paused);
    let resumed = (vec![RecordingChange::Resume], opened(RECORDING, Some(GapReason::Paused)));
    assert_eq!(asked(ended, resume), resumed);
    for request in [Request::Pause(recording_id(2)), Request::Resume(recording_id(2))] {
        assert_eq!(decide(recorded(), Some(request), NOW), Err(Refusal::Ended), "another recording");
    }
}

#[test]
fn a_stop_ends_the_recording_and_a_new_one_waits_for_the_capture_of_the_old_one() {
    let (changes, step) = asked(recorded(), Request::Stop(recording_id(1)));
    assert_eq!(changes, [RecordingChange::End(EndReason::Requested)]);
    assert_eq!(step, stop(StopReason::Requested));
    let mut next = recorded();
    capture::request_stop(next.capture.as_mut().expect("one"), Stop::new(NOW, StopReason::Requested));
    next.recording = Some(OpenRecording::new(recording_id(2), NOW));
    assert_eq!(follows(next.clone(), 1), (vec![], Step::Keep));
    let of_the_old = next.capture.take();
    next.capture =
        of_the_old.map(|capture| Capture { status: CaptureStatus::Running, stop: None, ..capture });
    assert_eq!(follows(next, 0).1, stop(StopReason::PurposesChanged), "never one that began before it");
    assert_eq!(asked(snapshot(), Request::Stop(recording_id(1))), (vec![], Step::Keep));
}

#[test]
fn the_capture_is_replaced_when_its_purposes_change() {
    let text = Snapshot { capture: Some(running(TEXT)), transcribe: true, ..snapshot() };
    let begin = RecordingChange::Begin { id: recording_id(1), automatic: false };
    assert_eq!(
        asked(text, Request::Start(recording_id(1))),
        (vec![begin], stop(StopReason::PurposesChanged))
    );
    let both = Snapshot { capture: Some(running(BOTH)), transcribe: true, ..recorded() };
    assert_eq!(follows(both.clone(), 0), (vec![], Step::Keep));
    let paused = asked(both.clone(), Request::Pause(recording_id(1)));
    assert_eq!(paused.1, stop(StopReason::PurposesChanged), "the text goes on");
    let ended = without_capture(both, StopReason::PurposesChanged);
    assert_eq!(follows(ended, 0), (vec![], opened(BOTH, Some(GapReason::CaptureChanged))));
}

#[test]
fn a_capture_is_not_replaced_for_a_purpose_that_is_not_allowed() {
    for transcription in [Permission::Undecided(vec![user(2)]), Permission::Refused(vec![user(2)])] {
        let permissions = permissions(Permission::Allowed, transcription);
        let wanted = Snapshot { transcribe: true, permissions, ..recorded() };
        assert_eq!(follows(wanted, 0), (vec![], Step::Keep));
    }
    let empty = Snapshot {
        call: Call::Active { empty_since: Some(NOW) },
        permissions: permissions(Permission::Empty, Permission::Empty),
        transcribe: true,
        ..recorded()
    };
    assert_eq!(follows(empty, 0), (vec![], Step::Keep), "nobody is there to allow it");
}

#[test]
fn a_revocation_stops_the_capture_and_ends_the_recording_for_good() {
    let refused = || Permission::Refused(vec![user(2)]);
    let revoked = |at, revoked| Step::Stop {
        capture: capture_id(1),
        stop: Stop { at, reason: StopReason::ConsentRevoked, revoked },
    };
    let call = Snapshot { permissions: permissions(refused(), Permission::Allowed), ..recorded() };
    let end = RecordingChange::End(EndReason::ConsentRevoked);
    assert_eq!(follows(call, 0), (vec![end], revoked(NOW, RECORDING)));

    // The transcription is refused: the recording goes on with another capture.
    let both = Snapshot {
        capture: Some(running(BOTH)),
        transcribe: true,
        permissions: permissions(Permission::Allowed, refused()),
        ..recorded()
    };
    assert_eq!(follows(both.clone(), 0), (vec![], revoked(NOW, TEXT)));
    let ended = without_capture(both, StopReason::PurposesChanged);
    assert_eq!(follows(ended, 0), (vec![], opened(RECORDING, Some(GapReason::CaptureChanged))));

    // Granted again before the capture has stopped, or the participant was removed.
    let mut back = recorded();
    let stop = Stop { at: NOW, reason: StopReason::ConsentRevoked, revoked: RECORDING };
    capture::request_stop(back.capture.as_mut().expect("one"), stop);
    assert_eq!(follows(back, 1), (vec![end], Step::Keep));

    // While a capture is stopped for a pause: its tail is marked from here on.
    let mut pausing = recorded();
    pausing.apply(RecordingChange::Pause(PauseReason::Requested), NOW);
    capture::request_stop(pausing.capture.as_mut().expect("one"), Stop::new(NOW, StopReason::Paused));
    pausing.permissions.recording = refused();
    assert_eq!(follows(pausing, 20), (vec![end], revoked(NOW + seconds(20), RECORDING)));
}

#[test]
fn a_recording_whose_next_capture_lacks_a_consent_is_paused() {
    let mut between = without_capture(recorded(), StopReason::PurposesChanged);
    between.permissions.recording = Permission::Undecided(vec![user(3)]);
    let paused = RecordingChange::Pause(PauseReason::ConsentMissing);
    assert_eq!(follows(between.clone(), 0), (vec![paused], Step::Keep));
    between.apply(paused, NOW);
    between.permissions.recording = Permission::Allowed;
    assert_eq!(follows(between.clone(), 0), (vec![], Step::Keep), "by hand");
    let resumed = asked(between, Request::Resume(recording_id(1)));
    assert_eq!(resumed.1, opened(RECORDING, Some(GapReason::ConsentMissing)));
}

#[test]
fn a_recording_that_was_wanted_starts_by_itself_once() {
    let wanted = Snapshot { automatic: Some(recording_id(1)), ..snapshot() };
    let begin = RecordingChange::Begin { id: recording_id(1), automatic: true };
    assert_eq!(follows(wanted.clone(), 0), (vec![begin], opened(RECORDING, None)));
    for waits in [
        Snapshot { call: Call::Over, ..wanted.clone() },
        Snapshot { permissions: permissions(Permission::Empty, Permission::Empty), ..wanted.clone() },
        Snapshot {
            permissions: permissions(Permission::Undecided(vec![user(2)]), Permission::Allowed),
            ..wanted.clone()
        },
    ] {
        assert_eq!(follows(waits, 0), (vec![], Step::Keep));
    }
    let mut later = wanted;
    later.apply(begin, NOW);
    later.apply(RecordingChange::End(EndReason::ConsentRevoked), NOW);
    assert_eq!(follows(later, 0), (vec![], Step::Keep));
}

#[test]
fn the_end_of_the_call_ends_recording_and_capture() {
    let over = Snapshot { call: Call::Over, ..recorded() };
    let end = RecordingChange::End(EndReason::CallEnded);
    assert_eq!(follows(over.clone(), 0), (vec![end], stop(StopReason::CallEnded)));
    let mut gone = over;
    let advanced = gone.report(PipelineReport::Gone(pipeline_id(1)), NOW).expect("it was open");
    assert_eq!(advanced.capture.status, CaptureStatus::Stopped, "the meeting ended, and its capture with it");
    assert_eq!(follows(gone, 0), (vec![end], Step::Keep));
}

#[test]
fn only_the_recorder_is_left_for_two_minutes() {
    let empty = Snapshot {
        call: Call::Active { empty_since: Some(NOW) },
        permissions: permissions(Permission::Empty, Permission::Empty),
        ..recorded()
    };
    assert_eq!(follows(empty.clone(), 119), (vec![], Step::Keep), "somebody may come back");
    let end = RecordingChange::End(EndReason::EveryoneLeft);
    let stop = Stop::new(NOW + seconds(120), StopReason::EveryoneLeft);
    assert_eq!(follows(empty.clone(), 120), (vec![end], Step::Stop { capture: capture_id(1), stop }));
    let nothing = Snapshot { capture: None, ..empty };
    assert_eq!(follows(nothing, 10), (vec![], Step::Keep), "and nothing is opened for nobody");
}

#[test]
fn captures_that_fail_are_replaced_after_a_pause_until_the_recording_is_given_up() {
    let failed =
        |count| Snapshot { capture: None, failures: Some(Failures { count, last_at: NOW }), ..recorded() };
    assert_eq!(follows(failed(1), 0), (vec![], Step::WaitUntil(NOW + seconds(2))));
    assert_eq!(follows(failed(1), 2), (vec![], opened(RECORDING, None)));
    assert_eq!(follows(failed(2), 14), (vec![], Step::WaitUntil(NOW + seconds(15))));
    let end = RecordingChange::End(EndReason::CaptureFailed);
    assert_eq!(follows(failed(MAX_FAILURES), 60), (vec![end], Step::Keep));
    let text = Snapshot { recording: None, transcribe: true, ..failed(MAX_FAILURES) };
    assert_eq!(follows(text, 60), (vec![], Step::Keep));

    let mut counted = recorded();
    counted.report(PipelineReport::Gone(pipeline_id(1)), NOW + seconds(59)).expect("it was open");
    assert_eq!(counted.failures.map(|failures| failures.count), Some(1));
    counted.capture = Some(running(RECORDING));
    counted.report(PipelineReport::Gone(pipeline_id(1)), NOW + seconds(59)).expect("it was open");
    assert_eq!(counted.failures.map(|failures| failures.count), Some(2));
    counted.capture = Some(running(RECORDING));
    counted.report(PipelineReport::Gone(pipeline_id(1)), NOW + seconds(60)).expect("it was open");
    assert_eq!(counted.failures.map(|failures| failures.count), Some(1), "it ran for a minute");
    assert_eq!(follows(counted, 70).1, opened(RECORDING, Some(GapReason::CaptureFailed)));
}

#[test]
fn an_overdue_capture_is_looked_up_or_stopped() {
    let with = |status, pipeline| {
        let capture = Capture { status, pipeline, began_at: None, ..running(RECORDING) };
        Snapshot { capture: Some(capture), ..recorded() }
    };
    let ask = |pipeline, alarm| Step::Ask { capture: capture_id(1), pipeline, alarm };
    let late = |at| Step::Stop {
        capture: capture_id(1),
        stop: Stop::new(NOW + seconds(at), StopReason::NeverStarted),
    };
    let known = Some(pipeline_id(1));
    assert_eq!(follows(with(CaptureStatus::Requested, None), 89).1, Step::Keep);
    assert_eq!(follows(with(CaptureStatus::Requested, None), 90).1, late(90));
    assert_eq!(follows(with(CaptureStatus::Starting, known), 29).1, Step::Keep);
    assert_eq!(follows(with(CaptureStatus::Starting, known), 30).1, ask(known, false));
    assert_eq!(follows(with(CaptureStatus::Starting, known), 120).1, late(120));
    assert_eq!(follows(with(CaptureStatus::Running, known), 300).1, ask(known, false));
    let mut stopping = with(CaptureStatus::Requested, None);
    let capture = stopping.capture.as_mut().expect("one");
    capture::request_stop(capture, Stop::new(NOW, StopReason::PurposesChanged));
    assert_eq!(follows(stopping.clone(), 15).1, ask(None, false), "all pipelines are listed");
    assert_eq!(follows(stopping, 60).1, ask(None, true), "it is stuck");
}

#[test]
fn a_recording_that_outlasts_every_call_ends() {
    let day = Duration::hours(24) + Duration::minutes(2);
    let ends = |snapshot: Snapshot, after| {
        decide(snapshot, None, NOW + after).expect("no request is refused").changes
    };
    let paused = || {
        let mut snapshot = recorded();
        snapshot.apply(RecordingChange::Pause(PauseReason::Requested), NOW);
        snapshot
    };
    for snapshot in [recorded, paused] {
        assert_eq!(ends(snapshot(), day - seconds(1)), []);
        assert_eq!(ends(snapshot(), day), [RecordingChange::End(EndReason::CallEnded)]);
    }
}
