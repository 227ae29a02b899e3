#![doc = include_str!("../README.md")]

mod answer;
mod change;
mod consent;
mod denial;
mod end;
mod events;
mod invite;
mod join;
mod leave;
mod link;
mod memberships;
mod operations;
mod publish;
mod quality;
mod reconcile;
mod remove;
mod roster;
mod start;
mod status;

pub use denial::RequestInfo;
pub use link::LinkBases;
pub use reconcile::{ReconcilerRun, Report};
pub use start::{NewCall, Started};

use aws_types::SdkConfig;
use bus::Bus;
use chime::{Meetings, Pipelines};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, SessionState, Target, View};
use domain::error::{causes, reason};
use domain::id::SessionId;
use domain::settings::Settings;
use domain::state::SessionStatus;
use store::sessions::CloseReason;
use store::{Store, Token};

/// A use case reads the call again this often because another request changed it meanwhile, before it returns a conflict.
const MAX_ATTEMPTS: usize = 8;

/// The use cases, over their backends.
#[derive(Debug)]
pub struct Calls {
    store: Store,
    meetings: Meetings,
    /// Without retries, for the reconciler's own request rate.
    unretried: Meetings,
    pipelines: Pipelines,
    bus: Bus,
    settings: Settings,
}

impl Calls {
    /// Builds the use cases over their backends. `bus` is the name or ARN of the bus.
    #[must_use]
    pub fn new(store: Store, sdk: &SdkConfig, bus: &str, settings: Settings) -> Self {
        let (meetings, pipelines) = (Meetings::new(sdk.clone()), Pipelines::new(sdk.clone()));
        let (bus, unretried) = (Bus::new(sdk, bus), meetings.without_retries());
        let store = store.with_cancelled_statuses(&settings.cancelled_statuses);
        Self { store, meetings, unretried, pipelines, bus, settings }
    }

    /// Whether calls can be served: the database answers, and the host's views are as calls need them.
    ///
    /// # Errors
    /// 503 when it does not, or they are not.
    pub async fn health(&self) -> Result<(), Error> {
        self.store.check_host_views().await.map_err(|error| match error.into() {
            Error::Internal(source) => Error::Unavailable { backend: "host views", source },
            error => error,
        })
    }

    /// The database.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The meetings.
    #[must_use]
    pub const fn meetings(&self) -> &Meetings {
        &self.meetings
    }

    /// The media pipelines.
    #[must_use]
    pub const fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Reads the call that a request is about, without the join token.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub async fn load_view(
        &self,
        actor: &Actor,
        target: Target,
        session: Option<SessionId>,
        origin: &Origin,
    ) -> Result<View, Error> {
        self.load(actor, target, session, (Token::Keep, Client::Unknown), origin).await
    }

    /// Reads the call that a request is about, once memberships that the host application ended are ended here too.
    async fn load(
        &self,
        actor: &Actor,
        target: Target,
        session: Option<SessionId>,
        (token, client): (Token, Client),
        origin: &Origin,
    ) -> Result<View, Error> {
        let seen = (client == Client::Alive).then_some(origin.now);
        let load = || self.store.load_call(actor, target, session, token, seen);
        let view = load().await?;
        set_span_fields(&view);
        if self.apply_membership_change(&view, origin).await? {
            return Ok(load().await?);
        }
        Ok(view)
    }

    /// Asks Chime whether it knows a session's meeting. If so, the view says when; if not, the session is closed.
    ///
    /// Where Chime does not answer and the client did not request the check, the stored meeting is assumed to be live: Chime's
    /// API may be down while the call itself continues, and nobody may be locked out of it for that.
    async fn verify_meeting(&self, view: &mut View, requested: bool, origin: &Origin) -> Result<bool, Error> {
        let Some(session) = view.session.as_mut() else {
            return Ok(false);
        };
        let SessionState::Active(call) = &mut session.state else {
            return Ok(false);
        };
        let live = match self.meetings.is_live(&session.control_region, call.meeting.id).await {
            Ok(true) => {
                self.store.mark_checked(session.id, origin.now).await?;
                true
            }
            Ok(false) => {
                self.close_expired(session.id, origin).await?;
                false
            }
            Err(error @ (chime::Error::Throttled(_) | chime::Error::Unavailable(_))) if !requested => {
                tracing::warn!(error = causes(&error), "meeting not verified, the stored one is returned");
                true
            }
            Err(error) => return Err(error.into()),
        };
        if live {
            call.checked_at = Some(origin.now);
            call.end_reported = false;
        }
        Ok(live)
    }

    /// Closes a session whose meeting Chime does not know any more, unless another request did.
    async fn close_expired(&self, session: SessionId, origin: &Origin) -> Result<(), Error> {
        let reason = CloseReason::MeetingGone;
        let closed = self.store.close(session, SessionStatus::Active, reason, None, origin).await?;
        self.publish(closed.and_then(|closed| closed.event), origin).await;
        Ok(())
    }
}

/// Whether a request is a sign that the caller's client is alive, which is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// It asks for the status or for a place again and again.
    Alive,
    Unknown,
}

/// Sets the ids of the call on the log lines of this invocation.
fn set_span_fields(view: &View) {
    let span = tracing::Span::current();
    if let Some(appointment) = &view.appointment {
        span.record("appointment", tracing::field::display(appointment.id));
    }
    if let Some(session) = &view.session {
        span.record("session", tracing::field::display(session.id));
    }
}

/// Other requests changed the call in each attempt of this one.
fn conflict_retry() -> Error {
    Error::Conflict { reason: reason::CALL_NOT_READY, retry_after: Some(std::time::Duration::from_secs(1)) }
}
