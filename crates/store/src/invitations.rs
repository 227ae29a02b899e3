//! Invitations into a call that is on.

use domain::audit::{Event, Origin};
use domain::call::Attendee;
use domain::capabilities::Direction;
use domain::id::{ChimeAttendeeId, SessionId, UserId};
use domain::invite::{Guest, Offer};
use domain::state::{ObserverKind, ParticipantStatus, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

const GUESTS: &str = "-- load_guests
SELECT coalesce(json_agg(json_build_object(
  'userId', guest.id, 'known', EXISTS (SELECT FROM medzen.call_users person WHERE person.id = guest.id),
  'role', p.role, 'status', p.status, 'attendeeId', token.attendee_id,
  'admitted', p.admitted_at IS NOT NULL, 'observerKind', p.observer_kind,
  'capabilities', CASE WHEN p.user_id IS NOT NULL
    THEN json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content) END) ORDER BY guest.id), '[]')::text
FROM unnest($2::text[]::uuid[]) AS guest (id)
LEFT JOIN public.video_call_participants p ON p.session_id = $1::uuid AND p.user_id = guest.id
LEFT JOIN medzen.video_call_attendee_tokens token ON token.session_id = p.session_id AND token.user_id = p.user_id";

/// The session is locked first, as by a join. A participant who was removed does not come back, nor one who was admitted
/// meanwhile; of two attendees made at once the first counts. What an attendee was made with is what is stored.
const INVITE: &str = "-- invite
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $2
  WHERE id = $1::uuid AND status = 'active'
  RETURNING *
), guest AS (
  SELECT * FROM json_to_recordset($3::json)
    AS g (\"userId\" uuid, role text, kind text, audio text, video text, content text, \"attendeeId\" text, attendee jsonb)
), participant AS (
  INSERT INTO public.video_call_participants AS p (
    session_id, user_id, role, status, admitted_at, observer_kind, audio, video, content)
  SELECT live.id, guest.\"userId\", guest.role, 'invited', $2, guest.kind, guest.audio, guest.video, guest.content
  FROM live, guest
  ORDER BY guest.\"userId\"
  ON CONFLICT (session_id, user_id) DO UPDATE
  SET status = 'invited', admitted_at = $2, waiting_since = NULL, left_at = NULL,
      observer_kind = excluded.observer_kind,
      audio = excluded.audio, video = excluded.video, content = excluded.content
  WHERE p.status IN ('waiting', 'failed', 'turned_away') OR (p.status IN ('invited', 'left') AND p.admitted_at IS NULL)
  RETURNING session_id, user_id, role, status, observer_kind,
    jsonb_build_object('Audio', audio, 'Video', video, 'Content', content) AS capabilities
), token AS (
  INSERT INTO medzen.video_call_attendee_tokens AS t (session_id, user_id, attendee_id, attendee)
  SELECT participant.session_id, participant.user_id, guest.\"attendeeId\", guest.attendee
  FROM participant JOIN guest ON guest.\"userId\" = participant.user_id
  ON CONFLICT (session_id, user_id) DO UPDATE SET attendee_id = t.attendee_id
  RETURNING user_id, attendee_id
), audited AS (
  SELECT participant.user_id, participant.role, participant.status, token.attendee_id, medzen.audit_append(
    'APPT#' || live.appointment_id,
    $4::jsonb || jsonb_strip_nulls(jsonb_build_object(
      'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
      'actor', $6::text, 'role', 'provider', 'userId', participant.user_id, 'userRole', participant.role,
      'attendeeId', token.attendee_id, 'observerKind', participant.observer_kind,
      'capabilities', participant.capabilities)),
    $2) AS seq
  FROM live, participant JOIN token ON token.user_id = participant.user_id
)
SELECT (
  SELECT coalesce(json_agg(json_build_object(
    'userId', user_id, 'role', role, 'status', status, 'attendeeId', attendee_id, 'seq', seq) ORDER BY user_id), '[]')
  FROM audited
)::text
FROM live";

/// Someone who is to be invited, with the attendee that was made for them.
#[derive(Debug)]
pub struct NewGuest {
    /// Who.
    pub user: UserId,
    /// The place.
    pub offer: Offer,
    /// Their attendee.
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

/// Someone who was invited.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// Where they stand.
    pub status: ParticipantStatus,
    /// The attendee that is theirs.
    pub attendee_id: ChimeAttendeeId,
    /// The audit entry's number.
    pub seq: i64,
}

impl Store {
    /// What is known of the users and of their part in the session. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_guests(&self, session: SessionId, users: &[UserId]) -> Result<Vec<Guest>, Error> {
        let session = session.to_string();
        let users: Vec<String> = users.iter().map(ToString::to_string).collect();
        let params = [(&session as _, Type::TEXT), (&users as _, Type::TEXT_ARRAY)];
        Ok(self.ask(GUESTS, &params).await?.unwrap_or_default())
    }

    /// Gives guests a place in the session. Those that are not among the answer had come, or were removed, meanwhile.
    /// `None`: the call is not active any more. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn invite(
        &self,
        session: SessionId,
        guests: &[NewGuest],
        by: UserId,
        origin: &Origin,
    ) -> Result<Option<Vec<Invited>>, Error> {
        let (session, by) = (session.to_string(), by.to_string());
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
            INVITE,
            &[
                (&session, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(rows), Type::JSON),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantInvited.as_str(), Type::TEXT),
                (&by, Type::TEXT),
            ],
        )
        .await
    }
}
