//! Remove: someone must go, and cannot come again to this call.

use domain::Error;
use domain::admission;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::id::{AppointmentId, SessionId, UserId};
use domain::operation::Operation;
use domain::state::ParticipantStatus;
use serde::Serialize;
use store::admissions::Decision;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// The answer to a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call that they cannot come to any more.
    pub session_id: SessionId,
    /// Who.
    pub user_id: UserId,
    /// Always `removed`.
    pub status: ParticipantStatus,
    /// For people.
    pub message: &'static str,
}

impl Calls {
    /// Removes someone from the call that is on, whether they are in it or not. Their join token goes with the change, and
    /// then Chime disconnects them. May be repeated, and a repetition finishes what was broken off.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 where no call is on and for people without a part in it, 409 for the
    /// provider, 429 and 503 when Chime or the database refuse or are down: where the removal is stored by then, nobody
    /// gets in with it, and a repetition or the reconciler disconnects them.
    pub async fn remove(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        user: UserId,
        origin: &Origin,
    ) -> Result<Removed, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, Target::Appointment(appointment), None).await?;
            let subject = admission::subject(&view, user)?;
            let session = subject.session;
            let answer = |message| Removed {
                appointment_id: appointment,
                session_id: session.id,
                user_id: user,
                status: ParticipantStatus::Removed,
                message,
            };
            if !subject.remove() {
                self.run_for(session.id, user, Operation::DeleteAttendee, origin).await?;
                return Ok(answer("They had been removed before."));
            }
            let decision = Decision { session: session.id, user, role: subject.role, by: subject.by.user };
            if let Some(decided) = self.store.remove(decision, origin).await? {
                if let Some(operation) = decided.operation {
                    self.execute(&operation, origin).await?;
                }
                return Ok(answer("They were removed and cannot come again to this call."));
            }
        }
        Err(conflict_retry())
    }
}
