//! The provider's requests on the recording of a call.

use api::recordings::{Recording, RecordingRequest};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, SessionOf, Target};
use domain::error::reason;
use domain::id::{AppointmentId, RecordingId};
use domain::recording::control::Request;
use domain::recording::rights::Right;

use crate::App;
use crate::steps::{Asked, new_id};

/// The result of a start.
pub(crate) struct Started {
    pub(crate) recording: Recording,
    /// Whether this request began it.
    pub(crate) new: bool,
}

impl App {
    /// Starts the recording of a call, unless one is open.
    ///
    /// # Errors
    /// 403 without the right, 404 without an active call, 409 where consent is missing or a recording is paused, 503 where a
    /// backend is down or Chime has no capacity.
    pub(crate) async fn start(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        origin: &Origin,
    ) -> Result<Started, Error> {
        let view = self.calls.load_view(actor, Target::Appointment(appointment), None, origin).await?;
        let member = view.member()?;
        self.rights.check(member.role, Right::Control)?;
        let session = view.active().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?.0.id;
        let by = (member.user, member.role);
        let asked = Asked { request: Request::Start(new_id()?), user: by.0, role: by.1 };
        let target = SessionOf { appointment, session };
        let taken = match self.take_steps(target, Some((asked, view)), origin).await {
            Err(refusal @ Error::ConsentRequired { .. }) => {
                // Everyone is asked from now on, and once all have consented it begins by itself.
                self.calls.store().request_recording(session, true, by, origin).await?;
                // The last consent may have come in between.
                let taken = self.take_steps(target, None, origin).await?;
                if taken.began.is_none() {
                    return Err(refusal);
                }
                taken
            }
            outcome => outcome?,
        };
        let open = if let Some(id) = taken.began {
            id
        } else {
            let now = self.calls.store().load_session(appointment, session).await?;
            // One that was open ended at the same moment.
            now.captures.recording.ok_or(Error::conflict(reason::RECORDING_ENDED))?.id
        };
        let recording = self.recording_with(actor, open, Right::Control).await?;
        Ok(Started { recording, new: taken.began.is_some() })
    }

    /// Withdraws the request for a recording that has not begun. May be repeated.
    ///
    /// # Errors
    /// 403 without the right, 404 without an active call, 503 where the database is down.
    pub(crate) async fn withdraw(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        origin: &Origin,
    ) -> Result<RecordingRequest, Error> {
        let view = self.calls.load_view(actor, Target::Appointment(appointment), None, origin).await?;
        let member = view.member()?;
        self.rights.check(member.role, Right::Control)?;
        let session = view.active().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?.0.id;
        let by = (member.user, member.role);
        self.calls.store().request_recording(session, false, by, origin).await?;
        Ok(RecordingRequest { appointment_id: appointment, session_id: session, requested: false })
    }

    /// Stops, pauses or resumes a recording. May be repeated.
    ///
    /// # Errors
    /// 403 without the right, 404 for one that there is not, 409 where it has ended or consent is missing, 503 where a backend is
    /// down.
    pub(crate) async fn control(
        &self,
        actor: &Actor,
        id: RecordingId,
        request: Request,
        origin: &Origin,
    ) -> Result<Recording, Error> {
        let found = self.calls.store().find_recording(id).await?;
        let found = found.ok_or(Error::NotFound(reason::RECORDING_NOT_FOUND))?;
        let appointment = found.appointment_id;
        let view = self
            .calls
            .load_view(actor, Target::Appointment(appointment), Some(found.session_id), origin)
            .await?;
        let member = view.member()?;
        self.rights.check(member.role, Right::Control)?;
        let asked = Asked { request, user: member.user, role: member.role };
        let target = SessionOf { appointment, session: found.session_id };
        self.take_steps(target, Some((asked, view)), origin).await?;
        self.recording_with(actor, id, Right::Control).await
    }
}
