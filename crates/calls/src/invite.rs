//! Invite: the provider gives users a place in an active call.

use api::invitations::{InvitationError, InviteResponse, InvitedAttendee};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target};
use domain::error::reason;
use domain::id::{AppointmentId, ChimeMeetingId, UserId};
use domain::invite::{self, Invite, Offer, Terms};
use store::invitations::NewGuest;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

impl Calls {
    /// Invites and admits users into the active call: the appointment's patient in that role, others as observers of
    /// this call only, on the given terms. Their joins then return the attendees created here. A user who has a place
    /// keeps it unchanged. May be repeated.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 without an active call, 410 for one that has ended, 422 for no or too
    /// many users and for capabilities that Chime does not accept, 429 and 503 when Chime or the database is
    /// throttling or down.
    pub async fn invite(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        requested: &[UserId],
        terms: Terms,
        origin: &Origin,
    ) -> Result<InviteResponse, Error> {
        let users = invite::users(requested)?;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, Target::Appointment(appointment), None, origin).await?;
            let by = view.member()?.user;
            let (appointment, session, meeting) = invite::may_invite(&view)?;
            let mut invitations = InviteResponse {
                appointment_id: appointment.id,
                session_id: session.id,
                attendees: Vec::new(),
                errors: Vec::new(),
            };
            let mut missing = Vec::new();
            for guest in self.store.load_guests(session.id, &users).await? {
                let user_id = guest.user_id;
                match invite::decide(&guest, appointment, terms)? {
                    Invite::Has(role, status, attendee_id) => {
                        invitations.attendees.push(InvitedAttendee { user_id, attendee_id, role, status });
                    }
                    Invite::Attend(offer) => missing.push((user_id, offer)),
                    Invite::Refuse(reason) => invitations.errors.push(InvitationError::new(user_id, reason)),
                }
            }
            if missing.is_empty()
                || self.give_places((session, meeting.id), &missing, by, &mut invitations, origin).await?
            {
                return Ok(invitations);
            }
        }
        Err(conflict_retry())
    }

    /// Creates attendees for users and stores their places. `false`: the call or a user's part in it changed
    /// meanwhile.
    async fn give_places(
        &self,
        (session, meeting): (&Session, ChimeMeetingId),
        missing: &[(UserId, Offer)],
        by: UserId,
        invitations: &mut InviteResponse,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let users: Vec<_> = missing.iter().map(|(user, offer)| (*user, offer.capabilities)).collect();
        let mut created = match self.meetings.create_attendees(&session.control_region, meeting, &users).await
        {
            Ok(created) => created,
            Err(chime::Error::NotFound) => {
                self.close_expired(session.id, origin).await?;
                return Err(Error::Gone(reason::MEETING_EXPIRED));
            }
            Err(error) => return Err(error.into()),
        };
        let mut guests = Vec::new();
        for (user, offer) in missing {
            match created.iter().position(|(of, _)| of == user) {
                Some(at) => {
                    guests.push(NewGuest { user: *user, offer: *offer, attendee: created.swap_remove(at).1 });
                }
                None => invitations.errors.push(InvitationError::new(*user, reason::ATTENDEE_NOT_CREATED)),
            }
        }
        let Some(invited) = self.store.invite(session.id, &guests, by, origin).await? else {
            // The call has ended, and its attendees with it.
            return Ok(false);
        };
        invitations.attendees.extend(invited.iter().map(|guest| InvitedAttendee {
            user_id: guest.user_id,
            attendee_id: Some(guest.attendee_id),
            role: guest.role,
            status: guest.status,
        }));
        if invited.len() == guests.len() {
            return Ok(true);
        }
        self.delete_unstored(session, meeting, &guests).await?;
        Ok(false)
    }

    /// Deletes attendees that were not stored, because the same users joined or were invited meanwhile. Those that
    /// are stored (the statement took effect and its response was lost) stay.
    async fn delete_unstored(
        &self,
        session: &Session,
        meeting: ChimeMeetingId,
        created: &[NewGuest],
    ) -> Result<(), Error> {
        let users: Vec<_> = created.iter().map(|guest| guest.user).collect();
        let stored = self.store.load_guests(session.id, &users).await?;
        for guest in created {
            let id = guest.attendee.id()?;
            if !stored.iter().any(|stored| stored.attendee_id == Some(id)) {
                self.meetings.delete_attendee(&session.control_region, meeting, id).await?;
            }
        }
        Ok(())
    }
}
