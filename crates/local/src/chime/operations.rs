//! The operations of the meetings API.

use std::time::Instant;

use serde_json::{Value, json};

use super::call::Call;
use super::error::Refusal;
use super::input::{
    self, BatchCreateAttendee, CreateMeeting, NewAttendee, UpdateCapabilities, UpdateCapabilitiesExcept,
};
use super::meeting::{Attendee, Meeting};
use super::state::{NO_MEETING, State};
use super::{Chime, region, validate};
use crate::rate_limit::RateLimit;

const NO_ATTENDEE: Refusal = Refusal::NotFound("The attendee was not found.");

/// Attendees that `ListAttendees` answers at once.
const MAX_PAGE: usize = 100;

impl Chime {
    /// Answers a call, or says why it is refused.
    pub(super) fn perform(&self, region: &str, call: &Call, body: &[u8]) -> Result<Value, Refusal> {
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
                find(meeting, attendee)?;
                meeting.set_capabilities(attendee, update.capabilities);
                Ok(json!({ "Attendee": find(meeting, attendee)?.json() }))
            }
            Call::BatchUpdateAttendeeCapabilitiesExcept { meeting } => {
                let update: UpdateCapabilitiesExcept = input::read(body)?;
                let meeting = state.live(region, meeting)?;
                validate::update_except(&update, &meeting.features)?;
                let excluded =
                    |id: &str| update.excluded_attendee_ids.iter().any(|item| item.attendee_id == id);
                let others = meeting.people().map(|attendee| attendee.id.clone());
                let others: Vec<String> = others.filter(|id| !excluded(id)).collect();
                for id in &others {
                    meeting.set_capabilities(id, update.capabilities);
                }
                Ok(Value::Null)
            }
            Call::StartMeetingTranscription { meeting } => {
                self.start_transcription(state, region, meeting, body)
            }
            Call::StopMeetingTranscription { meeting } => {
                state.live(region, meeting)?.stop_transcription(self.clock.now_ms())?;
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
        let mut meeting = Meeting::new(region, &self.account, input, self.signaling(), self.clock.now_ms());
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

    pub(super) fn check_rate(&self, state: &mut State, region: &str) -> Result<(), Refusal> {
        let Some(rate) = self.options.rate else { return Ok(()) };
        let limits = &mut state.limits;
        let limit =
            limits.entry(region.to_owned()).or_insert_with(|| RateLimit::new(rate.per_second, rate.burst));
        if limit.admits() { Ok(()) } else { Err(Refusal::Throttled) }
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
    let known = |attendee: &&mut Attendee| attendee.id == id && !attendee.deleted && !attendee.recorder;
    meeting.attendees.iter_mut().find(known).ok_or(NO_ATTENDEE)
}

fn list(meeting: &Meeting, max_results: Option<&str>, next_token: Option<&str>) -> Result<Value, Refusal> {
    let bad = |message: &str| Refusal::BadRequest(message.to_owned());
    let size = match max_results {
        None => MAX_PAGE,
        Some(text) => match text.parse() {
            Ok(size) if (1..=MAX_PAGE).contains(&size) => size,
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
