//! Roster: who is and was in the call.

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

/// The answer to roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    /// The session it is of: the open one, else the latest.
    pub session_id: SessionId,
    /// Everyone who has a part in it that the caller may see.
    pub attendees: Vec<RosterAttendee>,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterAttendee {
    /// Who.
    pub user_id: UserId,
    /// Their name.
    pub display_name: Option<String>,
    /// As what.
    pub role: Role,
    /// Where they stand.
    pub status: ParticipantStatus,
    /// Their attendee's id, for the tiles of the call page. Never the join token.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether they are in the call now.
    pub present: bool,
    /// When they last came.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub joined_at: Option<OffsetDateTime>,
    /// When they last left.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub left_at: Option<OffsetDateTime>,
    /// How long they have been in the call, in seconds.
    pub duration_seconds: i64,
    /// How often a connection of theirs began, by Chime's word.
    pub connections: i32,
    /// How often one was lost.
    pub drops: i32,
    /// What they may send and receive, as Chime calls it.
    pub capabilities: Capabilities,
    /// Whether they were admitted to this session.
    pub admitted: bool,
    /// Since when they wait, if they do.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub waiting_since: Option<OffsetDateTime>,
    /// As what kind of observer, where the invitation said so.
    pub observer_kind: Option<ObserverKind>,
}

impl Calls {
    /// Tells a member who is and was in the call. One round trip.
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
        let inside = roster.attendees.iter().any(|person| person.user_id == member.user && person.admitted);
        let seen = roster.attendees.into_iter().filter(|person| {
            admission::can_see(viewer, inside, (person.user_id, person.role, person.status))
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
