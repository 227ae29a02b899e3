//! The state of the engine: its meetings, the tokens and rates of requests, and the events that wait.

use std::collections::HashMap;
use std::time::Instant;

use super::error::Refusal;
use super::event_delivery::{EventDelivery, Waiting};
use super::media::MediaChange;
use super::meeting::Meeting;
use super::pipelines::Pipelines;
use super::transcription::TranscriptionFaults;
use super::{event, validate};
use crate::rate_limit::RateLimit;

pub(super) const NO_MEETING: Refusal = Refusal::NotFound("The meeting was not found.");
const ENDED: Refusal = Refusal::NotFound("The meeting has ended.");

pub(super) struct State {
    pub(super) meetings: Vec<Meeting>,
    pub(super) pipelines: Pipelines,
    pub(super) transcription_faults: TranscriptionFaults,
    /// When a token was first used in a region.
    pub(super) tokens: HashMap<(String, String), Instant>,
    /// By region.
    pub(super) limits: HashMap<String, RateLimit>,
    pub(super) waiting: Waiting,
}

impl State {
    pub(super) fn new(event_delivery: EventDelivery) -> Self {
        Self {
            meetings: Vec::new(),
            pipelines: Pipelines::default(),
            transcription_faults: TranscriptionFaults::default(),
            tokens: HashMap::new(),
            limits: HashMap::new(),
            waiting: Waiting::new(event_delivery),
        }
    }

    /// Queues the events that the engine itself has caused since the last call.
    pub(super) fn collect_events(&mut self, account: &str, event_delivery: EventDelivery) {
        for meeting in &mut self.meetings {
            for happening in std::mem::take(&mut meeting.happened) {
                // Each is about an attendee that the meeting has, so it has its event.
                if let (true, Ok(event)) =
                    (event_delivery != EventDelivery::ControlApiOnly, event::of(&happening, meeting, account))
                {
                    self.waiting.take(&event, happening.at_ms);
                }
            }
        }
        for (event, at_ms) in self.pipelines.take_events(&self.meetings, account) {
            if event_delivery != EventDelivery::ControlApiOnly {
                self.waiting.take(&event, at_ms);
            }
        }
    }

    /// Takes what participants who are connected must feel, in order.
    pub(super) fn take_media_changes(&mut self) -> Vec<(String, MediaChange)> {
        let take = |meeting: &mut Meeting| {
            let changes = std::mem::take(&mut meeting.media_changes);
            changes.into_iter().map(|change| (meeting.id.clone(), change)).collect::<Vec<_>>()
        };
        self.meetings.iter_mut().flat_map(take).collect()
    }

    /// When the next meeting ends or something is said in it, the next event is due, or the next pipeline changes.
    pub(super) fn next_ms(&self) -> Option<i64> {
        let ends = self.meetings.iter().filter_map(Meeting::ends_ms);
        let speech = self.meetings.iter().filter_map(Meeting::next_speech_ms);
        ends.chain(speech).chain(self.waiting.next_ms()).chain(self.pipelines.next_ms()).min()
    }

    /// A meeting that lives, asked in its own control region.
    pub(super) fn live(&mut self, region: &str, id: &str) -> Result<&mut Meeting, Refusal> {
        validate::guid("MeetingId", id)?;
        let mut meetings = self.meetings.iter_mut();
        let meeting =
            meetings.find(|meeting| meeting.id == id && meeting.region == region).ok_or(NO_MEETING)?;
        if meeting.live() { Ok(meeting) } else { Err(ENDED) }
    }

    /// A replica ends when its primary ends.
    pub(super) fn end_replicas(&mut self) {
        let ended: HashMap<String, i64> = self
            .meetings
            .iter()
            .filter_map(|meeting| Some((meeting.id.clone(), meeting.ended_ms?)))
            .collect();
        for meeting in &mut self.meetings {
            if let Some(at_ms) = meeting.primary.as_ref().and_then(|primary| ended.get(primary)) {
                meeting.end(*at_ms);
            }
        }
    }
}
