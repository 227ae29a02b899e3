//! Status: the state of a call, for a client that is not in it yet.

use api::Timestamp;
use api::call::{
    CallState, CallerStatus, FeatureState, FeatureStatus, JoinRefusal, StatusResponse, WaitingParticipant,
};
use domain::Error;
use domain::admission::{self, WaitingRoom};
use domain::audit::Origin;
use domain::call::{Actor, Member, Session, Target, View};
use domain::capabilities::Capabilities;
use domain::consent::ConsentPurpose;
use domain::error::ErrorCode;
use domain::expiry;
use domain::id::UserId;
use domain::join::JoinRules;
use domain::recording::capture::CaptureStatus;
use domain::recording::permission::Permissions;
use domain::recording::rights::Rights;
use domain::recording::{Intent, PauseReason};
use domain::schedule::{self, JoinWindow};
use domain::settings::{Availability, Settings};
use domain::state::{ParticipantStatus, Role};
use domain::transcript::live::RunStatus;
use time::OffsetDateTime;

use store::Token;

use crate::{Calls, Client, consent};

fn caller_status(view: &View, member: &Member<'_>, room: WaitingRoom, rights: &Rights) -> CallerStatus {
    let part = view.participant(member.user);
    let is_excluded = admission::not_excluded(part).is_err();
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
        consent_required: view.consent_required.iter().map(|required| required.purpose).collect(),
        // Only the host's appointment counts: an observer of a call has no part in its recordings.
        rights: member.appointment.role_of(member.user).map_or_else(Vec::new, |role| rights.of(role)),
    }
}

/// Why the member may not enter the appointment's call; `None` where they may.
fn join_refusal(
    view: &View,
    member: &Member<'_>,
    window: JoinWindow,
    now: OffsetDateTime,
) -> Option<JoinRefusal> {
    let (appointment, part) = (member.appointment, view.participant(member.user));
    let is_active = view.session.as_ref().is_some_and(|session| session.active().is_some());
    let rule = if is_active {
        schedule::may_join(appointment, member.role, part, window, now)
    } else {
        schedule::may_start(appointment, window, now)
    };
    let ErrorCode { code, text, .. } = rule.err()?.error_code();
    Some(JoinRefusal { code, error: text })
}

/// Waiting participants, the longest waiting first; for the provider.
fn waiting(view: &View, member: &Member<'_>) -> Vec<WaitingParticipant> {
    let open = view.session.as_ref().is_some_and(Session::is_open);
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

/// Whether the caller, whose client asks at this moment, is in the call: an old device may have sent a leave request after this one
/// had connected.
fn is_in_call(view: &View, user: UserId) -> bool {
    view.participant(user).is_some_and(|part| {
        part.status == ParticipantStatus::Joined || part.status == ParticipantStatus::Left && part.connected
    })
}

/// Whether Chime's recorder, if it is in the call, captures for this purpose: from the creation of its pipeline to its end, since the
/// next one is created after that.
fn has_recorder(view: &View, purpose: ConsentPurpose) -> bool {
    view.captures.capture.as_ref().filter(|capture| capture.purposes.contains(purpose)).is_some_and(
        |capture| match capture.status {
            CaptureStatus::Starting | CaptureStatus::Running | CaptureStatus::Stopping => true,
            CaptureStatus::Requested | CaptureStatus::Stopped | CaptureStatus::Failed => false,
        },
    )
}

/// The state of transcription: that of its last run, and before the first one what is wanted.
fn transcription(view: &View, settings: &Settings) -> FeatureStatus {
    let recorder = has_recorder(view, ConsentPurpose::Transcription);
    let session = view.session.as_ref().filter(|session| session.is_open());
    let Some(row) = view.captures.run.as_ref().filter(|_| session.is_some()) else {
        let reason = unavailable(session, settings, settings.transcription);
        let state = match session {
            _ if reason.is_some() => FeatureState::Unavailable,
            Some(session) if session.transcription_enabled => FeatureState::Requested,
            Some(_) | None => FeatureState::Off,
        };
        return FeatureStatus { reason: reason.map(str::to_owned), ..FeatureStatus::of(state, recorder) };
    };
    let state = match row.run.status {
        RunStatus::Requested | RunStatus::Starting => FeatureState::Starting,
        // Until Chime has stopped.
        RunStatus::Running | RunStatus::Stopping => FeatureState::Active,
        RunStatus::Stopped => FeatureState::Off,
        RunStatus::Failed => FeatureState::Failed,
    };
    FeatureStatus {
        reason: row.run.end_reason.map(|reason| reason.as_str().to_owned()),
        message: row.message.clone(),
        transcript_id: Some(row.run.transcript_id),
        mode: Some(row.run.mode),
        ..FeatureStatus::of(state, recorder)
    }
}

/// Why a call cannot be captured for a feature: the deployment has it not, or its media are in another region, from which Chime does not
/// capture into the bucket.
fn unavailable(
    session: Option<&Session>,
    settings: &Settings,
    feature: Availability,
) -> Option<&'static str> {
    let region = session.map(|session| session.media_region.as_str());
    if feature == Availability::Off {
        Some("deployment")
    } else if region.is_some_and(|region| region != settings.media_regions.own) {
        Some("media_region")
    } else {
        None
    }
}

/// The state of recording: whether the call is captured for it now counts, and then what is wanted.
fn recording(view: &View, settings: &Settings) -> FeatureStatus {
    let session = view.session.as_ref().filter(|session| session.is_open());
    let state = &view.captures;
    let recorder = has_recorder(view, ConsentPurpose::Recording);
    let Some(open) = state.recording else {
        let unavailable = unavailable(session, settings, settings.recording);
        let consent = Permissions::read(&view.participants, &view.consents).recording;
        // After the first recording another one begins by hand, once everyone has consented.
        let waits = !state.has_recording || !consent.missing().is_empty();
        let state = if unavailable.is_some() {
            FeatureState::Unavailable
        } else if waits && session.is_some_and(|session| session.recording_requested) {
            FeatureState::Requested
        } else {
            FeatureState::Off
        };
        let reason = unavailable.map(str::to_owned);
        return FeatureStatus { reason, ..FeatureStatus::of(state, recorder) };
    };
    let is_captured = state.capture.as_ref().is_some_and(|capture| {
        capture.recording_id == Some(open.id) && capture.status == CaptureStatus::Running
    });
    let (state, reason) = match open.intent {
        Intent::Paused => (FeatureState::Paused, open.pause_reason.map(PauseReason::as_str)),
        Intent::Recording | Intent::Ended if is_captured => (FeatureState::Active, None),
        Intent::Recording | Intent::Ended => (FeatureState::Starting, None),
    };
    FeatureStatus {
        reason: reason.map(str::to_owned),
        recording_id: Some(open.id),
        ..FeatureStatus::of(state, recorder)
    }
}

impl Calls {
    /// Returns the state of a call to a member. One round trip.
    ///
    /// # Errors
    /// 403 for strangers, 404 for an unknown appointment, 503 when the database is down.
    pub async fn status(
        &self,
        actor: &Actor,
        target: Target,
        origin: &Origin,
    ) -> Result<StatusResponse, Error> {
        let view = self.load(actor, target, None, (Token::Keep, Client::Alive), origin).await?;
        let member = view.member()?;
        let session = view.session.as_ref();
        let call = session.and_then(Session::active);
        let JoinRules { room, window } = self.settings.join_rules;
        let me = caller_status(&view, &member, room, &self.settings.recording_rights);
        let join_refusal = join_refusal(&view, &member, window, origin.now);
        let open = session.filter(|session| session.is_open());
        let known = |user: &UserId| can_see(&view, &member, *user);
        Ok(StatusResponse {
            appointment_id: member.appointment.id,
            session_id: session.map(|session| session.id),
            meeting_id: session.and_then(Session::meeting_id),
            call_status: CallState::from(session.map(Session::status)),
            has_active_call: call.is_some(),
            can_join: call.is_some() && join_refusal.is_none(),
            join_refusal,
            join_from: window.opens_at(member.appointment).map(Timestamp::from),
            join_until: window.closes_at(member.appointment).map(Timestamp::from),
            is_provider: member.role == Role::Provider,
            is_patient: member.role == Role::Patient,
            provider_name: member.appointment.provider_name.clone(),
            present: open
                .map(|session| session.present.clone())
                .unwrap_or_default()
                .into_iter()
                .filter(known)
                .collect(),
            recording: recording(&view, &self.settings),
            transcription: transcription(&view, &self.settings),
            waiting: waiting(&view, &member),
            ends_at: call
                .filter(|_| is_in_call(&view, member.user))
                .and_then(|call| expiry::ends_at(call.alone_since, self.settings.forgotten_after, origin.now))
                .map(Timestamp::from),
            consent: consent::status(&view, member.user, known),
            me,
        })
    }
}
