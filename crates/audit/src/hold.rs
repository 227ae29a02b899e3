//! Legal holds: an auditor places them on what is kept of an appointment, and lifts them.

use api::Timestamp;
use api::holds::{HoldProgress, HoldResponse};
use domain::Error;
use domain::audit::{Origin, stranger};
use domain::call::Actor;
use domain::error::reason;
use domain::hold::HoldReason;
use domain::id::AppointmentId;
use store::holds::HoldView;

use crate::App;

/// The result of a request for a hold.
pub(crate) struct Placed {
    pub(crate) hold: HoldResponse,
    /// Whether this request placed it.
    pub(crate) new: bool,
}

impl App {
    /// Places a legal hold. Where one stands it stays as it is.
    ///
    /// # Errors
    /// 403 for a direct invocation in the name of an unknown user, 404 for an unknown appointment, 503 when the database is down.
    pub(crate) async fn place_hold(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        reason: &HoldReason,
        origin: &Origin,
    ) -> Result<Placed, Error> {
        let view = self.load_hold(actor, appointment).await?;
        let new = self.store.place_hold(appointment, reason, &auditor(actor, &view)?, origin).await?;
        Ok(Placed { hold: self.hold(actor, appointment).await?, new })
    }

    /// Lifts the hold. May be repeated.
    ///
    /// # Errors
    /// As for [`App::place_hold`].
    pub(crate) async fn lift_hold(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        origin: &Origin,
    ) -> Result<HoldResponse, Error> {
        let view = self.load_hold(actor, appointment).await?;
        self.store.lift_hold(appointment, &auditor(actor, &view)?, origin).await?;
        self.hold(actor, appointment).await
    }

    /// The newest hold.
    ///
    /// # Errors
    /// As for [`App::place_hold`].
    pub(crate) async fn hold(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
    ) -> Result<HoldResponse, Error> {
        let view = self.load_hold(actor, appointment).await?;
        auditor(actor, &view)?;
        Ok(shown(appointment, view))
    }

    async fn load_hold(&self, actor: &Actor, appointment: AppointmentId) -> Result<HoldView, Error> {
        let view = self.store.load_hold(actor, appointment).await?;
        if view.appointment_exists { Ok(view) } else { Err(Error::NotFound(reason::APPOINTMENT_NOT_FOUND)) }
    }
}

/// The auditor's name in rows and entries. A token that makes its holder an auditor needs no account of the host application.
fn auditor(actor: &Actor, view: &HoldView) -> Result<String, Error> {
    match (&view.caller, actor) {
        (Some(user), _) => Ok(user.id.to_string()),
        (None, Actor::Subject(subject)) => Ok(stranger(subject)),
        (None, Actor::User(_)) => Err(Error::Forbidden(reason::UNKNOWN_USER)),
    }
}

fn shown(appointment_id: AppointmentId, view: HoldView) -> HoldResponse {
    let (recordings, deleted_recordings) = (view.recordings, view.deleted_recordings);
    let Some(hold) = view.hold else {
        return HoldResponse {
            appointment_id,
            on_hold: false,
            reason: None,
            placed_at: None,
            placed_by: None,
            lifted_at: None,
            lifted_by: None,
            files: HoldProgress::default(),
            audit_entries: HoldProgress::default(),
            recordings,
            deleted_recordings,
        };
    };
    HoldResponse {
        appointment_id,
        on_hold: hold.lifted_at.is_none(),
        reason: Some(hold.reason),
        placed_at: Some(hold.placed_at.into()),
        placed_by: Some(hold.placed_by),
        lifted_at: hold.lifted_at.map(Timestamp::from),
        lifted_by: hold.lifted_by,
        files: HoldProgress {
            applied: hold.files_applied,
            applied_at: hold.files_applied_at.map(Timestamp::from),
            count: hold.file_versions,
        },
        audit_entries: HoldProgress {
            applied: hold.entries_applied,
            applied_at: hold.entries_applied_at.map(Timestamp::from),
            count: hold.entries,
        },
        recordings,
        deleted_recordings,
    }
}
