//! The Chime SDK meetings API (2021-07-15) as an engine: strict where the documentation leaves room, so that what
//! works here works on AWS.

mod call;
mod error;
mod event;
mod event_delivery;
mod happening;
mod input;
mod media;
mod meeting;
mod operations;
pub(crate) mod pipelines;
mod rate;
mod region;
mod state;
#[cfg(test)]
mod tests;
mod transcription;
mod validate;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub(crate) use self::call::Call;
pub use self::event::{EventError, NewEvent};
pub use self::event_delivery::EventDelivery;
use self::media::MediaLink;
use self::meeting::Meeting;
pub(crate) use self::meeting::date;
pub(crate) use self::pipelines::Recorded;
use self::pipelines::Surroundings;
pub use self::pipelines::{MediaPipelines, NewPipelineEvent, NewPipelineFault, PipelineEventError};
pub use self::rate::Rate;
use self::state::State;
pub use self::transcription::{CaptionError, NewCaption, NewTranscriptionFault};
pub(crate) use self::transcription::{MEDICAL_REGIONS, script_items};
use crate::clock::Clock;
use crate::s3::S3;
use crate::service::{
    Answer, ArnScope, AwsService, ErrorBody, Operation, Permission, Protocol, REST_JSON, body_json,
};

/// Quotas, by default those of a new account, and the delivery of events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Requests in one region, on the real clock; none: as many as come.
    pub rate: Option<Rate>,
    /// Meetings that live at once in one region.
    pub active_meetings: usize,
    /// Attendees of one meeting that are not deleted.
    pub attendees: usize,
    /// For so long after a token's first use, on the real clock, its repetition counts as concurrent and gets a
    /// `ConflictException`.
    pub conflict_within: Duration,
    /// The events that it sends, and when; by default only those of the control API.
    pub event_delivery: EventDelivery,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rate: Some(Rate { per_second: 10.0, burst: 20 }),
            active_meetings: 250,
            attendees: 250,
            conflict_within: Duration::ZERO,
            event_delivery: EventDelivery::ControlApiOnly,
        }
    }
}

/// Takes events to the bus.
pub type EventSink = Arc<dyn Fn(Value) + Send + Sync>;

/// The engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Chime {
    account: Arc<str>,
    clock: Clock,
    options: Options,
    sink: EventSink,
    state: Arc<Mutex<State>>,
    /// Held while due events are sent: whoever asks for their delivery meanwhile waits until the last one is.
    delivering: Arc<Mutex<()>>,
    /// Notifies the delivery task that something may be due earlier than it computed.
    changed: Arc<watch::Sender<()>>,
    media: Arc<OnceLock<MediaLink>>,
    /// Where media pipelines put what they capture, and the region of these buckets.
    buckets: Arc<OnceLock<(S3, String)>>,
    recorders: Arc<OnceLock<mpsc::UnboundedSender<pipelines::Command>>>,
}

impl fmt::Debug for Chime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chime")
            .field("account", &self.account)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The ARN of a meeting in its control region.
pub(crate) fn meeting_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:{}:chime:{region}:{account}:meeting/{id}", region::partition(region))
}

const PROTOCOL: Protocol = Protocol {
    error_body: |code, message, request_id| {
        let short = code.strip_suffix("Exception").unwrap_or(code);
        ErrorBody::Json(json!({ "Code": short, "Message": message, "RequestId": request_id }))
    },
    ..REST_JSON
};

#[async_trait]
impl AwsService for Chime {
    fn scope(&self) -> &'static str {
        "chime"
    }

    fn protocol(&self) -> &'static Protocol {
        &PROTOCOL
    }

    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation> {
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        let call = Call::parse(&request.method, path, query)?;
        let meeting = |id: &str| Some(meeting_arn(arns.region, arns.account, id));
        let resource = call.authorized_meeting_id().and_then(meeting);
        let mut permissions = vec![Permission::new(format!("chime:{}", call.name()), resource)];
        // To create with tags is to tag, for IAM too.
        let tagged = || body_json(body)["Tags"].as_array().is_some_and(|tags| !tags.is_empty());
        if call.meeting_id().is_none() && tagged() {
            permissions.push(Permission::new("chime:TagResource", meeting("*")));
        }
        Some(Operation { name: call.name().to_owned(), permissions })
    }

    async fn answer(&self, region: &str, request: &Parts, body: Bytes) -> Answer {
        self.carry_out(region, request, &body)
    }
}

impl Chime {
    /// An engine without meetings, whose events go to `sink`.
    #[must_use]
    pub fn new(account: &str, clock: Clock, options: Options, sink: EventSink) -> Self {
        let state = State::new(options.event_delivery);
        let changed = Arc::new(watch::Sender::new(()));
        Self {
            account: account.into(),
            clock,
            options,
            sink,
            state: Arc::new(Mutex::new(state)),
            delivering: Arc::default(),
            changed,
            media: Arc::default(),
            buckets: Arc::default(),
            recorders: Arc::default(),
        }
    }

    /// Spawns the task that sends each event when it is due and ends meetings whose time is over. The caller aborts it.
    #[must_use]
    pub fn spawn_event_delivery(&self) -> JoinHandle<()> {
        let chime = self.clone();
        tokio::spawn(async move {
            let (mut moves, mut changes) = (chime.clock.moves(), chime.changed.subscribe());
            loop {
                // Marked as seen before the state is read, so that a change in between wakes the task.
                moves.borrow_and_update();
                changes.borrow_and_update();
                let next_ms = chime.deliver_due_events();
                let wait = async {
                    let Some(next_ms) = next_ms else { return std::future::pending().await };
                    let left = next_ms.saturating_sub(chime.clock.now_ms());
                    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
                };
                tokio::select! {
                    () = wait => {}
                    _ = moves.changed() => {}
                    _ = changes.changed() => {}
                }
            }
        })
    }

    /// Sends all due events and returns when the next event or end of a meeting is due, in ms of the cloud's clock.
    pub fn deliver_due_events(&self) -> Option<i64> {
        let plane = self.media_effects();
        let _delivering = self.delivering.lock().unwrap_or_else(PoisonError::into_inner);
        let (due, next_ms) = {
            let mut state = self.current_state();
            state.collect_events(&self.account, self.options.event_delivery);
            let changes = state.take_media_changes();
            // Under the lock, so that the media plane gets changes in the order in which they were made, whichever task takes them, and
            // before the request that made them is answered.
            if let Some(plane) = &plane {
                for (meeting, change) in changes {
                    plane.apply(&meeting, change);
                }
            }
            (state.waiting.due(self.clock.now_ms()), state.next_ms())
        };
        // Outside the lock: the sink may ask the engine.
        for event in due {
            (self.sink)(event);
        }
        next_ms
    }

    /// Sends all due events and wakes the delivery task, which computes its next due time anew.
    fn deliver_and_wake(&self) {
        self.deliver_due_events();
        self.changed.send_replace(());
    }

    /// All meetings in the order of their making, ended ones too: `{"meetings": [{"meetingId", "externalMeetingId",
    /// "live", "createdAt", "endedAt", "attendees": [{"attendeeId", "externalUserId", "capabilities"}]}]}`.
    #[must_use]
    pub fn meetings(&self) -> Value {
        let state = self.current_state();
        json!({ "meetings": state.meetings.iter().map(Meeting::listed).collect::<Vec<_>>() })
    }

    /// Makes an event happen: updates the connected attendees, sends the event and returns it.
    pub fn event(&self, meeting_id: &str, event: NewEvent) -> Result<Value, EventError> {
        let now_ms = self.clock.now_ms();
        let sent = {
            let mut state = self.current_state();
            let meeting = state.meetings.iter_mut().find(|meeting| meeting.id == meeting_id);
            let meeting = meeting.ok_or_else(|| EventError::UnknownMeeting(meeting_id.to_owned()))?;
            let sent = event::happen(meeting, &self.account, event, now_ms)?;
            // The events that it causes are sent before it: attendees leave a meeting before it ends.
            state.collect_events(&self.account, self.options.event_delivery);
            state.waiting.take(&sent, now_ms);
            sent
        };
        self.deliver_and_wake();
        Ok(sent)
    }

    fn carry_out(&self, region: &str, request: &Parts, body: &[u8]) -> Answer {
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        let Some(call) = Call::parse(&request.method, path, query) else {
            return PROTOCOL.error(StatusCode::NOT_FOUND, "UnknownOperationException", "Unknown operation");
        };
        let outcome = self.perform(region, &call, body);
        self.deliver_and_wake();
        match outcome {
            Ok(body) => {
                let status = match call {
                    Call::DeleteMeeting { .. } | Call::DeleteAttendee { .. } => StatusCode::NO_CONTENT,
                    _ => StatusCode::OK,
                };
                PROTOCOL.json(status, &body)
            }
            Err(refusal) => PROTOCOL.error(refusal.status(), refusal.code(), &refusal.to_string()),
        }
    }

    /// The state at the current time: meetings whose time is over are ended.
    fn current_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        state.meetings.iter_mut().for_each(|meeting| meeting.advance(now_ms));
        state.end_replicas();
        let State { meetings, pipelines, .. } = &mut *state;
        let s3 = self.buckets.get().map(|(s3, _)| s3);
        let recorders = self.recorders.get();
        pipelines.advance(&mut Surroundings { meetings, s3, recorders, now_ms });
        state
    }
}
