//! The state of a call at the moment of a request: the input of every decision.

mod decisions;
mod session;

pub use decisions::{Consent, ConsentPurpose, RequiredConsent};
pub use session::{ActiveCall, Attempt, ClosedCall, Meeting, Session, SessionState};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::capabilities::Capabilities;
use crate::error::{Error, reason};
use crate::id::{AppointmentId, ChimeAttendeeId, ChimeMeetingId, SessionId, UserId};
use crate::recording::state::CaptureState;
use crate::secret::Secret;
use crate::state::{ObserverKind, ParticipantStatus, Role};

/// The caller, before the database has identified the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The subject of a verified token.
    Subject(String),
    /// The user named by a direct invocation, which IAM has authorized.
    User(UserId),
}

/// The call that a request addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The appointment's open session, else its latest.
    Appointment(AppointmentId),
    /// The session with this meeting, and no other.
    Meeting(ChimeMeetingId),
}

/// A session with its appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionOf {
    #[serde(rename = "appointmentId")]
    pub appointment: AppointmentId,
    #[serde(rename = "sessionId")]
    pub session: SessionId,
}

/// A user of the host application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRef {
    pub id: UserId,
}

/// An appointment of the host application.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    pub id: AppointmentId,
    /// The provider: a user id, never a profile id.
    pub provider_user_id: Option<UserId>,
    /// The patient.
    pub patient_user_id: Option<UserId>,
    /// Whether the host's status is one of those that mean "cancelled" (a setting of the deployment).
    #[serde(default)]
    pub cancelled: bool,
    /// Whether it is held by video.
    pub video_enabled: bool,
    /// The provider's name, for the answer to its members only.
    pub provider_name: Option<String>,
    /// The scheduled start, if the host has one that the calendar knows.
    #[serde(default, deserialize_with = "calendar_time")]
    pub scheduled_start: Option<OffsetDateTime>,
    /// The scheduled end, likewise.
    #[serde(default, deserialize_with = "calendar_time")]
    pub scheduled_end: Option<OffsetDateTime>,
}

impl Appointment {
    /// The user's role according to the host's appointment.
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

    /// Whether the appointment allows a video call.
    ///
    /// # Errors
    /// 409 for an appointment that is cancelled or not held by video.
    pub fn held_by_video(&self) -> Result<(), Error> {
        let conflict = |reason| Err(Error::Conflict { reason, retry_after: None });
        if !self.video_enabled {
            conflict(reason::VIDEO_NOT_ENABLED)
        } else if self.cancelled {
            conflict(reason::APPOINTMENT_CANCELLED)
        } else {
            Ok(())
        }
    }
}

/// A time of the host's. PostgreSQL also has `infinity`, years before 1 and years after 9999: as good as none, and no reason to
/// refuse the call.
fn calendar_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()))
}

/// The caller's part in the session.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnParticipation {
    pub role: Role,
    pub status: ParticipantStatus,
    /// The attendee with its join token, as Chime returned it.
    pub attendee: Option<Attendee>,
    /// Joins since `join_count_since`, counted within one minute of it.
    pub join_count: u32,
    /// When the first of those joins was.
    #[serde(with = "time::serde::rfc3339::option")]
    pub join_count_since: Option<OffsetDateTime>,
}

/// A participant of the session, as the rules see everyone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "a row of independent facts")]
pub struct ParticipantView {
    pub user_id: UserId,
    /// The display name, for members of the call only.
    pub display_name: Option<String>,
    pub role: Role,
    /// The kind of observer, where the invitation named one.
    pub observer_kind: Option<ObserverKind>,
    pub status: ParticipantStatus,
    /// Whether Chime reports a connection, whatever the status is.
    pub connected: bool,
    /// Whether the provider admitted the participant to this session.
    pub admitted: bool,
    /// Whether the participant has ever joined this session.
    pub has_joined: bool,
    /// Whether the host application has the account.
    pub has_account: bool,
    /// The participant's attendee, if one is stored.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether the participant may hold a join token that works: it was handed out, and Chime has not deleted the attendee.
    pub holds_token: bool,
    /// Since when the participant waits; meaningless with any other status.
    #[serde(with = "time::serde::rfc3339::option")]
    pub waiting_since: Option<OffsetDateTime>,
    pub capabilities: Capabilities,
}

/// Chime's `Attendee` object, unchanged. It contains the join token, so its `Debug` prints nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Attendee(Secret<Value>);

impl Attendee {
    /// Wraps Chime's `Attendee` object.
    #[must_use]
    pub const fn new(json: Value) -> Self {
        Self(Secret::new(json))
    }

    /// The object, for the attendee's own answer and for the token table.
    #[must_use]
    pub const fn expose(&self) -> &Value {
        self.0.expose()
    }

    ///
    /// # Errors
    /// When the object has no id, which Chime always sets.
    pub fn id(&self) -> Result<ChimeAttendeeId, Error> {
        self.expose()["AttendeeId"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| Error::internal("an attendee without AttendeeId"))
    }
}

/// Everything that one round trip to the database reads for a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The caller, if the user is known.
    pub caller: Option<UserRef>,
    /// The appointment, if it exists.
    pub appointment: Option<Appointment>,
    /// Whether the host application has deleted the appointment of the session: it has others, and not this one.
    pub appointment_deleted: bool,
    /// The addressed session: the open one, else the latest.
    pub session: Option<Session>,
    /// The caller's part in the session.
    pub me: Option<OwnParticipation>,
    /// All participants of the session.
    pub participants: Vec<ParticipantView>,
    /// The latest decision of each participant for each purpose.
    pub consents: Vec<Consent>,
    /// The purposes of open captures to which the caller has not consented: until then the caller gets no join token.
    pub consent_required: Vec<RequiredConsent>,
    /// The captures and the recording of the session.
    #[serde(default)]
    pub captures: CaptureState,
}

/// A caller as a member of an appointment.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub user: UserId,
    pub role: Role,
    pub appointment: &'a Appointment,
}

impl View {
    /// The caller as a member of the appointment: its provider, its patient, or an observer of its open call.
    ///
    /// # Errors
    /// 403 for unknown accounts and for users who are not members, 404 for an appointment that does not exist.
    pub fn member(&self) -> Result<Member<'_>, Error> {
        let open = self.session.as_ref().is_some_and(Session::is_open);
        let part = self.me.as_ref().filter(|_| open).map(|me| (me.role, me.status));
        member(self.caller.as_ref(), self.appointment.as_ref(), part)
    }

    /// The session with its call, if it is active.
    #[must_use]
    pub fn active(&self) -> Option<(&Session, &ActiveCall)> {
        let session = self.session.as_ref()?;
        Some((session, session.active()?))
    }

    /// A user's part in the session.
    #[must_use]
    pub fn participant(&self, user: UserId) -> Option<&ParticipantView> {
        self.participants.iter().find(|participant| participant.user_id == user)
    }

    /// The caller's stored attendee, if this request may hand it out.
    #[must_use]
    pub fn attendee(&self) -> Option<&Attendee> {
        self.me.as_ref()?.attendee.as_ref()
    }
}

/// A user's membership by the host's appointment or by a part in the open call. The host's role takes precedence, and
/// a part in a call alone makes only an observer: a former provider of the appointment is no member.
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
        // A removed observer may not read the call either.
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
pub(crate) mod tests {
    pub(crate) use super::session::tests::session;
    use super::*;

    pub(crate) fn user(n: u8) -> UserId {
        format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
    }

    /// An appointment of provider 1 and patient 2, without a schedule.
    pub(crate) fn appointment() -> Appointment {
        Appointment {
            id: "7d9f1c5e-0000-4000-8000-0000000000a1".parse().expect("a UUID"),
            provider_user_id: Some(user(1)),
            patient_user_id: Some(user(2)),
            cancelled: false,
            video_enabled: true,
            provider_name: None,
            scheduled_start: None,
            scheduled_end: None,
        }
    }

    fn member_role(n: u8, part: Option<(Role, ParticipantStatus)>) -> Result<Role, &'static str> {
        let appointment = appointment();
        let place = member(Some(&UserRef { id: user(n) }), Some(&appointment), part);
        place.map(|member| member.role).map_err(|error| error.code())
    }

    #[test]
    fn a_part_in_the_open_call_makes_an_observer_and_nothing_more() {
        use ParticipantStatus::{Invited, Joined, Left, Removed};
        assert_eq!(member_role(3, None), Err("NOT_A_MEMBER"));
        for status in [Invited, Joined, Left] {
            assert_eq!(member_role(3, Some((Role::Observer, status))), Ok(Role::Observer));
        }
        assert_eq!(member_role(3, Some((Role::Observer, Removed))), Err("REMOVED_FROM_CALL"));
        for once in [Role::Provider, Role::Patient] {
            assert_eq!(
                member_role(3, Some((once, Joined))),
                Err("NOT_A_MEMBER"),
                "of an appointment that has changed hands"
            );
        }
        assert_eq!(
            member_role(1, Some((Role::Observer, Removed))),
            Ok(Role::Provider),
            "the host's word comes first"
        );
        assert_eq!(member_role(2, None), Ok(Role::Patient));
    }

    #[test]
    fn a_time_that_the_calendar_does_not_know_is_none() {
        let at = |start: &str| {
            let json = format!(
                r#"{{"id":"7d9f1c5e-0000-4000-8000-0000000000a1","status":"scheduled","videoEnabled":true,"scheduledStart":{start}}}"#
            );
            serde_json::from_str::<Appointment>(&json)
                .map(|appointment| appointment.scheduled_start.is_some())
        };
        assert!(at(r#""2026-11-28T12:00:00+01:00""#).is_ok_and(|known| known));
        for unknown in [
            r#""infinity""#,
            r#""-infinity""#,
            r#""12026-01-01T00:00:00+00:00""#,
            r#""0044-03-15T00:00:00+00:00 BC""#,
            "null",
        ] {
            assert!(at(unknown).is_ok_and(|known| !known), "{unknown}");
        }
    }
}
