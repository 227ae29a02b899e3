//! Roster: the participants of a call, past and present.

use domain::Error;
use domain::admission;
use domain::audit::Origin;
use domain::call::{self, Actor};
use domain::capabilities::Capabilities;
use domain::error::reason;
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};
use serde::Serialize;
use time::OffsetDateTime;

use crate::Calls;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    /// The open session, else the latest.
    pub session_id: SessionId,
    /// All participants that the caller may see.
    pub attendees: Vec<RosterAttendee>,
}

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterAttendee {
    pub user_id: UserId,
    pub display_name: Option<String>,
    pub role: Role,
    pub status: ParticipantStatus,
    /// The attendee's id, which maps video tiles to participants. Never the join token.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether the participant is in the call now.
    pub present: bool,
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub joined_at: Option<OffsetDateTime>,
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub left_at: Option<OffsetDateTime>,
    /// Time in the call in seconds.
    pub duration_seconds: i64,
    /// Connections that began, by Chime's events.
    pub connections: i32,
    /// Connections that were lost, by Chime's events.
    pub drops: i32,
    /// What the participant may send and receive.
    pub capabilities: Capabilities,
    /// Whether the provider admitted the participant to this session.
    pub admitted: bool,
    /// Since when the participant waits, if so.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub waiting_since: Option<OffsetDateTime>,
    /// The kind of observer, where the invitation named one.
    pub observer_kind: Option<ObserverKind>,
}

impl Calls {
    /// Returns the past and present participants of a call to a member. One round trip.
    ///
    /// # Errors
    /// 403 for strangers, 404 where there never was a call, 503 when the database is down.
    pub async fn roster(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        origin: &Origin,
    ) -> Result<Roster, Error> {
        let roster = self.store.roster(actor, appointment).await?;
        let Some(roster) = roster else {
            return Err(Error::NotFound(reason::APPOINTMENT_NOT_FOUND));
        };
        let session = roster.view.session;
        let caller = roster.view.caller.as_ref();
        let part =
            caller.filter(|_| session.is_some_and(|session| session.status.is_open())).and_then(|caller| {
                let own = roster.attendees.iter().find(|person| person.user_id == caller.id)?;
                Some((own.role, own.status))
            });
        let member = call::member(caller, roster.view.appointment.as_ref(), part)?;
        let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
        let active = session.status == SessionStatus::Active;
        let viewer = (member.user, member.role);
        let is_admitted =
            roster.attendees.iter().any(|person| person.user_id == member.user && person.admitted);
        let seen = roster.attendees.into_iter().filter(|person| {
            admission::can_see(viewer, is_admitted, (person.user_id, person.role, person.status))
        });
        let attendees = seen.map(|person| {
            let joined = active && person.status == ParticipantStatus::Joined;
            let present = joined || active && person.connected;
            let since = person.joined_at.filter(|_| joined).map_or(0, |at| (origin.now - at).whole_seconds());
            RosterAttendee {
                user_id: person.user_id,
                display_name: person.display_name,
                role: person.role,
                status: person.status,
                attendee_id: person.attendee_id,
                present,
                joined_at: person.joined_at,
                left_at: person.left_at,
                duration_seconds: i64::from(person.duration_seconds) + since.max(0),
                connections: person.connections,
                drops: person.drops,
                capabilities: person.capabilities,
                admitted: person.admitted,
                waiting_since: person.waiting_since.filter(|_| person.status == ParticipantStatus::Waiting),
                observer_kind: person.observer_kind,
            }
        });
        Ok(Roster { session_id: session.id, attendees: attendees.collect() })
    }
}
