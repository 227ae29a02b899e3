//! Random calls: people come, go, consent and revoke, the provider records, Chime is slow, fails, and loses events.
//!
//! The world plays the database, which hands out tokens and applies decisions under a lock, and Chime, which captures between
//! `InProgress` and `Gone`. What was really captured and who had really consented is kept second by second.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::consent::ConsentPurpose;
use crate::operation::LEASE;
use crate::recording::capture::{self, PipelineReport, Stop};
use crate::recording::control::Request;
use crate::recording::deadline;
use crate::recording::plan::{Decision, RecordingChange, Step, decide};

const PEOPLE: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Somebody comes, if the gate lets them, or goes.
    Come(usize),
    Go(usize),
    Consent {
        who: usize,
        transcription: bool,
        granted: bool,
    },
    Start,
    Stop,
    Pause,
    Resume,
    Transcribe(bool),
    /// The pipeline makes progress; the event may be lost.
    Chime {
        lost: bool,
        fails: bool,
    },
    /// The schedule a minute later.
    Schedule,
    Pass(i64),
    EndCall,
}

#[derive(Clone, Copy, Debug, Default)]
struct Person {
    present: bool,
    token: bool,
    /// Recording, transcription.
    decisions: [Option<bool>; 2],
}

/// A pipeline as Chime has it.
#[derive(Clone, Copy, Debug)]
struct Pipeline {
    id: PipelineId,
    captures: bool,
    deleting: bool,
    failed: bool,
}

struct World {
    now: OffsetDateTime,
    people: [Person; PEOPLE],
    over: bool,
    empty_since: Option<OffsetDateTime>,
    wanted: bool,
    begun: u32,
    automatic_starts: u32,
    captures: u32,
    snapshot: Snapshot,
    pipeline: Option<Pipeline>,
    /// The creation of this capture's pipeline may still reach Chime until then.
    in_flight: Option<(CaptureId, OffsetDateTime)>,
    /// The seconds in which Chime captured, for the open capture, with whether everybody had consented.
    seconds: Vec<(OffsetDateTime, [bool; 2])>,
    recordings_begun_at: Vec<(RecordingId, OffsetDateTime)>,
}

impl World {
    fn new(wanted: bool) -> Self {
        let mut world = Self {
            now: NOW,
            people: [Person::default(); PEOPLE],
            over: false,
            empty_since: Some(NOW),
            wanted,
            begun: 0,
            automatic_starts: 0,
            captures: 0,
            snapshot: snapshot(),
            pipeline: None,
            in_flight: None,
            seconds: Vec::new(),
            recordings_begun_at: Vec::new(),
        };
        world.read();
        world
    }

    fn permission(&self, purpose: usize) -> Permission {
        if !self.people.iter().any(|person| person.present) {
            return Permission::Empty;
        }
        let missing: Vec<_> = (0..PEOPLE)
            .filter(|who| self.people[*who].token && self.people[*who].decisions[purpose] != Some(true))
            .collect();
        let users = missing.iter().map(|who| user(u32::try_from(*who).expect("few"))).collect();
        if missing.is_empty() {
            Permission::Allowed
        } else if missing.iter().any(|who| self.people[*who].decisions[purpose] == Some(false)) {
            Permission::Refused(users)
        } else {
            Permission::Undecided(users)
        }
    }

    /// Reads the snapshot, as the statement does.
    fn read(&mut self) {
        let call = if self.over { Call::Over } else { Call::Active { empty_since: self.empty_since } };
        self.snapshot.call = call;
        self.snapshot.permissions =
            Permissions { recording: self.permission(0), transcription: self.permission(1) };
        self.snapshot.automatic = (self.wanted && self.begun == 0).then(|| recording_id(0));
    }

    /// One statement: decides and applies under the lock.
    fn decide(&mut self, request: Option<Request>) {
        self.read();
        let Ok(Decision { changes, step }) = decide(self.snapshot.clone(), request, self.now) else {
            return;
        };
        for change in changes {
            if let RecordingChange::Begin { id, automatic } = change {
                assert_eq!(self.permission(0), Permission::Allowed);
                assert!(!automatic || self.begun == 0, "it started by itself, although it had begun before");
                self.automatic_starts += u32::from(automatic);
                self.begun += 1;
                self.recordings_begun_at.push((id, self.now));
            }
            self.snapshot.apply(change, self.now);
        }
        match step {
            Step::Keep | Step::WaitUntil(_) => {}
            Step::Open { purposes, recording, .. } => self.open(purposes, recording),
            Step::Stop { capture, stop } => self.stop(capture, stop),
            Step::Ask { .. } => self.ask(),
        }
    }

    fn open(&mut self, purposes: Purposes, recording: Option<RecordingId>) {
        assert_eq!(self.snapshot.capture, None, "two open captures");
        assert_eq!(purposes.recording, recording.is_some());
        for (index, purpose) in [purposes.recording, purposes.transcription].into_iter().enumerate() {
            assert!(!purpose || self.permission(index) == Permission::Allowed, "opened without consent");
        }
        self.captures += 1;
        self.in_flight = Some((capture_id(self.captures), self.now + LEASE));
        self.snapshot.capture = Some(Capture {
            id: capture_id(self.captures),
            purposes,
            recording,
            status: CaptureStatus::Requested,
            pipeline: None,
            requested_at: self.now,
            confirmed_at: self.now,
            began_at: None,
            stop: None,
        });
    }

    fn stop(&mut self, id: CaptureId, stop: Stop) {
        let open = self.snapshot.capture.as_mut().expect("a capture is open");
        assert_eq!(open.id, id);
        capture::request_stop(open, stop);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.deleting = true;
        }
    }

    /// `GetMediaCapturePipeline`, or `ListMediaPipelines`.
    fn ask(&mut self) {
        let known = self.snapshot.capture.and_then(|open| open.pipeline);
        let report = match (self.pipeline, known) {
            (None, None) => PipelineReport::NotListed,
            (None, Some(id)) => PipelineReport::Gone(id),
            (Some(Pipeline { failed: true, id, .. }), _) => PipelineReport::Failed(id),
            (Some(Pipeline { captures: true, id, .. }), _) => PipelineReport::InProgress(id),
            (Some(Pipeline { id, .. }), _) => PipelineReport::Created(id),
        };
        self.report(report);
    }

    /// Chime makes progress by one step.
    fn chime(&mut self, lost: bool, fails: bool) {
        let requested = self.snapshot.capture.filter(|open| open.status == CaptureStatus::Requested);
        if let Some((id, until)) = self.in_flight
            && self.now > until
        {
            // The schedule repeats a creation of which it is not known whether it had an effect.
            self.in_flight = requested.map(|_| (id, self.now + LEASE));
        }
        let report = match &mut self.pipeline {
            None => {
                let Some((of, _)) = self.in_flight.take() else { return };
                assert_eq!(
                    self.snapshot.capture.map(|open| open.id),
                    Some(of),
                    "a pipeline without a capture"
                );
                let id = pipeline_id(self.captures);
                if fails {
                    PipelineReport::Refused { capacity: lost }
                } else {
                    self.pipeline = Some(Pipeline { id, captures: false, deleting: false, failed: false });
                    PipelineReport::Created(id)
                }
            }
            Some(pipeline) if pipeline.deleting => {
                let id = pipeline.id;
                self.pipeline = None;
                PipelineReport::Gone(id)
            }
            Some(pipeline) if fails => {
                (pipeline.failed, pipeline.captures) = (true, false);
                PipelineReport::Failed(pipeline.id)
            }
            Some(pipeline) => {
                pipeline.captures = !pipeline.failed;
                if pipeline.failed {
                    PipelineReport::Failed(pipeline.id)
                } else {
                    PipelineReport::InProgress(pipeline.id)
                }
            }
        };
        if !lost || matches!(report, PipelineReport::Refused { .. }) {
            self.report(report);
        }
    }

    fn report(&mut self, report: PipelineReport) {
        self.read();
        let Some(advanced) = self.snapshot.report(report, self.now) else { return };
        if let (Some(delete), Some(pipeline)) = (advanced.delete, &mut self.pipeline)
            && pipeline.id == delete
        {
            pipeline.deleting = true;
        }
        if !advanced.capture.status.is_open() {
            self.check(&advanced.capture);
        }
    }

    /// Compares an ended capture with what Chime captured.
    fn check(&mut self, ended: &Capture) {
        let seconds = std::mem::take(&mut self.seconds);
        let stop = ended.stop.expect("it has ended");
        if let Some(id) = ended.recording {
            let begun = self.recordings_begun_at.iter().find(|(known, _)| *known == id);
            assert!(begun.is_some_and(|(_, at)| *at <= ended.requested_at), "a capture from before");
        }
        for (index, purpose) in
            [ConsentPurpose::Recording, ConsentPurpose::Transcription].into_iter().enumerate()
        {
            if !ended.purposes.contains(purpose) {
                continue;
            }
            // The names of the chunks say when Chime began, also where its event came late.
            let Some(began) = seconds.first().map(|(at, _)| *at) else { continue };
            let tail = capture::tail(purpose, began, stop, self.now);
            for (at, consents) in &seconds {
                let marked = tail.is_some_and(|tail| *at >= tail.from);
                assert!(consents[index] || marked, "{purpose:?} without consent at {at}, {ended:?}");
            }
        }
    }

    fn pass(&mut self, seconds: i64) {
        let before = self.now;
        self.now += Duration::seconds(seconds);
        if self.pipeline.is_some_and(|pipeline| pipeline.captures) {
            let consents = [0, 1].map(|purpose| {
                let all = self.permission(purpose);
                all == Permission::Allowed || all == Permission::Empty
            });
            let captured = (0..seconds).map(|second| (before + Duration::seconds(second), consents));
            self.seconds.extend(captured);
        }
    }

    /// The gate: while a capture is open, nobody gets a token without consent to its purposes.
    fn come(&mut self, who: usize) {
        let person = &mut self.people[who];
        let required = self.snapshot.capture.map_or(NONE, |open| open.purposes);
        let lacks = |purpose: bool, index: usize| purpose && person.decisions[index] != Some(true);
        if self.over || lacks(required.recording, 0) || lacks(required.transcription, 1) {
            return;
        }
        (person.present, person.token) = (true, true);
        self.empty_since = None;
    }

    fn act(&mut self, event: Event) {
        let current = self.snapshot.recording.map_or_else(|| recording_id(999), |open| open.id);
        let request = match event {
            Event::Come(who) => {
                self.come(who);
                None
            }
            Event::Go(who) => {
                self.people[who].present = false;
                if !self.people.iter().any(|person| person.present) {
                    self.empty_since = self.empty_since.or(Some(self.now));
                }
                None
            }
            Event::Consent { who, transcription, granted } => {
                self.people[who].decisions[usize::from(transcription)] = Some(granted);
                // Stored for a participant only who may be in the call; others are asked when they join.
                None
            }
            Event::Start => Some(Request::Start(recording_id(self.begun + 1))),
            Event::Stop => Some(Request::Stop(current)),
            Event::Pause => Some(Request::Pause(current)),
            Event::Resume => Some(Request::Resume(current)),
            Event::Transcribe(wanted) => {
                self.snapshot.transcribe = wanted;
                None
            }
            Event::Chime { lost, fails } => {
                self.chime(lost, fails);
                None
            }
            Event::Schedule => {
                self.pass(60);
                None
            }
            Event::Pass(seconds) => {
                self.pass(seconds);
                return;
            }
            Event::EndCall => {
                self.over = true;
                None
            }
        };
        self.decide(request);
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let who = 0..PEOPLE;
    prop_oneof![
        3 => who.clone().prop_map(Event::Come),
        1 => who.clone().prop_map(Event::Go),
        4 => (who, any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(who, transcription, granted)| Event::Consent { who, transcription, granted }),
        3 => Just(Event::Start),
        1 => Just(Event::Stop),
        1 => Just(Event::Pause),
        1 => Just(Event::Resume),
        1 => any::<bool>().prop_map(Event::Transcribe),
        8 => (prop::bool::weighted(0.2), prop::bool::weighted(0.1))
            .prop_map(|(lost, fails)| Event::Chime { lost, fails }),
        1 => Just(Event::Schedule),
        4 => (1..20_i64).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn nothing_is_captured_without_consent_but_the_tail_and_every_call_is_finished(
        wanted in any::<bool>(),
        events in prop::collection::vec(any_event(), 1..80),
    ) {
        let mut world = World::new(wanted);
        for event in events {
            world.act(event);
        }
        prop_assert!(world.automatic_starts <= u32::from(wanted));

        // The call ends, and every event of Chime is lost from now on: the schedule finishes what is open.
        world.act(Event::EndCall);
        let mut statuses = BTreeSet::new();
        for _ in 0..6 {
            world.act(Event::Chime { lost: true, fails: false });
            if let Some(open) = world.snapshot.capture {
                statuses.insert(open.status.as_str());
                prop_assert!(!deadline::of_capture(open.status).is_empty());
            }
            world.act(Event::Schedule);
            if let Some(open) = world.snapshot.capture {
                let last = deadline::of_capture(open.status).last().expect("it is open");
                prop_assert!(world.now - open.confirmed_at <= last.after + Duration::minutes(2), "{:?}", open);
            }
            if let Some(open) = world.snapshot.recording {
                let deadlines = deadline::of_recording(state(open.intent, false, &[]));
                prop_assert_eq!(deadline::passed(deadlines, open.began_at, world.now), None);
            }
        }
        prop_assert_eq!(world.snapshot.capture, None, "after {:?}", statuses);
        prop_assert_eq!(world.snapshot.recording, None);
        prop_assert!(world.pipeline.is_none(), "a pipeline is left");
    }
}
