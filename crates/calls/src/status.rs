//! Status: the state of a call, for a client that is not in it yet.

use domain::Error;
use domain::admission::{self, WaitingRoom};
use domain::call::{Actor, Member, Target, View};
use domain::capabilities::Capabilities;
use domain::id::{AppointmentId, ChimeMeetingId, SessionId, UserId};
use domain::state::{ParticipantStatus, Role, SessionStatus};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{Calls, Consents};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the answer's shape is the app's contract")]
pub struct Status {
    pub appointment_id: AppointmentId,
    /// The open session, else the latest.
    pub session_id: Option<SessionId>,
    pub meeting_id: Option<ChimeMeetingId>,
    /// `not_started` or the session's status.
    pub call_status: &'static str,
    /// Whether the call is active.
    pub has_active_call: bool,
    /// Whether the caller may join now: a join returns a place, or makes the caller wait.
    pub can_join: bool,
    /// Whether the caller is the appointment's provider.
    pub is_provider: bool,
    /// Whether the caller is the appointment's patient.
    pub is_patient: bool,
    pub provider_name: Option<String>,
    /// Users in the call.
    pub present: Vec<UserId>,
    pub recording: FeatureStatus,
    pub transcription: FeatureStatus,
    /// The caller's own part in the call.
    pub me: Me,
    /// Participants who wait to be admitted; visible to the provider only.
    pub waiting: Vec<Waits>,
    /// Whether the call may be recorded and transcribed.
    pub consent: Consents,
}

/// The caller's own part in the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// `None` for a caller without a part in the call.
    pub status: Option<ParticipantStatus>,
    /// Whether a join returns a place: the caller was admitted, or need not be.
    pub admitted: bool,
    /// Since when the caller waits, if so.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub waiting_since: Option<OffsetDateTime>,
    /// What the caller may send and receive, or would be allowed to.
    pub capabilities: Capabilities,
}

/// A participant who waits to be admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    pub user_id: UserId,
    pub display_name: Option<String>,
    pub role: Role,
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub since: Option<OffsetDateTime>,
}

impl Me {
    fn new(view: &View, member: &Member<'_>, room: WaitingRoom) -> Self {
        let part = view.participant(member.user);
        let status = part.map(|participant| participant.status);
        let shut_out = matches!(status, Some(ParticipantStatus::Removed | ParticipantStatus::TurnedAway));
        let open = member.role == Role::Provider || room == WaitingRoom::Off;
        Self {
            status,
            admitted: !shut_out && (open || part.is_some_and(|participant| participant.admitted)),
            waiting_since: part
                .filter(|participant| participant.status == ParticipantStatus::Waiting)
                .and_then(|participant| participant.waiting_since),
            capabilities: part
                .map_or(Capabilities::of(member.role, None), |participant| participant.capabilities),
        }
    }
}

/// Waiting participants, the longest waiting first; for the provider.
fn waiting(view: &View, member: &Member<'_>) -> Vec<Waits> {
    let open = view.session.as_ref().is_some_and(|session| session.status.is_open());
    if member.role != Role::Provider || !open {
        return Vec::new();
    }
    let mut waiting: Vec<_> = view
        .participants
        .iter()
        .filter(|participant| participant.status == ParticipantStatus::Waiting)
        .map(|participant| Waits {
            user_id: participant.user_id,
            display_name: participant.display_name.clone(),
            role: participant.role,
            since: participant.waiting_since,
        })
        .collect();
    waiting.sort_by_key(|waits| (waits.since, waits.user_id));
    waiting
}

/// Whether the caller may see a user's part in the call.
fn can_see(view: &View, member: &Member<'_>, user: UserId) -> bool {
    let is_admitted = view.participant(member.user).is_some_and(|participant| participant.admitted);
    let of = view.participant(user);
    of.is_none_or(|of| {
        admission::can_see((member.user, member.role), is_admitted, (user, of.role, of.status))
    })
}

/// The state of recording or transcription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureStatus {
    /// `off` if it was not requested, else `requested`.
    pub state: &'static str,
    /// The reason of the state, if there is one.
    pub reason: Option<String>,
}

impl FeatureStatus {
    const fn of(asked_for: bool) -> Self {
        Self { state: if asked_for { "requested" } else { "off" }, reason: None }
    }
}

impl Calls {
    /// Returns the state of a call to a member. One round trip.
    ///
    /// # Errors
    /// 403 for strangers, 404 for an unknown appointment, 503 when the database is down.
    pub async fn status(&self, actor: &Actor, target: Target) -> Result<Status, Error> {
        let view = self.load_view(actor, target, None).await?;
        let member = view.member()?;
        let session = view.session.as_ref();
        let active = session.is_some_and(|session| session.status == SessionStatus::Active);
        let me = Me::new(&view, &member, self.settings.waiting_room);
        let shut_out = matches!(me.status, Some(ParticipantStatus::Removed | ParticipantStatus::TurnedAway));
        let open = session.filter(|session| session.status.is_open());
        let known = |user: &UserId| can_see(&view, &member, *user);
        Ok(Status {
            appointment_id: member.appointment.id,
            session_id: session.map(|session| session.id),
            meeting_id: session.and_then(|session| session.meeting_id),
            call_status: session.map_or("not_started", |session| session.status.as_str()),
            has_active_call: active,
            can_join: active && !shut_out,
            is_provider: member.role == Role::Provider,
            is_patient: member.role == Role::Patient,
            provider_name: member.appointment.provider_name.clone(),
            present: open
                .map(|session| session.present.clone())
                .unwrap_or_default()
                .into_iter()
                .filter(known)
                .collect(),
            recording: FeatureStatus::of(open.is_some_and(|session| session.recording_enabled)),
            transcription: FeatureStatus::of(open.is_some_and(|session| session.transcription_enabled)),
            waiting: waiting(&view, &member),
            consent: Consents::new(&view, member.user).known(known),
            me,
        })
    }
}
