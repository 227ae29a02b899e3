//! What more than one function reads from a request.

use domain::Error;
use domain::call::Target;
use domain::id::{AppointmentId, ChimeMeetingId, SessionId};
use serde::Deserialize;

/// Which call is meant: the existing app names it by its appointment or by its meeting.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhichCall {
    appointment_id: Option<AppointmentId>,
    meeting_id: Option<ChimeMeetingId>,
}

impl WhichCall {
    /// The call; the meeting where both are named, for it is the narrower.
    ///
    /// # Errors
    /// 422 where neither is named.
    pub fn target(self) -> Result<Target, Error> {
        match (self.meeting_id, self.appointment_id) {
            (Some(meeting), _) => Ok(Target::Meeting(meeting)),
            (None, Some(appointment)) => Ok(Target::Appointment(appointment)),
            (None, None) => Err(Error::invalid("appointmentId", "or meetingId is required")),
        }
    }
}

/// How to join.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct JoinOptions {
    /// The client could not connect with what it was given: ask Chime before answering.
    #[serde(default)]
    pub checked: bool,
}

/// What to end.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndOptions {
    /// Only this session, so that a late repetition never ends a later call.
    pub session_id: Option<SessionId>,
}
