//! Invitations into an active call.

use domain::audit::{Event, Origin};
use domain::call::Attendee;
use domain::capabilities::Direction;
use domain::id::{ChimeAttendeeId, SessionId, UserId};
use domain::invite::{Guest, Offer};
use domain::state::{ObserverKind, ParticipantStatus, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::statement::sql;
use crate::{Error, Store};

/// A user who is to be invited, with the attendee that was created.
#[derive(Debug)]
pub struct NewGuest {
    pub user: UserId,
    pub offer: Offer,
    pub attendee: Attendee,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    user_id: UserId,
    role: Role,
    kind: Option<ObserverKind>,
    audio: Direction,
    video: Direction,
    content: Direction,
    attendee_id: Option<&'a str>,
    attendee: &'a Value,
}

/// A user who was invited.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    pub user_id: UserId,
    pub role: Role,
    pub status: ParticipantStatus,
    /// The participant's attendee: the first one, where two were created at once.
    pub attendee_id: ChimeAttendeeId,
}

impl Store {
    /// The users' accounts and their part in the session. One round trip.
    pub async fn load_guests(&self, session: SessionId, users: &[UserId]) -> Result<Vec<Guest>, Error> {
        let session = session.as_uuid();
        let users: Vec<Uuid> = users.iter().map(|user| user.as_uuid()).collect();
        let params = [(&session as _, Type::UUID), (&users as _, Type::UUID_ARRAY)];
        Ok(self.ask(sql!("load_guests"), &params).await?.unwrap_or_default())
    }

    /// Inserts guests as participants of the session. Those who are missing in the answer had joined, or were removed,
    /// meanwhile. `None`: the call is not active any more. One round trip.
    pub async fn invite(
        &self,
        session: SessionId,
        guests: &[NewGuest],
        by: UserId,
        origin: &Origin,
    ) -> Result<Option<Vec<Invited>>, Error> {
        let (session, by) = (session.as_uuid(), by.as_uuid());
        let row = |guest: &NewGuest| {
            let attendee = guest.attendee.expose();
            serde_json::to_value(Row {
                user_id: guest.user,
                role: guest.offer.role,
                kind: guest.offer.observer_kind,
                audio: guest.offer.capabilities.audio,
                video: guest.offer.capabilities.video,
                content: guest.offer.capabilities.content,
                attendee_id: attendee["AttendeeId"].as_str(),
                attendee,
            })
        };
        let rows = guests.iter().map(row).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|source| Error::Answer { statement: "invite", source })?;
        self.ask(
            sql!("invite"),
            &[
                (&session, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(rows), Type::JSON),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantInvited.as_str(), Type::TEXT),
                (&by, Type::UUID),
            ],
        )
        .await
    }
}
