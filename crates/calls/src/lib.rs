#![doc = include_str!("../README.md")]

mod change;
mod consent;
mod debts;
mod end;
mod events;
mod invite;
mod join;
mod leave;
mod link;
mod notices;
mod place;
mod quality;
mod reconcile;
mod refuse;
mod remove;
mod roster;
mod start;
mod status;

pub use consent::{ConsentState, Consented, Consents};
pub use end::Ended;
pub use invite::{Invitations, InvitedAttendee, NotInvited};
pub use leave::Left;
pub use link::{Link, LinkBases};
pub use place::{Entry, POLL_SECONDS, Place, Waiting};
pub use quality::Accepted;
pub use refuse::Asked;
pub use remove::Removed;
pub use roster::{Roster, RosterAttendee};
pub use start::{NewCall, Started};
pub use status::{FeatureStatus, Me, Status, Waits};

use bus::Bus;
use chime::Meetings;
use domain::Error;
use domain::admission::WaitingRoom;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target, View};
use domain::error::reason;
use domain::id::SessionId;
use domain::state::SessionStatus;
use store::Store;
use store::sessions::CloseReason;

/// How often a use case reads again because another request changed the call under it, before it says "not now".
const ROUNDS: usize = 8;

/// What an installation decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Before the session's id in `ExternalMeetingId`: tells our meetings from others' in the account.
    pub external_id_prefix: String,
    /// Where meetings are asked for.
    pub control_region: String,
    /// Where media flows.
    pub media_region: String,
    /// Whether those who come wait until the provider lets them in.
    pub waiting_room: WaitingRoom,
}

/// The use cases, over their backends.
#[derive(Debug)]
pub struct Calls {
    store: Store,
    meetings: Meetings,
    bus: Bus,
    settings: Settings,
}

impl Calls {
    /// Puts the use cases on their backends.
    #[must_use]
    pub const fn new(store: Store, meetings: Meetings, bus: Bus, settings: Settings) -> Self {
        Self { store, meetings, bus, settings }
    }

    /// Whether calls can be served: the database answers.
    ///
    /// # Errors
    /// 503 when it does not.
    pub async fn health(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }

    async fn look(&self, actor: &Actor, target: Target, session: Option<SessionId>) -> Result<View, Error> {
        let view = self.store.load_call(actor, target, session).await?;
        note(&view);
        Ok(view)
    }

    /// Asks Chime whether a session's meeting lives. If it does that is noted in the view too; if not, the session is
    /// closed.
    ///
    /// Where Chime cannot be asked and the client did not want it asked, the stored meeting is believed: Chime's API may be
    /// down while the call itself goes on, and nobody is to be kept out of it for that.
    async fn check(&self, view: &mut View, asked_for: bool, origin: &Origin) -> Result<bool, Error> {
        let Some(session) = view.session.as_mut() else {
            return Ok(false);
        };
        let live = match session.meeting_id {
            Some(meeting) => match self.meetings.is_live(&session.control_region, meeting).await {
                Ok(live) => live,
                Err(error @ (chime::Error::Throttled(_) | chime::Error::Unavailable(_))) if !asked_for => {
                    tracing::warn!(error = %error, "chime could not be asked; the stored meeting is believed");
                    session.checked_at = Some(origin.now);
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            },
            None => false,
        };
        if live {
            self.store.mark_checked(session.id, origin.now).await?;
            session.checked_at = Some(origin.now);
        } else {
            self.close_gone(session.id, origin).await?;
        }
        Ok(live)
    }

    /// Closes a session whose meeting Chime does not know any more. Somebody else may have done so: no matter.
    async fn close_gone(&self, session: SessionId, origin: &Origin) -> Result<(), Error> {
        let reason = CloseReason::MeetingGone;
        let closed = self.store.close(session, SessionStatus::Active, reason, None, origin).await?;
        self.tell(closed.and_then(|closed| closed.notice), origin.now).await;
        Ok(())
    }
}

/// Puts ids into the log lines of this invocation.
fn note(view: &View) {
    let span = tracing::Span::current();
    if let Some(appointment) = &view.appointment {
        span.record("appointment", tracing::field::display(appointment.id));
    }
    if let Some(session) = &view.session {
        span.record("session", tracing::field::display(session.id));
    }
}

/// Others changed the call faster than this request could follow.
fn not_now() -> Error {
    Error::Conflict { reason: reason::CALL_NOT_READY, retry_after: Some(std::time::Duration::from_secs(1)) }
}

/// The meeting id of a session that has one, which every active session has.
fn meeting_id(session: &Session) -> Result<domain::id::ChimeMeetingId, Error> {
    session.meeting_id.ok_or_else(|| Error::internal("an active session without a meeting"))
}
