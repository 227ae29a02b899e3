//! Change: the provider admits a participant or turns them away, and changes their capabilities.

use api::attendees::RosterAttendee;
use domain::Error;
use domain::admission::{self, NextStep, ParticipantChange};
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::error::reason;
use domain::id::{AppointmentId, UserId};
use domain::operation::Operation;
use store::admissions::Decision;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

impl Calls {
    /// Changes a participant's place in the active call and returns their entry of the roster. A change that is
    /// stored already has no effect. May be repeated; a repetition finishes an interrupted change.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 without an active call and for users without a part in it, 409 for the
    /// provider, removed participants, and turning away a participant who has joined, 422 for an empty change and for
    /// capabilities that Chime does not accept, 429 and 503 when Chime or the database is throttling or down: what is
    /// stored by then stays, and a repetition or the reconciler sends it to Chime.
    pub async fn change(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        user: UserId,
        change: ParticipantChange,
        origin: &Origin,
    ) -> Result<RosterAttendee, Error> {
        let change = change.checked()?;
        // Each part of the change is carried out once, even if another request reverts it meanwhile.
        let mut rest = change;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, Target::Appointment(appointment), None, origin).await?;
            let subject = admission::subject(&view, user)?;
            let session = subject.session;
            let decision = Decision { session: session.id, user, role: subject.role, by: subject.by.user };
            match rest.next(&subject)? {
                NextStep::Allow(capabilities) => {
                    if let Some(decided) = self.store.set_capabilities(decision, capabilities, origin).await?
                    {
                        rest.capabilities = None;
                        if let Some(operation) = decided.operation {
                            self.execute(&operation, origin).await?;
                        }
                    }
                }
                NextStep::Admit => {
                    if self.store.admit(decision, origin).await? {
                        rest.admitted = None;
                    }
                }
                NextStep::TurnAway => {
                    if let Some(decided) = self.store.turn_away(decision, origin).await? {
                        rest.admitted = None;
                        if let Some(operation) = decided.operation {
                            self.execute(&operation, origin).await?;
                        }
                    }
                }
                // The stored state is the requested one; a request that died may have left its operation open.
                NextStep::Nothing => {
                    if rest.capabilities.is_some() {
                        self.run_for(session.id, user, Operation::UpdateCapabilities, origin).await?;
                    }
                    if rest.admitted == Some(false) {
                        self.run_for(session.id, user, Operation::DeleteAttendee, origin).await?;
                    }
                    rest = ParticipantChange::default();
                }
            }
            if rest == ParticipantChange::default() {
                let roster = self.roster(actor, appointment, origin).await?;
                let own = roster.attendees.into_iter().find(|person| person.user_id == user);
                return own.ok_or(Error::NotFound(reason::PARTICIPANT_NOT_FOUND));
            }
        }
        Err(conflict_retry())
    }
}
