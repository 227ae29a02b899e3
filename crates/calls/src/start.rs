//! Start: one meeting and one session, however many requests arrive at once and wherever one of them dies.

use std::time::Duration;

use api::attendees::JoinResponse;
use api::call::JoinInfo;
use chime::{Made, NewMeeting};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Attempt, Meeting, Member, Session, SessionState, Target, View};
use domain::capabilities::Capabilities;
use domain::error::{causes, reason};
use domain::id::AppointmentId;
use domain::settings::Availability;
use domain::start::{self, Start};
use domain::state::SessionStatus;
use store::{NewSession, Token};
use tokio::time::{Instant, sleep};

use crate::answer::{consent_required, join_info};
use crate::join::{MAX_CREATED, NewAttendee};
use crate::{Calls, Client, MAX_ATTEMPTS, conflict_retry};

/// A request waits this long for another's attempt before it takes over. Chime creates a meeting in well under a second.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(3);
/// The pause between two reads: first this, then twice as long each time, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_millis(800);

/// A start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCall {
    pub appointment: AppointmentId,
    /// Whether to record, once everyone consents.
    pub recording: bool,
    /// Whether to transcribe, once everyone consents.
    pub transcription: bool,
    pub transcription_language: Option<String>,
    /// Where media is processed; none: the deployment's region.
    pub media_region: Option<String>,
    /// The client could not connect to the meeting it was given: ask Chime before returning an active call.
    pub checked: bool,
}

/// An active call, and what the provider needs to connect to it.
pub struct Started {
    /// Whether this request started the call.
    pub new: bool,
    pub response: JoinResponse,
}

impl Started {
    const fn joined(new: bool, info: JoinInfo) -> Self {
        Self { new, response: JoinResponse::Joined(info) }
    }
}

/// The result of creating a meeting.
enum Creation {
    Started(JoinInfo),
    /// Another request changed the session: read it again.
    Retry,
    /// The token returned a meeting that has ended; its session has failed: insert a new one.
    Reopen,
}

impl Calls {
    /// Starts the call of an appointment, or returns the active one.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 for an unknown appointment, 409 where it is not held by video, 410 when
    /// the call was ended while it was being started, 422 for a media region that is not allowed, 429 and 503 when Chime or the database is throttling or down.
    pub async fn start(&self, actor: &Actor, new: &NewCall, origin: &Origin) -> Result<Started, Error> {
        let target = Target::Appointment(new.appointment);
        let window = self.settings.join_rules.window;
        let load = || self.load(actor, target, None, (Token::HandOut, Client::Alive), origin);
        let mut view = self.open(actor, new, origin).await?;
        let (mut reloaded, mut checked, mut created) = (false, new.checked, 0);
        for _ in 0..MAX_ATTEMPTS {
            view = match start::decide(&view, &origin.request_id, checked, window, origin.now)? {
                Start::Resume(session, meeting, attendee) => {
                    let info = join_info(session, meeting, &start::may_start(&view)?, attendee)?;
                    return Ok(Started::joined(false, info));
                }
                Start::Return(session, meeting, attendee) => {
                    match self.rejoin((session, meeting), &start::may_start(&view)?, attendee, origin).await?
                    {
                        Some(info) => return Ok(Started::joined(false, info)),
                        None => load().await?,
                    }
                }
                Start::Expired(session, attempt) => {
                    let why = "start_expired";
                    self.store.fail_start(session.id, attempt.number, why, None, origin).await?;
                    self.open(actor, new, origin).await?
                }
                Start::Create(session, attempt) => {
                    match self.create_meeting((session, attempt), &start::may_start(&view)?, origin).await? {
                        Creation::Started(info) => return Ok(Started::joined(true, info)),
                        Creation::Retry => self.load_outcome(session, actor, new, origin).await?,
                        Creation::Reopen => self.open(actor, new, origin).await?,
                    }
                }
                Start::Wait(session, attempt) => {
                    self.wait(actor, target, (session, attempt), origin).await?;
                    self.load_outcome(session, actor, new, origin).await?
                }
                Start::Check(_) => {
                    let live = self.verify_meeting(&mut view, std::mem::take(&mut checked), origin).await?;
                    if live { view } else { self.open(actor, new, origin).await? }
                }
                // The statement that inserts a session does not see what commits while it waits for a lock: read
                // again before acting.
                Start::Join(..) if !reloaded => {
                    reloaded = true;
                    load().await?
                }
                Start::Join(session, meeting) => {
                    match self
                        .create_attendee(&view, (session, meeting), &start::may_start(&view)?, origin)
                        .await?
                    {
                        NewAttendee::Joined(info) => return Ok(Started::joined(false, info)),
                        NewAttendee::Retry => {
                            created += 1;
                            if created == MAX_CREATED {
                                break;
                            }
                            load().await?
                        }
                        NewAttendee::MeetingGone => self.open(actor, new, origin).await?,
                    }
                }
                Start::ConsentRequired(session) => {
                    if !self.stop_refused(&view, session, origin).await? {
                        let member = start::may_start(&view)?;
                        let required = consent_required(session, &member, &view.consent_required);
                        let response = JoinResponse::ConsentRequired(required);
                        return Ok(Started { new: false, response });
                    }
                    load().await?
                }
                Start::FinishEnd(session, meeting) => {
                    self.finish_end(session, meeting, origin).await?;
                    self.open(actor, new, origin).await?
                }
            };
        }
        Err(conflict_retry())
    }

    async fn open(&self, actor: &Actor, new: &NewCall, origin: &Origin) -> Result<View, Error> {
        // Nobody is asked for consent to a purpose that the deployment does not have.
        let recording = new.recording && self.settings.recording == Availability::On;
        let transcription = new.transcription && self.settings.transcription == Availability::On;
        let session = NewSession {
            request: &origin.request_id,
            control_region: &self.settings.control_region,
            media_region: self
                .settings
                .media_regions
                .choose(new.media_region.as_deref(), recording || transcription)?,
            recording,
            transcription,
            transcription_language: new.transcription_language.as_deref(),
            window: self.settings.join_rules.window,
        };
        let view = self.store.start_call(actor, new.appointment, &session, origin.now).await?;
        crate::set_span_fields(&view);
        if self.apply_membership_change(&view, origin).await? {
            return Ok(self.store.start_call(actor, new.appointment, &session, origin.now).await?);
        }
        Ok(view)
    }

    /// Creates the meeting of a session whose attempt belongs to this request.
    async fn create_meeting(
        &self,
        (session, attempt): (&Session, &Attempt),
        member: &Member<'_>,
        origin: &Origin,
    ) -> Result<Creation, Error> {
        let external_id = format!("{}{}", self.settings.external_id_prefix, session.id);
        let new = NewMeeting {
            session: session.id,
            control_region: &session.control_region,
            media_region: &session.media_region,
            external_id: &external_id,
            user: member.user,
        };
        let Made { meeting, attendee } = match self.meetings.create(new).await {
            Ok(made) => made,
            // Another request with the same token is in progress; its result is valid for this one too.
            Err(chime::Error::Conflict(_)) => return Ok(Creation::Retry),
            Err(error) => return Err(self.abandon_attempt((session, attempt), member, error, origin).await),
        };
        let region = &session.control_region;
        let attendee = match attendee {
            Some(attendee) => attendee,
            None => {
                match self.meetings.create_attendee(region, meeting.id, member.user, Capabilities::ALL).await
                {
                    Ok(attendee) => attendee,
                    Err(error @ chime::Error::NotFound) => {
                        let (attempt, why) = (attempt.number, error.reason());
                        self.store.fail_start(session.id, attempt, why, Some(member.user), origin).await?;
                        return Ok(Creation::Reopen);
                    }
                    Err(error) => {
                        self.store.release_attempt(session.id, &origin.request_id, origin.now).await?;
                        return Err(error.into());
                    }
                }
            }
        };
        // Before the statement, whose rejection would look like a defect of ours: an attendee without an id is
        // Chime's.
        attendee.id()?;
        let activated = self
            .store
            .activate(session.id, (meeting.id, &meeting.json), member.user, &attendee, origin)
            .await?;
        if !activated {
            if let Err(error) = self.delete_unowned(session, member, meeting.id).await {
                // No client has a token for it, so Chime ends it after five minutes; the reconciler finds it by its events.
                tracing::warn!(meeting = %meeting.id, error = causes(&error), "orphan meeting not deleted");
            }
            return Ok(Creation::Retry);
        }
        let meeting = Meeting { id: meeting.id, json: meeting.json };
        Ok(Creation::Started(join_info(session, &meeting, member, &attendee)?))
    }

    /// Chime did not create the meeting, or did not respond. The caller gets that error; if giving up the attempt
    /// fails too, the next request repairs the session.
    async fn abandon_attempt(
        &self,
        (session, attempt): (&Session, &Attempt),
        member: &Member<'_>,
        error: chime::Error,
        origin: &Origin,
    ) -> Error {
        let stored = if error.without_effect() && !matches!(error, chime::Error::Throttled(_)) {
            let (attempt, why) = (attempt.number, error.reason());
            self.store.fail_start(session.id, attempt, why, Some(member.user), origin).await.map(drop)
        } else {
            // A meeting may exist, or may be possible in a moment: the token stays valid for the next request.
            self.store.release_attempt(session.id, &origin.request_id, origin.now).await
        };
        if let Err(not_stored) = stored {
            tracing::warn!(error = causes(&not_stored), "failed start not stored");
        }
        error.into()
    }

    /// Deletes a meeting that this request created and that the session does not have, because it was ended
    /// meanwhile. A meeting that the session has, through another request with the same token, is left alone.
    async fn delete_unowned(
        &self,
        session: &Session,
        member: &Member<'_>,
        meeting: domain::id::ChimeMeetingId,
    ) -> Result<(), Error> {
        let actor = Actor::User(member.user);
        let target = Target::Appointment(member.appointment.id);
        let now = self.store.load_call(&actor, target, Some(session.id), Token::Keep, None).await?;
        let owned = now.session.is_some_and(|now| match now.state {
            SessionState::Creating(_) => true,
            SessionState::Active(call) => call.meeting.id == meeting,
            SessionState::Ending { meeting_id } => meeting_id == meeting,
            SessionState::Ended(_) | SessionState::Failed(_) => false,
        });
        if !owned {
            self.meetings.delete(&session.control_region, meeting).await?;
        }
        Ok(())
    }

    /// Reads a session that this request created or waited for. Where it failed, another is inserted.
    ///
    /// # Errors
    /// 410 when it was ended meanwhile: a start in progress must not reopen a call that the provider ended.
    async fn load_outcome(
        &self,
        session: &Session,
        actor: &Actor,
        new: &NewCall,
        origin: &Origin,
    ) -> Result<View, Error> {
        let target = Target::Appointment(new.appointment);
        let view =
            self.load(actor, target, Some(session.id), (Token::HandOut, Client::Alive), origin).await?;
        match view.session.as_ref().map(Session::status) {
            Some(SessionStatus::Creating | SessionStatus::Active | SessionStatus::Ending) => Ok(view),
            Some(SessionStatus::Ended) => Err(Error::Gone(reason::MEETING_EXPIRED)),
            Some(SessionStatus::Failed) | None => self.open(actor, new, origin).await,
        }
    }

    /// Waits for another request's attempt. When it makes no progress, this request takes it over. No clocks are
    /// compared: an attempt is stale when it did not change for `TAKE_OVER_AFTER`.
    async fn wait(
        &self,
        actor: &Actor,
        target: Target,
        (session, seen): (&Session, &Attempt),
        origin: &Origin,
    ) -> Result<(), Error> {
        let take_over_at = Instant::now() + TAKE_OVER_AFTER;
        let mut pause = FIRST_PAUSE;
        let mut abandoned = seen.by.is_none();
        loop {
            if abandoned || Instant::now() >= take_over_at {
                self.store.take_over(session.id, seen.number, &origin.request_id, origin.now).await?;
                return Ok(());
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
            match self
                .load_view(actor, target, Some(session.id), origin)
                .await?
                .session
                .map(|session| session.state)
            {
                Some(SessionState::Creating(attempt)) if attempt.number == seen.number => {
                    abandoned = attempt.by.is_none();
                }
                _ => return Ok(()),
            }
        }
    }
}
