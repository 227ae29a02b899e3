//! What is known of a call at the moment of a request: the material of every decision.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::capabilities::Capabilities;
use crate::consent::Consent;
use crate::error::{Error, reason};
use crate::id::{AppointmentId, ChimeAttendeeId, ChimeMeetingId, SessionId, UserId};
use crate::secret::Secret;
use crate::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};

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
pub struct UserRef {
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
    /// When it is to begin, if the host has said.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub scheduled_start: Option<OffsetDateTime>,
}

impl Appointment {
    /// What a user is in it by the host's word.
    #[must_use]
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        if self.provider_user_id == Some(user) {
            Some(Role::Provider)
        } else if self.patient_user_id == Some(user) {
            Some(Role::Patient)
        } else {
            None
        }
    }

    /// Whether there is a call to be had.
    ///
    /// # Errors
    /// 409 for one that is cancelled or not held by video.
    pub fn held_by_video(&self) -> Result<(), Error> {
        let conflict = |reason| Err(Error::Conflict { reason, retry_after: None });
        if !self.video_enabled {
            conflict(reason::VIDEO_NOT_ENABLED)
        } else if CANCELLED.contains(&self.status.as_str()) {
            conflict(reason::APPOINTMENT_CANCELLED)
        } else {
            Ok(())
        }
    }
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
    /// How many are connected, by Chime's word.
    pub connected_count: i32,
    /// When the last of them went, by Chime's word.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_left_at: Option<OffsetDateTime>,
    /// Who is in it.
    pub present: Vec<UserId>,
}

/// The caller's part in the session.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnParticipation {
    /// As what.
    pub role: Role,
    /// Where they stand.
    pub status: ParticipantStatus,
    /// Their attendee with its join token, as Chime gave it.
    pub attendee: Option<Attendee>,
    /// How often they have come since `join_count_since`, within a minute of it.
    pub join_count: u32,
    /// When the first of those was.
    #[serde(with = "time::serde::rfc3339::option")]
    pub join_count_since: Option<OffsetDateTime>,
}

/// Someone with a part in the session, as everyone's rules look at them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantView {
    /// Who.
    pub user_id: UserId,
    /// Their name, for members of the call only.
    pub display_name: Option<String>,
    /// As what.
    pub role: Role,
    /// As what kind of observer, where the invitation said so.
    pub observer_kind: Option<ObserverKind>,
    /// Where they stand.
    pub status: ParticipantStatus,
    /// Whether Chime sees them connected, whatever they or the provider said.
    pub connected: bool,
    /// Whether they were admitted to this session.
    pub admitted: bool,
    /// Whether they were ever given a place in it.
    pub has_joined: bool,
    /// Since when they wait; of any other status it says nothing.
    #[serde(with = "time::serde::rfc3339::option")]
    pub waiting_since: Option<OffsetDateTime>,
    /// What they may send and receive.
    pub capabilities: Capabilities,
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Who asks, if they are known.
    pub caller: Option<UserRef>,
    /// The appointment, if there is one.
    pub appointment: Option<Appointment>,
    /// The session that is meant: the open one, else the latest.
    pub session: Option<Session>,
    /// The caller's part in it.
    pub me: Option<OwnParticipation>,
    /// Everyone with a part in it.
    pub participants: Vec<ParticipantView>,
    /// What they consented to: the newest word of each person on each kind.
    pub consents: Vec<Consent>,
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
    /// Who asks, as a member of the appointment: its provider, its patient, or an observer of its open call.
    ///
    /// # Errors
    /// 403 for an account that is not known and for participants of other appointments, 404 for an appointment that is
    /// not there.
    pub fn member(&self) -> Result<Member<'_>, Error> {
        let open = self.session.as_ref().is_some_and(|session| session.status.is_open());
        let part = self.me.as_ref().filter(|_| open).map(|me| (me.role, me.status));
        member(self.caller.as_ref(), self.appointment.as_ref(), part)
    }

    /// Someone's part in the session.
    #[must_use]
    pub fn participant(&self, user: UserId) -> Option<&ParticipantView> {
        self.participants.iter().find(|participant| participant.user_id == user)
    }

    /// The caller's stored attendee, if they may use it.
    #[must_use]
    pub fn attendee(&self) -> Option<&Attendee> {
        self.me.as_ref()?.attendee.as_ref()
    }
}

/// A caller's place in an appointment, by the host's word or by their part in the open call. A role of the host's comes
/// first, and a part in a call alone makes an observer only: who was the appointment's provider once is not any more.
///
/// # Errors
/// As [`View::member`].
pub fn member<'a>(
    caller: Option<&UserRef>,
    appointment: Option<&'a Appointment>,
    part: Option<(Role, ParticipantStatus)>,
) -> Result<Member<'a>, Error> {
    let user = caller.ok_or(Error::Forbidden(reason::UNKNOWN_USER))?.id;
    let appointment = appointment.ok_or(Error::NotFound(reason::APPOINTMENT_NOT_FOUND))?;
    let role = match (appointment.role_of(user), part) {
        (Some(role), _) => role,
        // Who may not come again has nothing to look at either.
        (None, Some((Role::Observer, ParticipantStatus::Removed))) => {
            return Err(Error::Forbidden(reason::REMOVED_FROM_CALL));
        }
        (None, Some((Role::Observer, _))) => Role::Observer,
        (None, Some((Role::Provider | Role::Patient, _)) | None) => {
            return Err(Error::Forbidden(reason::NOT_A_MEMBER));
        }
    };
    Ok(Member { user, role, appointment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u8) -> UserId {
        format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
    }

    fn told(n: u8, part: Option<(Role, ParticipantStatus)>) -> Result<Role, &'static str> {
        let appointment = Appointment {
            id: "7d9f1c5e-0000-4000-8000-0000000000a1".parse().expect("a UUID"),
            provider_user_id: Some(user(1)),
            patient_user_id: Some(user(2)),
            status: "scheduled".to_owned(),
            video_enabled: true,
            provider_name: None,
            scheduled_start: None,
        };
        let place = member(Some(&UserRef { id: user(n) }), Some(&appointment), part);
        place.map(|member| member.role).map_err(|error| error.code())
    }

    #[test]
    fn a_part_in_the_open_call_makes_an_observer_and_nothing_more() {
        use ParticipantStatus::{Invited, Joined, Left, Removed};
        assert_eq!(told(3, None), Err("NOT_A_MEMBER"));
        for status in [Invited, Joined, Left] {
            assert_eq!(told(3, Some((Role::Observer, status))), Ok(Role::Observer));
        }
        assert_eq!(told(3, Some((Role::Observer, Removed))), Err("REMOVED_FROM_CALL"));
        for once in [Role::Provider, Role::Patient] {
            assert_eq!(
                told(3, Some((once, Joined))),
                Err("NOT_A_MEMBER"),
                "of an appointment that has changed hands"
            );
        }
        assert_eq!(
            told(1, Some((Role::Observer, Removed))),
            Ok(Role::Provider),
            "the host's word comes first"
        );
        assert_eq!(told(2, None), Ok(Role::Patient));
    }
}
