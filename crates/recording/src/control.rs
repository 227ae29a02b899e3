//! The provider's requests on the recording of a call.

use api::recordings::Recording;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::error::reason;
use domain::id::{AppointmentId, RecordingId};
use domain::recording::control::Request;
use domain::recording::rights::Right;

use crate::App;
use crate::steps::{self, Asked, new_id};

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
        let asked = Asked { request: Request::Start(new_id()?), user: member.user, role: member.role };
        let target = steps::Target { appointment, session };
        let taken = self.take_steps(target, Some((asked, view)), origin).await?;
        let open = if let Some(id) = taken.began {
            id
        } else {
            let now = self.calls.store().load_session(appointment, session).await?;
            // One that was open ended at the same moment.
            now.captures.recording.ok_or(Error::conflict(reason::RECORDING_ENDED))?.id
        };
        Ok(Started { recording: self.recording(actor, open).await?, new: taken.began.is_some() })
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
        let target = steps::Target { appointment, session: found.session_id };
        self.take_steps(target, Some((asked, view)), origin).await?;
        self.recording(actor, id).await
    }
}
