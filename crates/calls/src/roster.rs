//! Roster: the participants of a call, past and present.

use api::Timestamp;
use api::attendees::{RosterAttendee, RosterResponse};
use domain::Error;
use domain::admission;
use domain::audit::Origin;
use domain::call::{self, Actor, Target};
use domain::error::reason;
use domain::id::{AppointmentId, SessionId};
use domain::membership::{self, Standing};
use domain::state::{ParticipantStatus, SessionStatus};

use store::participants::Roster;

use crate::Calls;

/// The active session, where the host application has ended a membership.
fn former_members_in(roster: &Roster) -> Option<SessionId> {
    let session = roster.view.session.filter(|session| session.status == SessionStatus::Active)?;
    let standings = roster.attendees.iter().map(|person| Standing {
        user_id: person.user_id,
        role: person.role,
        status: person.status,
        has_account: person.has_account,
        has_attendee: person.attendee_id.is_some(),
    });
    membership::compare(roster.view.appointment.as_ref(), roster.view.appointment_deleted, standings)?;
    Some(session.id)
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
    ) -> Result<RosterResponse, Error> {
        let mut roster = self.store.roster(actor, appointment).await?;
        if let Some(session) = roster.as_ref().and_then(former_members_in) {
            self.load_view(actor, Target::Appointment(appointment), Some(session), origin).await?;
            roster = self.store.roster(actor, appointment).await?;
        }
        let roster = roster.ok_or(Error::NotFound(reason::APPOINTMENT_NOT_FOUND))?;
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
                joined_at: person.joined_at.map(Timestamp::from),
                left_at: person.left_at.map(Timestamp::from),
                duration_seconds: i64::from(person.duration_seconds) + since.max(0),
                connections: person.connections,
                drops: person.drops,
                capabilities: person.capabilities,
                admitted: person.admitted,
                waiting_since: person
                    .waiting_since
                    .filter(|_| person.status == ParticipantStatus::Waiting)
                    .map(Timestamp::from),
                observer_kind: person.observer_kind,
            }
        });
        Ok(RosterResponse { session_id: session.id, attendees: attendees.collect() })
    }
}
