//! Invite: the provider gives people a place in a call that is on.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target};
use domain::error::{ItemReason, reason};
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::invite::{self, Invite, Offer, Terms};
use domain::state::{ParticipantStatus, Role};
use serde::Serialize;
use store::invitations::NewGuest;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// The answer to batch-join. No join token is in it: each is for its owner, who gets it by joining.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitations {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Who has a place now.
    pub attendees: Vec<InvitedAttendee>,
    /// Who has none, and why.
    pub errors: Vec<NotInvited>,
}

/// Someone with a place.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitedAttendee {
    /// Who.
    pub user_id: UserId,
    /// Their attendee's id; none of someone who was admitted and gets one by joining.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// As what.
    pub role: Role,
    /// Where they stand; `invited` until they join.
    pub status: ParticipantStatus,
}

/// Someone without.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotInvited {
    /// Who.
    pub user_id: UserId,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub error: &'static str,
}

impl NotInvited {
    const fn new(user_id: UserId, reason: ItemReason) -> Self {
        Self { user_id, code: reason.code, error: reason.text }
    }
}

impl Calls {
    /// Invites and admits people into the call that is on: the appointment's patient as such, other users as observers of
    /// this one call, on the given terms. Their joins then answer the attendees made here. Who has a place keeps it as it
    /// is; may be repeated.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 where no call is on, 410 for one that is over, 422 for no or too many users
    /// and for capabilities that Chime does not take, 429 and 503 when Chime or the database refuse or are down.
    pub async fn invite(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        asked: &[UserId],
        terms: Terms,
        origin: &Origin,
    ) -> Result<Invitations, Error> {
        let users = invite::users(asked)?;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, Target::Appointment(appointment), None).await?;
            let by = view.member()?.user;
            let (appointment, session) = invite::may_invite(&view)?;
            let mut told = Invitations {
                appointment_id: appointment.id,
                session_id: session.id,
                attendees: Vec::new(),
                errors: Vec::new(),
            };
            let mut without = Vec::new();
            for guest in self.store.load_guests(session.id, &users).await? {
                let user_id = guest.user_id;
                match invite::decide(&guest, appointment, terms)? {
                    Invite::Has(role, status, attendee_id) => {
                        told.attendees.push(InvitedAttendee { user_id, attendee_id, role, status });
                    }
                    Invite::Attend(offer) => without.push((user_id, offer)),
                    Invite::Refuse(reason) => told.errors.push(NotInvited::new(user_id, reason)),
                }
            }
            if without.is_empty() || self.give_places(session, &without, by, &mut told, origin).await? {
                return Ok(told);
            }
        }
        Err(conflict_retry())
    }

    /// Gets attendees for users and gives them their places. `false`: the call or somebody's part in it changed meanwhile.
    async fn give_places(
        &self,
        session: &Session,
        without: &[(UserId, Offer)],
        by: UserId,
        told: &mut Invitations,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let meeting = crate::meeting_id(session)?;
        let users: Vec<_> = without.iter().map(|(user, offer)| (*user, offer.capabilities)).collect();
        let mut made = match self.meetings.create_attendees(&session.control_region, meeting, &users).await {
            Ok(made) => made,
            Err(chime::Error::NotFound) => {
                self.close_expired(session.id, origin).await?;
                return Err(Error::Gone(reason::MEETING_EXPIRED));
            }
            Err(error) => return Err(error.into()),
        };
        let mut guests = Vec::new();
        for (user, offer) in without {
            match made.iter().position(|(of, _)| of == user) {
                Some(at) => {
                    guests.push(NewGuest { user: *user, offer: *offer, attendee: made.swap_remove(at).1 });
                }
                None => told.errors.push(NotInvited::new(*user, reason::ATTENDEE_NOT_CREATED)),
            }
        }
        let Some(invited) = self.store.invite(session.id, &guests, by, origin).await? else {
            // The call is over, and the attendees with it.
            return Ok(false);
        };
        told.attendees.extend(invited.iter().map(|guest| InvitedAttendee {
            user_id: guest.user_id,
            attendee_id: Some(guest.attendee_id),
            role: guest.role,
            status: guest.status,
        }));
        if invited.len() == guests.len() {
            return Ok(true);
        }
        self.take_back(session, &guests).await?;
        Ok(false)
    }

    /// Deletes attendees that are nobody's: the same people came from elsewhere meanwhile. Those that are stored (the
    /// statement took effect and its answer was lost) stay.
    async fn take_back(&self, session: &Session, made: &[NewGuest]) -> Result<(), Error> {
        let meeting = crate::meeting_id(session)?;
        let users: Vec<_> = made.iter().map(|guest| guest.user).collect();
        let stored = self.store.load_guests(session.id, &users).await?;
        for guest in made {
            let id = guest.attendee.id()?;
            if !stored.iter().any(|stored| stored.attendee_id == Some(id)) {
                self.meetings.delete_attendee(&session.control_region, meeting, id).await?;
            }
        }
        Ok(())
    }
}
