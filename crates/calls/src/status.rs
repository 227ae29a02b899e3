//! Status: the state of a call, for a client that is not in it yet.

use api::Timestamp;
use api::call::{CallState, CallerStatus, FeatureState, FeatureStatus, StatusResponse, WaitingParticipant};
use domain::Error;
use domain::admission::{self, WaitingRoom};
use domain::audit::Origin;
use domain::call::{Actor, Member, Target, View};
use domain::capabilities::Capabilities;
use domain::expiry;
use domain::id::UserId;
use domain::state::{ParticipantStatus, Role, SessionStatus};

use crate::{Calls, consent};

fn caller_status(view: &View, member: &Member<'_>, room: WaitingRoom) -> CallerStatus {
    let part = view.participant(member.user);
    let is_excluded = part.is_some_and(|participant| is_excluded(participant.status));
    let need_not_wait = member.role == Role::Provider || room == WaitingRoom::Off;
    CallerStatus {
        status: part.map(|participant| participant.status),
        admitted: !is_excluded && (need_not_wait || part.is_some_and(|participant| participant.admitted)),
        waiting_since: part
            .filter(|participant| participant.status == ParticipantStatus::Waiting)
            .and_then(|participant| participant.waiting_since)
            .map(Timestamp::from),
        capabilities: part
            .map_or(Capabilities::of(member.role, None), |participant| participant.capabilities),
    }
}

/// Whether a join of a participant with this status is rejected.
const fn is_excluded(status: ParticipantStatus) -> bool {
    matches!(status, ParticipantStatus::Removed | ParticipantStatus::TurnedAway)
}

/// Waiting participants, the longest waiting first; for the provider.
fn waiting(view: &View, member: &Member<'_>) -> Vec<WaitingParticipant> {
    let open = view.session.as_ref().is_some_and(|session| session.status.is_open());
    if member.role != Role::Provider || !open {
        return Vec::new();
    }
    let mut waiting: Vec<_> = view
        .participants
        .iter()
        .filter(|participant| participant.status == ParticipantStatus::Waiting)
        .map(|participant| WaitingParticipant {
            user_id: participant.user_id,
            display_name: participant.display_name.clone(),
            role: participant.role,
            since: participant.waiting_since.map(Timestamp::from),
        })
        .collect();
    waiting.sort_by_key(|participant| (participant.since, participant.user_id));
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

/// The state of recording or transcription, which nothing but the request for it changes yet.
const fn feature_status(requested: bool) -> FeatureStatus {
    let state = if requested { FeatureState::Requested } else { FeatureState::Off };
    FeatureStatus { state, reason: None }
}

impl Calls {
    /// Returns the state of a call to a member, and notes that the member's client is alive. One round trip.
    ///
    /// # Errors
    /// 403 for strangers, 404 for an unknown appointment, 503 when the database is down.
    pub async fn status(
        &self,
        actor: &Actor,
        target: Target,
        origin: &Origin,
    ) -> Result<StatusResponse, Error> {
        let view = self.store.load_status(actor, target, origin.now).await?;
        crate::set_span_fields(&view);
        let member = view.member()?;
        let session = view.session.as_ref();
        let active = session.is_some_and(|session| session.status == SessionStatus::Active);
        let me = caller_status(&view, &member, self.settings.waiting_room);
        let is_excluded = me.status.is_some_and(is_excluded);
        let open = session.filter(|session| session.status.is_open());
        let known = |user: &UserId| can_see(&view, &member, *user);
        Ok(StatusResponse {
            appointment_id: member.appointment.id,
            session_id: session.map(|session| session.id),
            meeting_id: session.and_then(|session| session.meeting_id),
            call_status: CallState::from(session.map(|session| session.status)),
            has_active_call: active,
            can_join: active && !is_excluded,
            is_provider: member.role == Role::Provider,
            is_patient: member.role == Role::Patient,
            provider_name: member.appointment.provider_name.clone(),
            present: open
                .map(|session| session.present.clone())
                .unwrap_or_default()
                .into_iter()
                .filter(known)
                .collect(),
            recording: feature_status(open.is_some_and(|session| session.recording_enabled)),
            transcription: feature_status(open.is_some_and(|session| session.transcription_enabled)),
            waiting: waiting(&view, &member),
            ends_at: open
                .filter(|_| me.status == Some(ParticipantStatus::Joined))
                .and_then(|session| {
                    expiry::ends_at(session.alone_since, self.settings.forgotten_after, origin.now)
                })
                .map(Timestamp::from),
            consent: consent::status(&view, member.user, known),
            me,
        })
    }
}
