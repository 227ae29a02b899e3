//! Sessions: every change of their state.
//!
//! Each change is one statement: a compare-and-set on the session, then everything that follows from it, fed by the row that
//! came back, the audit entry included. No row means that the session was in another state: read it again.

use domain::audit::{Event, Origin};
use domain::call::Attendee;
use domain::id::{ChimeMeetingId, SessionId, UserId};
use domain::operation::{LEASE, PendingOperation};
use domain::outbound::EventType;
use domain::state::SessionStatus;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

/// A session that was closed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// How long it was active, in seconds.
    pub duration_seconds: i32,
    /// The event that this request publishes, within its lease; none for a session that was never active.
    pub event: Option<PendingOperation>,
}

/// Why a session is closed where the provider did not ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    EndedByProvider,
    /// Chime does not know the session's meeting any more.
    MeetingGone,
    /// The host application deleted the appointment.
    AppointmentDeleted,
}

impl CloseReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::EndedByProvider => "ended_by_provider",
            Self::MeetingGone => "meeting_gone",
            Self::AppointmentDeleted => "appointment_deleted",
        }
    }
}

impl Store {
    /// Takes over the creation of a meeting from the attempt that was read; `false` when another request did.
    pub async fn take_over(
        &self,
        session: SessionId,
        attempt: i32,
        request: &str,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let session = session.as_uuid();
        let params = [
            (&session as _, Type::UUID),
            (&attempt as _, Type::INT4),
            (&request as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        Ok(self.ask::<bool>(sql!("take_over"), &params).await?.is_some())
    }

    /// Gives up the creation of a meeting, so that the next request need not wait for this one.
    pub async fn release_attempt(
        &self,
        session: SessionId,
        request: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let session = session.as_uuid();
        let params =
            [(&session as _, Type::UUID), (&request as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
        self.ask::<bool>(sql!("release_attempt"), &params).await?;
        Ok(())
    }

    /// `creating` to `active`, with the provider as its first participant. `false`: it was not `creating` any more.
    pub async fn activate(
        &self,
        session: SessionId,
        meeting: (ChimeMeetingId, &Value),
        provider: UserId,
        attendee: &Attendee,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let (session, meeting_id, provider) = (session.as_uuid(), meeting.0.to_string(), provider.as_uuid());
        let attendee_id = attendee.expose()["AttendeeId"].as_str();
        let activated: Option<bool> = self
            .ask(
                sql!("activate"),
                &[
                    (&session, Type::UUID),
                    (&meeting_id, Type::TEXT),
                    (&meeting.1, Type::JSONB),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&provider, Type::UUID),
                    (&attendee_id, Type::TEXT),
                    (attendee.expose(), Type::JSONB),
                    (&Json(origin), Type::JSONB),
                    (&Event::CallStarted.as_str(), Type::TEXT),
                    (&EventType::CallStarted.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(activated.is_some())
    }

    /// `creating` to `failed`, if the attempt is still the one that was read; `false` when it is not.
    pub async fn fail_start(
        &self,
        session: SessionId,
        attempt: i32,
        reason: &str,
        actor: Option<UserId>,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let (session, actor) = (session.as_uuid(), actor.map(UserId::as_uuid));
        let failed: Option<bool> = self
            .ask(
                sql!("fail_start"),
                &[
                    (&session, Type::UUID),
                    (&reason, Type::TEXT),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::CallFailed.as_str(), Type::TEXT),
                    (&actor, Type::UUID),
                    (&attempt, Type::INT4),
                ],
            )
            .await?;
        Ok(failed.is_some())
    }

    /// `active` to `ending`, with the pending operation that deletes the meeting, which this request holds for [`LEASE`] if it
    /// executes it. `by` is the provider; none: the system. `false`: it was not `active` any more.
    pub async fn begin_end(
        &self,
        session: SessionId,
        by: Option<UserId>,
        reason: CloseReason,
        executes: bool,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let (session, by) = (session.as_uuid(), by.map(UserId::as_uuid));
        let until = executes.then(|| origin.now + LEASE);
        let began: Option<bool> = self
            .ask(
                sql!("begin_end"),
                &[
                    (&session, Type::UUID),
                    (&by, Type::UUID),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::CallEndRequested.as_str(), Type::TEXT),
                    (&until, Type::TIMESTAMPTZ),
                    (&reason.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(began.is_some())
    }

    /// From the given state to `ended`; every participant has left, and open operations on its meeting are void. `None`: it was
    /// in another state. A reason and an actor that the session already has (from `begin_end`) stay.
    pub async fn close(
        &self,
        session: SessionId,
        from: SessionStatus,
        reason: CloseReason,
        by: Option<UserId>,
        origin: &Origin,
    ) -> Result<Option<Closed>, Error> {
        let (session, by, until) = (session.as_uuid(), by.map(UserId::as_uuid), origin.now + LEASE);
        self.ask(
            sql!("close"),
            &[
                (&session, Type::UUID),
                (&from.as_str(), Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&reason.as_str(), Type::TEXT),
                (&by, Type::UUID),
                (&Json(origin), Type::JSONB),
                (&Event::CallEnded.as_str(), Type::TEXT),
                (&EventType::CallEnded.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Stores that Chime knows the session's meeting.
    pub async fn mark_checked(&self, session: SessionId, now: OffsetDateTime) -> Result<(), Error> {
        let session = session.as_uuid();
        self.ask::<bool>(sql!("mark_checked"), &[(&session, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }
}
