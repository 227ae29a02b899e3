//! The Chime SDK meetings API (2021-07-15) as an engine: strict where the documentation leaves room, so that what
//! works here works on AWS.

mod call;
mod error;
mod event;
mod event_delivery;
mod input;
mod meeting;
mod rate;
mod region;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use self::call::Call;
use self::error::Refusal;
pub use self::event::{EventError, NewEvent};
pub use self::event_delivery::EventDelivery;
use self::event_delivery::Waiting;
use self::input::{
    BatchCreateAttendee, CreateMeeting, NewAttendee, UpdateCapabilities, UpdateCapabilitiesExcept,
};
use self::meeting::{Attendee, Meeting};
pub use self::rate::Rate;
use crate::clock::Clock;
use crate::rate_limit::RateLimit;
use crate::service::{Answer, ArnScope, AwsService, Operation, Permission, Protocol, REST_JSON, body_json};

const NO_MEETING: Refusal = Refusal::NotFound("The meeting was not found.");
const ENDED: Refusal = Refusal::NotFound("The meeting has ended.");
const NO_ATTENDEE: Refusal = Refusal::NotFound("The attendee was not found.");
const GREATEST_PAGE: usize = 100;

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
    /// Which events it sends, and when; by default only those of the control API.
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
    /// Notifies the delivery task that something may be due earlier than it computed.
    changed: Arc<watch::Sender<()>>,
}

impl fmt::Debug for Chime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chime")
            .field("account", &self.account)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

struct State {
    meetings: Vec<Meeting>,
    /// When a token was first used in a region.
    tokens: HashMap<(String, String), Instant>,
    /// By region.
    limits: HashMap<String, RateLimit>,
    waiting: Waiting,
}

/// The ARN of a meeting in its control region.
pub(crate) fn meeting_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:{}:chime:{region}:{account}:meeting/{id}", region::partition(region))
}

const PROTOCOL: Protocol = Protocol {
    error_body: |code, message, request_id| {
        let short = code.strip_suffix("Exception").unwrap_or(code);
        json!({ "Code": short, "Message": message, "RequestId": request_id })
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
        let resource = call.meeting_id().and_then(meeting);
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
        let state = State {
            meetings: Vec::new(),
            tokens: HashMap::new(),
            limits: HashMap::new(),
            waiting: Waiting::new(options.event_delivery),
        };
        let changed = Arc::new(watch::Sender::new(()));
        Self { account: account.into(), clock, options, sink, state: Arc::new(Mutex::new(state)), changed }
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
    #[expect(
        clippy::must_use_candidate,
        reason = "the events are sent either way; only the delivery task needs the next due time"
    )]
    pub fn deliver_due_events(&self) -> Option<i64> {
        let (due, next_ms) = {
            let mut state = self.current_state();
            state.collect_events(&self.account, self.options.event_delivery);
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

    fn perform(&self, region: &str, call: &Call, body: &[u8]) -> Result<Value, Refusal> {
        if !region::is_control(region) {
            return Err(Refusal::BadRequest(format!("the Chime SDK has no meetings endpoint in {region}")));
        }
        let state = &mut *self.current_state();
        self.check_rate(state, region)?;
        match call {
            Call::CreateMeeting => self.create_meeting(state, region, &input::read(body)?, false),
            Call::CreateMeetingWithAttendees => self.create_meeting(state, region, &input::read(body)?, true),
            Call::GetMeeting { meeting } => Ok(json!({ "Meeting": state.live(region, meeting)?.json })),
            Call::DeleteMeeting { meeting } => {
                let now_ms = self.clock.now_ms();
                state.live(region, meeting)?.end(now_ms);
                Ok(Value::Null)
            }
            Call::CreateAttendee { meeting } => {
                let new: NewAttendee = input::read(body)?;
                let meeting = state.live(region, meeting)?;
                validate::new_attendee(&new, &meeting.features)?;
                if meeting.is_full(self.options.attendees) {
                    return Err(Refusal::LimitExceeded(
                        "The meeting has as many attendees as it may have.".to_owned(),
                    ));
                }
                Ok(json!({ "Attendee": meeting.add(&new, self.clock.now_ms()) }))
            }
            Call::BatchCreateAttendee { meeting } => {
                let batch: BatchCreateAttendee = input::read(body)?;
                let meeting = state.live(region, meeting)?;
                validate::batch_create(&batch, &meeting.features)?;
                let (attendees, errors) = self.add_all(meeting, &batch.attendees);
                Ok(json!({ "Attendees": attendees, "Errors": errors }))
            }
            Call::ListAttendees { meeting, max_results, next_token } => {
                list(state.live(region, meeting)?, max_results.as_deref(), next_token.as_deref())
            }
            Call::GetAttendee { meeting, attendee } => {
                Ok(json!({ "Attendee": find(state.live(region, meeting)?, attendee)?.json() }))
            }
            Call::DeleteAttendee { meeting, attendee } => {
                let meeting = state.live(region, meeting)?;
                find(meeting, attendee)?;
                meeting.delete(attendee, self.clock.now_ms());
                Ok(Value::Null)
            }
            Call::UpdateAttendeeCapabilities { meeting, attendee } => {
                let update: UpdateCapabilities = input::read(body)?;
                let meeting = state.live(region, meeting)?;
                validate::capabilities(update.capabilities, &meeting.features)?;
                let attendee = find(meeting, attendee)?;
                attendee.capabilities = update.capabilities;
                Ok(json!({ "Attendee": attendee.json() }))
            }
            Call::BatchUpdateAttendeeCapabilitiesExcept { meeting } => {
                let update: UpdateCapabilitiesExcept = input::read(body)?;
                let meeting = state.live(region, meeting)?;
                validate::update_except(&update, &meeting.features)?;
                let excluded =
                    |id: &str| update.excluded_attendee_ids.iter().any(|item| item.attendee_id == id);
                let others = meeting.attendees.iter_mut().filter(|attendee| !excluded(&attendee.id));
                others.for_each(|attendee| attendee.capabilities = update.capabilities);
                Ok(Value::Null)
            }
        }
    }

    fn create_meeting(
        &self,
        state: &mut State,
        region: &str,
        input: &CreateMeeting,
        with_attendees: bool,
    ) -> Result<Value, Refusal> {
        validate::create_meeting(input, with_attendees)?;
        let token = (region.to_owned(), input.client_request_token.clone());
        if let Some(first) = state.tokens.get(&token) {
            if first.elapsed() < self.options.conflict_within {
                return Err(Refusal::Conflict);
            }
            let same =
                |meeting: &&Meeting| meeting.region == region && meeting.token == input.client_request_token;
            return state
                .meetings
                .iter()
                .find(same)
                .map(|meeting| repeated(meeting, with_attendees))
                .ok_or(NO_MEETING);
        }
        let live = state.meetings.iter().filter(|meeting| meeting.live() && meeting.region == region).count();
        if live >= self.options.active_meetings {
            return Err(Refusal::LimitExceeded(
                "The account has as many active meetings as it may have.".to_owned(),
            ));
        }
        if let Some(primary) = &input.primary_meeting_id {
            let found = state.meetings.iter().any(|meeting| meeting.id == *primary && meeting.live());
            if !found {
                return Err(Refusal::BadRequest("PrimaryMeetingId: there is no such meeting".to_owned()));
            }
        }
        let mut meeting = Meeting::new(region, &self.account, input, self.clock.now_ms());
        let (attendees, errors) = self.add_all(&mut meeting, input.attendees.as_deref().unwrap_or_default());
        meeting.first = meeting.attendees.iter().map(|attendee| attendee.id.clone()).collect();
        let answer = if with_attendees {
            json!({ "Meeting": meeting.json, "Attendees": attendees, "Errors": errors })
        } else {
            json!({ "Meeting": meeting.json })
        };
        state.tokens.insert(token, Instant::now());
        state.meetings.push(meeting);
        Ok(answer)
    }

    /// Adds as many attendees as the quota allows; the others are answered as errors.
    fn add_all(&self, meeting: &mut Meeting, all: &[NewAttendee]) -> (Vec<Value>, Vec<Value>) {
        let (mut attendees, mut errors) = (Vec::new(), Vec::new());
        for new in all {
            if meeting.is_full(self.options.attendees) {
                errors.push(json!({
                    "ExternalUserId": new.external_user_id,
                    "ErrorCode": "LimitExceeded",
                    "ErrorMessage": "The meeting has as many attendees as it may have.",
                }));
            } else {
                attendees.push(meeting.add(new, self.clock.now_ms()));
            }
        }
        (attendees, errors)
    }

    fn check_rate(&self, state: &mut State, region: &str) -> Result<(), Refusal> {
        let Some(rate) = self.options.rate else { return Ok(()) };
        let limits = &mut state.limits;
        let limit =
            limits.entry(region.to_owned()).or_insert_with(|| RateLimit::new(rate.per_second, rate.burst));
        if limit.admits() { Ok(()) } else { Err(Refusal::Throttled) }
    }

    /// The state at the current time: meetings whose time is over are ended.
    fn current_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        state.meetings.iter_mut().for_each(|meeting| meeting.end_if_due(now_ms));
        state.end_replicas();
        state
    }
}

impl State {
    /// Queues the events that the engine itself has caused since the last call.
    fn collect_events(&mut self, account: &str, event_delivery: EventDelivery) {
        for meeting in &mut self.meetings {
            for happening in std::mem::take(&mut meeting.happened) {
                // Each is about an attendee that the meeting has, so it has its event.
                if let (true, Ok(event)) =
                    (event_delivery != EventDelivery::ControlApiOnly, happening.event(meeting, account))
                {
                    self.waiting.take(&event, happening.at_ms);
                }
            }
        }
    }

    /// When the next meeting ends or the next event is due.
    fn next_ms(&self) -> Option<i64> {
        self.meetings.iter().filter_map(Meeting::ends_ms).chain(self.waiting.next_ms()).min()
    }

    /// A meeting that lives, asked in its own control region.
    fn live(&mut self, region: &str, id: &str) -> Result<&mut Meeting, Refusal> {
        validate::guid("MeetingId", id)?;
        let mut meetings = self.meetings.iter_mut();
        let meeting =
            meetings.find(|meeting| meeting.id == id && meeting.region == region).ok_or(NO_MEETING)?;
        if meeting.live() { Ok(meeting) } else { Err(ENDED) }
    }

    /// A replica ends when its primary ends.
    fn end_replicas(&mut self) {
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

/// A token's second use gives the first one's meeting. Of an ended meeting there are no attendees left.
fn repeated(meeting: &Meeting, with_attendees: bool) -> Value {
    if !with_attendees {
        return json!({ "Meeting": meeting.json });
    }
    let first =
        meeting.present_attendees().filter(|attendee| meeting.live() && meeting.first.contains(&attendee.id));
    json!({ "Meeting": meeting.json, "Attendees": first.map(Attendee::json).collect::<Vec<_>>(), "Errors": [] })
}

fn find<'m>(meeting: &'m mut Meeting, id: &str) -> Result<&'m mut Attendee, Refusal> {
    validate::guid("AttendeeId", id)?;
    meeting.attendees.iter_mut().find(|attendee| attendee.id == id && !attendee.deleted).ok_or(NO_ATTENDEE)
}

fn list(meeting: &Meeting, max_results: Option<&str>, next_token: Option<&str>) -> Result<Value, Refusal> {
    let bad = |message: &str| Refusal::BadRequest(message.to_owned());
    let size = match max_results {
        None => GREATEST_PAGE,
        Some(text) => match text.parse() {
            Ok(size) if (1..=GREATEST_PAGE).contains(&size) => size,
            _ => return Err(bad("MaxResults must be between 1 and 100")),
        },
    };
    let all: Vec<&Attendee> = meeting.present_attendees().collect();
    // The token names the last attendee that was given, so that a deletion in between skips no other attendee.
    let start = match next_token {
        None => 0,
        Some(token) => {
            let last = meeting.attendees.iter().position(|attendee| attendee.id == token);
            let last = last.ok_or_else(|| bad("NextToken is not one that this API gave"))?;
            meeting.attendees[..=last].iter().filter(|attendee| !attendee.deleted).count()
        }
    };
    let page: Vec<&&Attendee> = all.iter().skip(start).take(size).collect();
    let next = page.last().filter(|_| start + page.len() < all.len()).map(|last| last.id.clone());
    let attendees: Vec<Value> = page.iter().map(|attendee| attendee.json()).collect();
    Ok(json!({ "Attendees": attendees, "NextToken": next }))
}
