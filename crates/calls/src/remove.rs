//! Remove: a participant must leave and cannot join this call again.

use api::attendees::RemoveResponse;
use domain::Error;
use domain::admission;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::id::{AppointmentId, UserId};
use domain::operation::Operation;
use domain::state::ParticipantStatus;
use store::admissions::Decision;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

impl Calls {
    /// Removes a participant from the active call, whether connected or not. The same statement deletes their join
    /// token; then Chime disconnects them. May be repeated; a repetition finishes an interrupted removal.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 without an active call and for users without a part in it, 409 for the
    /// provider, 429 and 503 when Chime or the database is throttling or down: where the removal is stored by then,
    /// the participant cannot join again, and a repetition or the reconciler disconnects them.
    pub async fn remove(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        user: UserId,
        origin: &Origin,
    ) -> Result<RemoveResponse, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, Target::Appointment(appointment), None, origin).await?;
            let subject = admission::subject(&view, user)?;
            let session = subject.session;
            let answer = |message| RemoveResponse {
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
