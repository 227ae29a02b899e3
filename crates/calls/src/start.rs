//! Start: one meeting and one session, however many requests arrive at once and wherever one of them dies.

use std::time::Duration;

use api::call::JoinInfo;
use chime::{Made, NewMeeting};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Member, Session, Target, View};
use domain::capabilities::Capabilities;
use domain::error::{causes, reason};
use domain::id::AppointmentId;
use domain::start::{self, Start};
use domain::state::SessionStatus;
use store::NewSession;
use tokio::time::{Instant, sleep};

use crate::answer::join_info;
use crate::join::NewAttendee;
use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

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
    /// The client could not connect to the meeting it was given: ask Chime before returning an active call.
    pub checked: bool,
}

/// An active call, and what the provider needs to connect to it.
pub struct Started {
    /// Whether this request started the call.
    pub new: bool,
    pub info: JoinInfo,
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
    /// the call was ended while it was being started, 429 and 503 when Chime or the database is throttling or down.
    pub async fn start(&self, actor: &Actor, new: &NewCall, origin: &Origin) -> Result<Started, Error> {
        let target = Target::Appointment(new.appointment);
        let mut view = self.open(actor, new, origin).await?;
        let (mut reloaded, mut checked) = (false, new.checked);
        for _ in 0..MAX_ATTEMPTS {
            view = match start::decide(&view, &origin.request_id, checked, origin.now)? {
                Start::Resume(session, attendee) => {
                    let info = join_info(session, &start::may_start(&view)?, attendee)?;
                    return Ok(Started { new: false, info });
                }
                Start::Return(session, attendee) => {
                    match self.rejoin(session, &start::may_start(&view)?, attendee, origin).await? {
                        Some(info) => return Ok(Started { new: false, info }),
                        None => self.load_view(actor, target, None).await?,
                    }
                }
                Start::Expired(session) => {
                    let why = "start_expired";
                    self.store.fail_start(session.id, session.attempt, why, None, origin).await?;
                    self.open(actor, new, origin).await?
                }
                Start::Create(session) => {
                    match self.create_meeting(session, &start::may_start(&view)?, origin).await? {
                        Creation::Started(info) => return Ok(Started { new: true, info }),
                        Creation::Retry => self.load_outcome(session, actor, new, origin).await?,
                        Creation::Reopen => self.open(actor, new, origin).await?,
                    }
                }
                Start::Wait(session) => {
                    self.wait(actor, target, session, origin).await?;
                    self.load_outcome(session, actor, new, origin).await?
                }
                Start::Check(_) => {
                    let live = self.verify_meeting(&mut view, std::mem::take(&mut checked), origin).await?;
                    if live { view } else { self.open(actor, new, origin).await? }
                }
                // The statement that inserts a session does not see what commits while it waits for a lock: read
                // again before acting.
                Start::Join(_) if !reloaded => {
                    reloaded = true;
                    self.load_view(actor, target, None).await?
                }
                Start::Join(session) => {
                    match self.create_attendee(&view, session, &start::may_start(&view)?, origin).await? {
                        NewAttendee::Joined(info) => return Ok(Started { new: false, info }),
                        NewAttendee::Retry => self.load_view(actor, target, None).await?,
                        NewAttendee::MeetingGone => self.open(actor, new, origin).await?,
                    }
                }
                Start::FinishEnd(session) => {
                    self.finish_end(session, origin).await?;
                    self.open(actor, new, origin).await?
                }
            };
        }
        Err(conflict_retry())
    }

    async fn open(&self, actor: &Actor, new: &NewCall, origin: &Origin) -> Result<View, Error> {
        let session = NewSession {
            request: &origin.request_id,
            control_region: &self.settings.control_region,
            media_region: &self.settings.media_region,
            recording: new.recording,
            transcription: new.transcription,
            transcription_language: new.transcription_language.as_deref(),
        };
        let view = self.store.start_call(actor, new.appointment, &session, origin.now).await?;
        crate::set_span_fields(&view);
        Ok(view)
    }

    /// Creates the meeting of a session whose attempt belongs to this request.
    async fn create_meeting(
        &self,
        session: &Session,
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
            Err(error) => return Err(self.abandon_attempt(session, member, error, origin).await),
        };
        let region = &session.control_region;
        let attendee = match attendee {
            Some(attendee) => attendee,
            None => {
                match self.meetings.create_attendee(region, meeting.id, member.user, Capabilities::ALL).await
                {
                    Ok(attendee) => attendee,
                    Err(error @ chime::Error::NotFound) => {
                        let (attempt, why) = (session.attempt, error.reason());
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
        let active = Session { meeting_id: Some(meeting.id), meeting: Some(meeting.json), ..session.clone() };
        Ok(Creation::Started(join_info(&active, member, &attendee)?))
    }

    /// Chime did not create the meeting, or did not respond. The caller gets that error; if giving up the attempt
    /// fails too, the next request repairs the session.
    async fn abandon_attempt(
        &self,
        session: &Session,
        member: &Member<'_>,
        error: chime::Error,
        origin: &Origin,
    ) -> Error {
        let stored = if error.without_effect() && !matches!(error, chime::Error::Throttled(_)) {
            let (attempt, why) = (session.attempt, error.reason());
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
        let now = self.store.load_call(&actor, target, Some(session.id)).await?;
        let owned = now.session.is_some_and(|now| match now.status {
            SessionStatus::Creating => true,
            SessionStatus::Active | SessionStatus::Ending => now.meeting_id == Some(meeting),
            SessionStatus::Ended | SessionStatus::Failed => false,
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
        let view = self.load_view(actor, Target::Appointment(new.appointment), Some(session.id)).await?;
        match view.session.as_ref().map(|session| session.status) {
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
        seen: &Session,
        origin: &Origin,
    ) -> Result<(), Error> {
        let take_over_at = Instant::now() + TAKE_OVER_AFTER;
        let mut pause = FIRST_PAUSE;
        let mut abandoned = seen.attempt_by.is_none();
        loop {
            if abandoned || Instant::now() >= take_over_at {
                self.store.take_over(seen.id, seen.attempt, &origin.request_id, origin.now).await?;
                return Ok(());
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
            match self.load_view(actor, target, Some(seen.id)).await?.session {
                Some(session)
                    if session.status == SessionStatus::Creating && session.attempt == seen.attempt =>
                {
                    abandoned = session.attempt_by.is_none();
                }
                _ => return Ok(()),
            }
        }
    }
}
