//! Reading a call, and inserting a session on the way: everything that a decision needs, in one round trip.

use domain::call::{Actor, Target, View};
use domain::expiry::MAX_WAITING_UNSEEN;
use domain::id::{AppointmentId, SessionId};
use domain::schedule::JoinWindow;
use time::OffsetDateTime;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::statement::sql;
use crate::{Error, Store};

/// Whether a request hands out a join token: start and join do, under the session's lock; no other reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    HandOut,
    Keep,
}

/// The parts of a new session that the request and the deployment decide.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// The request's id: says which request creates the meeting.
    pub request: &'a str,
    pub control_region: &'a str,
    pub media_region: &'a str,
    pub recording: bool,
    pub transcription: bool,
    pub transcription_language: Option<&'a str>,
    /// How long before and after its schedule an appointment's call may be started.
    pub window: JoinWindow,
}

impl Store {
    /// Reads a call: the caller, the appointment, its session (the open one, else the latest, or exactly `session`) and the
    /// caller's part in it; the join token only with [`Token::HandOut`]. `seen`: now, where the request is a sign that the caller's
    /// client is alive. One round trip.
    pub async fn load_call(
        &self,
        actor: &Actor,
        target: Target,
        session: Option<SessionId>,
        token: Token,
        seen: Option<OffsetDateTime>,
    ) -> Result<View, Error> {
        self.load(&Keys::of(actor), target, session, token, seen).await
    }

    async fn load(
        &self,
        caller: &Keys<'_>,
        target: Target,
        session: Option<SessionId>,
        token: Token,
        seen: Option<OffsetDateTime>,
    ) -> Result<View, Error> {
        let target = TargetKeys::of(target);
        let session = session.map(SessionId::as_uuid);
        let hand_out = token == Token::HandOut;
        let unseen = seen.map(|now| now - MAX_WAITING_UNSEEN);
        let view = self
            .ask(
                sql!("load_call", "sign_of_life", "call_view"),
                &[
                    (&caller.subject, Type::TEXT),
                    (&caller.user, Type::UUID),
                    (&target.appointment, Type::UUID),
                    (&target.meeting, Type::TEXT),
                    (&session, Type::UUID),
                    (&self.cancelled_statuses(), Type::TEXT_ARRAY),
                    (&hand_out, Type::BOOL),
                    (&seen, Type::TIMESTAMPTZ),
                    (&unseen, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(view.unwrap_or_default())
    }

    /// Reads one session of an appointment, for the system: without a caller. One round trip.
    pub async fn load_session(&self, appointment: AppointmentId, session: SessionId) -> Result<View, Error> {
        let nobody = Keys { subject: None, user: None };
        self.load(&nobody, Target::Appointment(appointment), Some(session), Token::Keep, None).await
    }

    /// Reads a call, and inserts a session in `creating` where none is open and the caller may. One round trip.
    pub async fn start_call(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        new: &NewSession<'_>,
        now: OffsetDateTime,
    ) -> Result<View, Error> {
        let (caller, target) = (Keys::of(actor), TargetKeys::of(Target::Appointment(appointment)));
        let latest_start = new.window.before.and_then(|before| now.checked_add(before));
        let unseen = now - MAX_WAITING_UNSEEN;
        let earliest_end = new.window.after.and_then(|after| now.checked_sub(after));
        let view = self
            .ask(
                sql!("start_call", "sign_of_life", "call_view"),
                &[
                    (&caller.subject, Type::TEXT),
                    (&caller.user, Type::UUID),
                    (&target.appointment, Type::UUID),
                    (&target.meeting, Type::TEXT),
                    (&new.request, Type::TEXT),
                    (&new.control_region, Type::TEXT),
                    (&new.media_region, Type::TEXT),
                    (&new.recording, Type::BOOL),
                    (&new.transcription, Type::BOOL),
                    (&new.transcription_language, Type::TEXT),
                    (&now, Type::TIMESTAMPTZ),
                    (&self.cancelled_statuses(), Type::TEXT_ARRAY),
                    (&latest_start, Type::TIMESTAMPTZ),
                    (&earliest_end, Type::TIMESTAMPTZ),
                    (&unseen, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(view.unwrap_or_default())
    }
}

/// How a statement finds the caller: by the token's subject, or by id for a direct invocation.
pub(crate) struct Keys<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) user: Option<Uuid>,
}

impl<'a> Keys<'a> {
    pub(crate) fn of(actor: &'a Actor) -> Self {
        match actor {
            Actor::Subject(subject) => Self { subject: Some(subject), user: None },
            Actor::User(user) => Self { subject: None, user: Some(user.as_uuid()) },
        }
    }
}

/// How a statement finds the call.
#[derive(Default)]
pub(crate) struct TargetKeys {
    pub(crate) appointment: Option<Uuid>,
    pub(crate) meeting: Option<String>,
}

impl TargetKeys {
    pub(crate) fn of(target: Target) -> Self {
        match target {
            Target::Appointment(appointment) => {
                Self { appointment: Some(appointment.as_uuid()), meeting: None }
            }
            Target::Meeting(meeting) => Self { appointment: None, meeting: Some(meeting.to_string()) },
        }
    }
}
