//! What is known of a call at the moment of a request: the material of every decision.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::error::{Error, reason};
use crate::id::{AppointmentId, ChimeAttendeeId, ChimeMeetingId, SessionId, UserId};
use crate::secret::Secret;
use crate::state::{ParticipantStatus, Role, SessionStatus};

/// Who asks, before they are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The subject of a checked token.
    Subject(String),
    /// Named by a direct invocation, whose right to do so IAM has checked.
    User(UserId),
}

/// Which call is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The appointment's: its open session, else its latest.
    Appointment(AppointmentId),
    /// The session of this meeting and no other.
    Meeting(ChimeMeetingId),
}

/// A user of the host application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their id.
    pub id: UserId,
}

/// An appointment of the host application.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    /// Its id.
    pub id: AppointmentId,
    /// Who holds it: a user id, never a profile id.
    pub provider_user_id: Option<UserId>,
    /// Whose it is.
    pub patient_user_id: Option<UserId>,
    /// The host's word for its state; only [`CANCELLED`] mean something here.
    pub status: String,
    /// Whether it is held by video.
    pub video_enabled: bool,
    /// The provider's name, for the answer to its members only.
    pub provider_name: Option<String>,
}

/// The spellings of a cancelled appointment. The statement that opens a session refuses the same.
pub const CANCELLED: [&str; 2] = ["cancelled", "canceled"];

/// One call of an appointment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its state.
    pub status: SessionStatus,
    /// Counts who took it upon themselves to make the meeting.
    pub attempt: i32,
    /// The request that makes the meeting now, if any.
    pub attempt_by: Option<String>,
    /// The only region in which its meeting can be asked for or changed.
    pub control_region: String,
    /// Where its media flows.
    pub media_region: String,
    /// Its meeting, once it is known.
    pub meeting_id: Option<ChimeMeetingId>,
    /// The meeting as Chime gave it.
    pub meeting: Option<Value>,
    /// Whether recording was asked for.
    pub recording_enabled: bool,
    /// Whether transcription was asked for.
    pub transcription_enabled: bool,
    /// In which language.
    pub transcription_language: Option<String>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it became active.
    #[serde(with = "time::serde::rfc3339::option")]
    pub activated_at: Option<OffsetDateTime>,
    /// When Chime last said that its meeting lives.
    #[serde(with = "time::serde::rfc3339::option")]
    pub checked_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// How long it was active, in seconds.
    pub duration_seconds: Option<i32>,
    /// Who is in it.
    pub present: Vec<UserId>,
}

/// The caller's part in the session.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participation {
    /// Where they stand.
    pub status: ParticipantStatus,
    /// Their attendee with its join token, as Chime gave it.
    pub attendee: Option<Attendee>,
}

/// An attendee as Chime gave it. Bears the join token, so it prints nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Attendee(Secret<Value>);

impl Attendee {
    /// Takes Chime's `Attendee` object.
    #[must_use]
    pub const fn new(json: Value) -> Self {
        Self(Secret::new(json))
    }

    /// The object, for the attendee's own answer and for the token table.
    #[must_use]
    pub const fn expose(&self) -> &Value {
        self.0.expose()
    }

    /// Its id.
    ///
    /// # Errors
    /// When the object bears none, which Chime never does.
    pub fn id(&self) -> Result<ChimeAttendeeId, Error> {
        self.expose()["AttendeeId"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| Error::internal("an attendee without AttendeeId"))
    }
}

/// Everything one look at the database tells about a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Who asks, if they are known.
    pub caller: Option<Person>,
    /// The appointment, if there is one.
    pub appointment: Option<Appointment>,
    /// The session that is meant: the open one, else the latest.
    pub session: Option<Session>,
    /// The caller's part in it.
    pub me: Option<Participation>,
}

/// A caller with their place in an appointment.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Their user id.
    pub user: UserId,
    /// Their role.
    pub role: Role,
    /// The appointment.
    pub appointment: &'a Appointment,
}

impl View {
    /// Who asks, as a member of the appointment.
    ///
    /// # Errors
    /// 403 for an account that is not known and for people of other appointments, 404 for an appointment that is
    /// not there.
    pub fn member(&self) -> Result<Member<'_>, Error> {
        let caller = self.caller.as_ref().ok_or(Error::Forbidden(reason::UNKNOWN_USER))?;
        let appointment = self.appointment.as_ref().ok_or(Error::NotFound(reason::APPOINTMENT_NOT_FOUND))?;
        let role = if appointment.provider_user_id == Some(caller.id) {
            Role::Provider
        } else if appointment.patient_user_id == Some(caller.id) {
            Role::Patient
        } else {
            return Err(Error::Forbidden(reason::NOT_A_MEMBER));
        };
        Ok(Member { user: caller.id, role, appointment })
    }

    /// The caller's stored attendee, if they may use it.
    #[must_use]
    pub fn attendee(&self) -> Option<&Attendee> {
        self.me.as_ref()?.attendee.as_ref()
    }
}
