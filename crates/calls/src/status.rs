//! Status: what is going on, for a client that is not in the call yet.

use domain::Error;
use domain::call::{Actor, Target};
use domain::id::{AppointmentId, ChimeMeetingId, SessionId, UserId};
use domain::state::{ParticipantStatus, Role, SessionStatus};
use serde::Serialize;

use crate::Calls;

/// The answer to status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the answer's shape is the app's contract")]
pub struct Status {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Its open session, else its latest.
    pub session_id: Option<SessionId>,
    /// Chime's id of it, once it is known.
    pub meeting_id: Option<ChimeMeetingId>,
    /// `not_started` or the session's state.
    pub call_status: &'static str,
    /// Whether it is on.
    pub has_active_call: bool,
    /// Whether the caller would be let in now.
    pub can_join: bool,
    /// Whether the caller holds the appointment.
    pub is_provider: bool,
    /// Whether it is the caller's.
    pub is_patient: bool,
    /// Who holds it.
    pub provider_name: Option<String>,
    /// Who is in it.
    pub present: Vec<UserId>,
    /// Recording.
    pub recording: FeatureStatus,
    /// Transcription.
    pub transcription: FeatureStatus,
}

/// Where recording or transcription stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureStatus {
    /// `off` where nobody asked for it, `requested` where somebody did.
    pub state: &'static str,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

impl FeatureStatus {
    const fn of(asked_for: bool) -> Self {
        Self { state: if asked_for { "requested" } else { "off" }, reason: None }
    }
}

impl Calls {
    /// Tells a member where the call stands. One round trip.
    ///
    /// # Errors
    /// 403 for strangers, 404 for no appointment, 503 when the database is down.
    pub async fn status(&self, actor: &Actor, target: Target) -> Result<Status, Error> {
        let view = self.look(actor, target, None).await?;
        let member = view.member()?;
        let session = view.session.as_ref();
        let active = session.is_some_and(|session| session.status == SessionStatus::Active);
        let removed = view.me.as_ref().is_some_and(|me| me.status == ParticipantStatus::Removed);
        let open = session.filter(|session| session.status.is_open());
        Ok(Status {
            appointment_id: member.appointment.id,
            session_id: session.map(|session| session.id),
            meeting_id: session.and_then(|session| session.meeting_id),
            call_status: session.map_or("not_started", |session| session.status.as_str()),
            has_active_call: active,
            can_join: active && !removed,
            is_provider: member.role == Role::Provider,
            is_patient: member.role == Role::Patient,
            provider_name: member.appointment.provider_name.clone(),
            present: open.map(|session| session.present.clone()).unwrap_or_default(),
            recording: FeatureStatus::of(open.is_some_and(|session| session.recording_enabled)),
            transcription: FeatureStatus::of(open.is_some_and(|session| session.transcription_enabled)),
        })
    }
}
