//! Memberships that the host application's changes end.

use domain::audit::{Event, Origin};
use domain::call::Appointment;
use domain::id::SessionId;
use domain::membership::{EndedMembership, Standing};
use domain::operation::{LEASE, PendingOperation};
use domain::outbound::EventType;
use serde::Deserialize;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::statement::sql;
use crate::{Error, Store};

/// An active call in which somebody may be no member any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueCall {
    pub id: SessionId,
    /// The appointment, if the host application has it.
    pub appointment: Option<Appointment>,
    /// Whether it has other appointments, and not this one.
    pub appointment_deleted: bool,
    pub participants: Vec<Standing>,
}

/// Memberships that were ended.
#[derive(Clone, Debug, Deserialize)]
pub struct Ended {
    /// How many: fewer than were to be, where another request was faster.
    pub ended: u64,
    /// The deletions of their attendees.
    pub attendees: Vec<PendingOperation>,
    /// The events about them.
    pub events: Vec<PendingOperation>,
}

impl Store {
    /// Reads active calls, at most so many, in which somebody may be no member any more; `only` of these sessions. One round trip.
    pub async fn membership_page(
        &self,
        limit: i64,
        only: Option<&[SessionId]>,
    ) -> Result<Vec<DueCall>, Error> {
        let only: Option<Vec<Uuid>> = only.map(|only| only.iter().map(|id| id.as_uuid()).collect());
        let params = [
            (&self.cancelled_statuses() as _, Type::TEXT_ARRAY),
            (&limit as _, Type::INT8),
            (&only as _, Type::UUID_ARRAY),
        ];
        Ok(self.ask(sql!("membership_page"), &params).await?.unwrap_or_default())
    }

    /// The sessions that are active, the oldest first. One round trip.
    pub async fn active_sessions(&self) -> Result<Vec<SessionId>, Error> {
        Ok(self.ask(sql!("active_sessions"), &[]).await?.unwrap_or_default())
    }

    /// Ends memberships: the join tokens are deleted at the same moment. With `executes` this request holds the operations for
    /// [`LEASE`]; otherwise the schedule executes them. `None`: the call is not active any more. May be repeated.
    pub async fn end_memberships(
        &self,
        session: SessionId,
        ended: &[EndedMembership],
        executes: bool,
        origin: &Origin,
    ) -> Result<Option<Ended>, Error> {
        let session = session.as_uuid();
        let until = executes.then(|| origin.now + LEASE);
        self.ask(
            sql!("end_memberships"),
            &[
                (&session, Type::UUID),
                (&Json(ended), Type::JSONB),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::MembershipEnded.as_str(), Type::TEXT),
                (&EventType::MembershipEnded.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }
}
