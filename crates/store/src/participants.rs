//! Participants: joining, leaving, the roster.

use domain::admission::WaitingRoom;
use domain::audit::{Event, Origin};
use domain::call::{Actor, Appointment, Attendee, Target, UserRef};
use domain::capabilities::Capabilities;
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::view::{Keys, TargetKeys};
use crate::{Error, Store};

/// A join that was stored.
#[derive(Debug, Deserialize)]
pub struct Joined {
    /// The attendee to return: the first one, where two were created at once.
    pub attendee: Attendee,
}

/// The participants of a session, with what is needed to decide whether the caller may see them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    #[serde(flatten)]
    pub view: RosterView,
    pub attendees: Vec<ParticipantRow>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterView {
    pub caller: Option<UserRef>,
    pub appointment: Option<Appointment>,
    /// Whether the host application has deleted the appointment of the session.
    pub appointment_deleted: bool,
    /// The open session, else the latest; none before the first.
    pub session: Option<RosterSession>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RosterSession {
    pub id: SessionId,
    pub status: SessionStatus,
}

/// A participant as stored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantRow {
    pub user_id: UserId,
    pub display_name: Option<String>,
    pub role: Role,
    pub status: ParticipantStatus,
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether the host application has the account.
    pub has_account: bool,
    /// When the participant last joined.
    #[serde(with = "time::serde::rfc3339::option")]
    pub joined_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub left_at: Option<OffsetDateTime>,
    /// Time in the call up to `left_at`, in seconds; the current stay is not in it.
    pub duration_seconds: i32,
    /// Whether Chime reports the participant as connected.
    pub connected: bool,
    /// Connections that began, by Chime's events.
    pub connections: i32,
    /// Connections that were lost, by Chime's events.
    pub drops: i32,
    pub observer_kind: Option<ObserverKind>,
    pub admitted: bool,
    /// Meaningful while the status is `waiting`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub waiting_since: Option<OffsetDateTime>,
    pub capabilities: Capabilities,
}

/// A join that is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewJoin<'a> {
    pub user: UserId,
    pub role: Role,
    pub attendee: &'a Attendee,
    /// The capabilities that a new attendee was created with; none for a stored attendee.
    pub created_with: Option<Capabilities>,
    /// Whether the participant must have been admitted. The provider need not be.
    pub room: WaitingRoom,
}

impl Store {
    /// Stores that a participant has joined, with the attendee. `None`: the call is not active any more, or the participant has
    /// joined, was removed, turned away or not admitted, has other capabilities by now, or must consent first: read again.
    pub async fn join(
        &self,
        session: SessionId,
        join: NewJoin<'_>,
        origin: &Origin,
    ) -> Result<Option<Joined>, Error> {
        let NewJoin { user, role, attendee, created_with, room } = join;
        let (session, user) = (session.as_uuid(), user.as_uuid());
        let attendee_id = attendee.expose()["AttendeeId"].as_str();
        let must_be_admitted = room == WaitingRoom::On && role != Role::Provider;
        let created_with = created_with.map(Json);
        self.ask(
            sql!("join"),
            &[
                (&session, Type::UUID),
                (&user, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&role.as_str(), Type::TEXT),
                (&attendee_id, Type::TEXT),
                (attendee.expose(), Type::JSONB),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantJoined.as_str(), Type::TEXT),
                (&must_be_admitted, Type::BOOL),
                (&created_with, Type::JSONB),
            ],
        )
        .await
    }

    /// Stores that a participant left; `false` when the participant had left before, or the call is over.
    pub async fn leave(&self, session: SessionId, user: UserId, origin: &Origin) -> Result<bool, Error> {
        let (session, user) = (session.as_uuid(), user.as_uuid());
        let left: Option<bool> = self
            .ask(
                sql!("leave"),
                &[
                    (&session, Type::UUID),
                    (&user, Type::UUID),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::ParticipantLeft.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(left.is_some())
    }

    /// The participants of the appointment's open session, else its latest. One round trip.
    pub async fn roster(&self, actor: &Actor, appointment: AppointmentId) -> Result<Option<Roster>, Error> {
        let (caller, target) = (Keys::of(actor), TargetKeys::of(Target::Appointment(appointment)));
        self.ask(
            sql!("roster"),
            &[
                (&caller.subject, Type::TEXT),
                (&caller.user, Type::UUID),
                (&target.appointment, Type::UUID),
                (&self.cancelled_statuses(), Type::TEXT_ARRAY),
            ],
        )
        .await
    }
}
