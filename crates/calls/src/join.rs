//! Join: a member takes a place in an active call.

use api::attendees::{JoinRequest, JoinResponse};
use api::call::JoinInfo;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Attendee, Meeting, Member, Session, Target, View};
use domain::capabilities::Capabilities;
use domain::error::{causes, reason};
use domain::join::{self, Join};
use domain::state::Role;
use store::Token;
use store::participants::NewJoin;

use crate::answer::{consent_required, join_info, waiting};
use crate::{Calls, Client, MAX_ATTEMPTS, NewCall, conflict_retry};

/// Attendees that one request creates: a second one where the caller's part changed while the first was created. Chime allows an
/// account ten requests a second, so a request that can store neither gives up.
pub(crate) const MAX_CREATED: u32 = 2;

/// The result of creating an attendee.
pub(crate) enum NewAttendee {
    Joined(JoinInfo),
    /// The call or the caller's part in it changed meanwhile.
    Retry,
    /// Chime does not know the meeting any more; the session is closed.
    MeetingGone,
}

impl Calls {
    /// Joins a call. A member who was in it before gets the same attendee; one who must be admitted or must consent first
    /// waits, and gets none. `checked`: the client could not connect to the meeting it was given, so Chime is asked first.
    /// `stay`: a member who is alone in the call wants it to go on.
    ///
    /// # Errors
    /// 403 for strangers and for participants who were removed or turned away, 404 without an active call, 409 while
    /// it is being started, 410 for one that has ended, 429 and 503 when Chime or the database is throttling or down.
    pub async fn join(
        &self,
        actor: &Actor,
        target: Target,
        JoinRequest { mut checked, stay }: JoinRequest,
        origin: &Origin,
    ) -> Result<JoinResponse, Error> {
        let rules = self.settings.join_rules;
        let load = || self.load(actor, target, None, (Token::HandOut, Client::Alive), origin);
        let mut view = load().await?;
        let mut created = 0;
        for _ in 0..MAX_ATTEMPTS {
            let member = view.member()?;
            match join::decide(&view, target, checked, rules, origin.now)? {
                Join::Resume(session, meeting, attendee) => {
                    if stay {
                        self.store.confirm_stay(session.id, origin.now).await?;
                    }
                    return join_info(session, meeting, &member, attendee).map(JoinResponse::Joined);
                }
                Join::Waiting(session, since) => {
                    return Ok(JoinResponse::Waiting(waiting(session, &member, since)));
                }
                Join::Wait(session) => {
                    let waits = self.store.wait(session.id, member.user, member.role, origin).await?;
                    if let Some(waits) = waits {
                        self.publish(waits.event, origin).await;
                        return Ok(JoinResponse::Waiting(waiting(session, &member, origin.now)));
                    }
                    view = load().await?;
                }
                Join::ConsentRequired(session) => {
                    if !self.stop_refused(&view, session, origin).await? {
                        let required = consent_required(session, &member, &view.consent_required);
                        return Ok(JoinResponse::ConsentRequired(required));
                    }
                    view = load().await?;
                }
                Join::Return(session, meeting, attendee) => {
                    if let Some(info) = self.rejoin((session, meeting), &member, attendee, origin).await? {
                        return Ok(JoinResponse::Joined(info));
                    }
                    view = load().await?;
                }
                Join::Check(_) => {
                    if !self.verify_meeting(&mut view, std::mem::take(&mut checked), origin).await? {
                        return self.restart_or_expire(actor, &view, origin).await;
                    }
                }
                Join::CreateAttendee(session, meeting) => {
                    match self.create_attendee(&view, (session, meeting), &member, origin).await? {
                        NewAttendee::Joined(info) => return Ok(JoinResponse::Joined(info)),
                        NewAttendee::Retry => {
                            created += 1;
                            if created == MAX_CREATED {
                                break;
                            }
                            view = load().await?;
                        }
                        NewAttendee::MeetingGone => {
                            return self.restart_or_expire(actor, &view, origin).await;
                        }
                    }
                }
            }
        }
        Err(conflict_retry())
    }

    /// Stores that a participant who left is back, with the same attendee. `None`: something changed meanwhile.
    pub(crate) async fn rejoin(
        &self,
        (session, meeting): (&Session, &Meeting),
        member: &Member<'_>,
        attendee: &Attendee,
        origin: &Origin,
    ) -> Result<Option<JoinInfo>, Error> {
        let join = self.new_join(member, attendee, None);
        let joined = self.store.join(session.id, join, origin).await?;
        joined.map(|joined| join_info(session, meeting, member, &joined.attendee)).transpose()
    }

    fn new_join<'a>(
        &self,
        member: &Member<'_>,
        attendee: &'a Attendee,
        created_with: Option<Capabilities>,
    ) -> NewJoin<'a> {
        let (user, role, room) = (member.user, member.role, self.settings.join_rules.room);
        NewJoin { user, role, attendee, created_with, room }
    }

    /// Creates an attendee and stores the join. Where the same user joined on another device meanwhile, that attendee
    /// stays and the one just created is deleted.
    pub(crate) async fn create_attendee(
        &self,
        view: &View,
        (session, meeting): (&Session, &Meeting),
        member: &Member<'_>,
        origin: &Origin,
    ) -> Result<NewAttendee, Error> {
        let region = &session.control_region;
        let part = view.participant(member.user);
        let capabilities =
            part.map_or(Capabilities::of(member.role, None), |participant| participant.capabilities);
        let attendee =
            match self.meetings.create_attendee(region, meeting.id, member.user, capabilities).await {
                Ok(attendee) => attendee,
                Err(chime::Error::NotFound) => {
                    self.close_expired(session.id, origin).await?;
                    return Ok(NewAttendee::MeetingGone);
                }
                Err(error) => return Err(error.into()),
            };
        let created = attendee.id()?;
        let join = self.new_join(member, &attendee, Some(capabilities));
        let joined = self.store.join(session.id, join, origin).await?;
        let kept = match &joined {
            Some(joined) => joined.attendee.id()? == created,
            None => self.owns(member, session, created).await?,
        };
        if !kept && let Err(error) = self.meetings.delete_attendee(region, meeting.id, created).await {
            // No client has its token; it only counts towards the meeting's limit of 250 attendees.
            tracing::warn!(attendee = %created, error = causes(&error), "unused attendee not deleted");
        }
        match joined {
            Some(joined) => Ok(NewAttendee::Joined(join_info(session, meeting, member, &joined.attendee)?)),
            None => Ok(NewAttendee::Retry),
        }
    }

    /// Whether the stored attendee is the one just created: the statement took effect and its response was lost.
    async fn owns(
        &self,
        member: &Member<'_>,
        session: &Session,
        created: domain::id::ChimeAttendeeId,
    ) -> Result<bool, Error> {
        let actor = Actor::User(member.user);
        let target = Target::Appointment(member.appointment.id);
        let view = self.store.load_call(&actor, target, Some(session.id), Token::Keep, None).await?;
        Ok(view.participant(member.user).and_then(|own| own.attendee_id) == Some(created))
    }

    /// The meeting has ended and its session is closed: the provider starts a new one, everyone else gets 410.
    async fn restart_or_expire(
        &self,
        actor: &Actor,
        view: &View,
        origin: &Origin,
    ) -> Result<JoinResponse, Error> {
        let member = view.member()?;
        match (member.role, &view.session) {
            (Role::Provider, Some(session)) => {
                let region = Some(session.media_region.as_str());
                let captures = session.recording_enabled || session.transcription_enabled;
                let is_allowed = self.settings.media_regions.choose(region, captures).is_ok();
                let again = NewCall {
                    appointment: member.appointment.id,
                    recording: session.recording_enabled,
                    transcription: session.transcription_enabled,
                    transcription_language: session.transcription_language.clone(),
                    // The deployment may have changed its regions since.
                    media_region: is_allowed.then(|| session.media_region.clone()),
                    checked: false,
                };
                // A start joins where the provider has no place yet, so the two call each other, each time on new
                // state.
                Ok(Box::pin(self.start(actor, &again, origin)).await?.response)
            }
            _ => Err(Error::Gone(reason::MEETING_EXPIRED)),
        }
    }
}
