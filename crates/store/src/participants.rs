//! Who is in a call.

use domain::admission::WaitingRoom;
use domain::audit::{Event, Origin};
use domain::call::{Actor, Attendee, Target};
use domain::capabilities::Capabilities;
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::sessions::Changed;
use crate::{Error, Store};

/// One more coming within the minute, or the first of another: `$3` now.
macro_rules! comes {
    () => {
        "join_count = CASE WHEN p.join_count_since > $3 - interval '1 minute' THEN p.join_count + 1 ELSE 1 END,
      join_count_since = CASE WHEN p.join_count_since > $3 - interval '1 minute' THEN p.join_count_since ELSE $3 END"
    };
}
pub(crate) use comes;

/// The session is locked first, so that no join commits while an end does. A row does not come back of a participant who
/// is in the call already, was removed or turned away, has not been admitted where that is needed ($9), or may do by now
/// what an attendee that was just made may not ($10); nor where a stored attendee ($10 null) is not theirs any more.
const JOIN: &str = concat!(
    "-- join
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $3
  WHERE id = $1::uuid AND status = 'active'
  RETURNING *
), participant AS (
  INSERT INTO public.video_call_participants AS p (
    session_id, user_id, role, status, joined_at, admitted_at, join_count, join_count_since)
  SELECT id, $2::uuid, $4, 'joined', $3, $3, 1, $3 FROM live
  WHERE NOT $9 OR EXISTS (
    SELECT FROM public.video_call_participants own
    WHERE own.session_id = live.id AND own.user_id = $2::uuid AND own.admitted_at IS NOT NULL)
  ON CONFLICT (session_id, user_id) DO UPDATE
  SET status = 'joined', joined_at = $3, left_at = NULL, waiting_since = NULL, admitted_at = coalesce(p.admitted_at, $3),
      ",
    comes!(),
    "
  WHERE p.status NOT IN ('joined', 'removed', 'turned_away')
    AND (NOT $9 OR p.admitted_at IS NOT NULL)
    AND CASE WHEN $10::jsonb IS NULL THEN medzen.has_attendee(p.session_id, p.user_id, $5)
      ELSE $10 = jsonb_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content) END
  RETURNING session_id, user_id, role,
    jsonb_build_object('Audio', audio, 'Video', video, 'Content', content) AS capabilities
), token AS (
  INSERT INTO medzen.video_call_attendee_tokens AS t (session_id, user_id, attendee_id, attendee)
  SELECT session_id, user_id, $5, $6 FROM participant
  ON CONFLICT (session_id, user_id) DO UPDATE SET attendee_id = t.attendee_id
  RETURNING attendee_id, attendee
)
SELECT json_build_object(
  'attendee', token.attendee || jsonb_build_object('Capabilities', participant.capabilities),
  'seq', medzen.audit_append(
  'APPT#' || live.appointment_id,
  $7::jsonb || jsonb_build_object(
    'event', $8::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2::text, 'role', participant.role, 'attendeeId', token.attendee_id),
  $3))::text
FROM live, participant, token"
);

const LEAVE: &str = "-- leave
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $3
  WHERE id = $1::uuid AND status = 'active' AND EXISTS (
    SELECT FROM public.video_call_participants p
    WHERE p.session_id = $1::uuid AND p.user_id = $2::uuid AND p.status IN ('joined', 'waiting'))
  RETURNING *
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', left_at = $3,
      duration_seconds = p.duration_seconds
        + greatest(0, floor(extract(epoch FROM $3 - coalesce(p.joined_at, $3))))::integer
  FROM live
  WHERE p.session_id = live.id AND p.user_id = $2::uuid AND p.status IN ('joined', 'waiting')
  RETURNING p.role
)
SELECT json_build_object('seq', medzen.audit_append(
  'APPT#' || live.appointment_id,
  $4::jsonb || jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2::text, 'role', participant.role),
  $3))::text
FROM live, participant";

const ROSTER: &str = "-- roster
WITH caller AS (
  SELECT id FROM medzen.call_users WHERE firebase_uid = $1
  UNION ALL
  SELECT id FROM medzen.call_users WHERE id = $2::uuid
), appointment AS (
  SELECT a.id, a.provider_user_id, a.patient_user_id, coalesce(a.status, '') AS status,
    coalesce(a.video_enabled, false) AS video_enabled
  FROM medzen.call_appointments a WHERE a.id = $3::uuid
), session AS (
  SELECT s.* FROM public.video_call_sessions s JOIN appointment ON s.appointment_id = appointment.id
  ORDER BY s.status IN ('creating', 'active', 'ending') DESC, s.created_at DESC, s.id
  LIMIT 1
)
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'appointment', (
    SELECT json_build_object(
      'id', id, 'providerUserId', provider_user_id, 'patientUserId', patient_user_id, 'status', status,
      'videoEnabled', video_enabled)
    FROM appointment),
  'session', (SELECT json_build_object('id', id, 'status', status) FROM session),
  'attendees', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', p.user_id, 'displayName', person.display_name, 'role', p.role, 'status', p.status,
      'attendeeId', token.attendee_id, 'joinedAt', p.joined_at, 'leftAt', p.left_at,
      'durationSeconds', p.duration_seconds, 'connected', p.connected, 'connections', p.connections, 'drops', p.drops,
      'observerKind', p.observer_kind, 'admitted', p.admitted_at IS NOT NULL,
      'waitingSince', p.waiting_since,
      'capabilities', json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content))
      ORDER BY p.joined_at, p.waiting_since, p.user_id), '[]')
    FROM session
    JOIN public.video_call_participants p ON p.session_id = session.id
    LEFT JOIN medzen.call_users person ON person.id = p.user_id
    LEFT JOIN medzen.video_call_attendee_tokens token ON token.session_id = p.session_id AND token.user_id = p.user_id)
)::text";

/// A join that was noted, with the attendee that counts: the first one, where two were made at once.
#[derive(Debug, Deserialize)]
pub struct Joined {
    /// The attendee to answer.
    pub attendee: Attendee,
    /// The audit entry's number.
    pub seq: i64,
}

/// Who is in a call, with what is needed to tell whether the caller may know.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    /// The caller and the appointment.
    #[serde(flatten)]
    pub view: RosterView,
    /// Everyone who has a part in the session.
    pub attendees: Vec<RosterEntry>,
}

/// Who asks, for which appointment, and its session.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterView {
    /// Who asks, if they are known.
    pub caller: Option<domain::call::Person>,
    /// The appointment, if there is one.
    pub appointment: Option<domain::call::Appointment>,
    /// The session, if there ever was one.
    pub session: Option<RosterSession>,
}

/// The session of a roster.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RosterSession {
    /// Its id.
    pub id: SessionId,
    /// Its state.
    pub status: SessionStatus,
}

/// One person of a roster.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterEntry {
    /// Who.
    pub user_id: UserId,
    /// Their name, for members of the call only.
    pub display_name: Option<String>,
    /// As what.
    pub role: Role,
    /// Where they stand.
    pub status: ParticipantStatus,
    /// Their attendee's id.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Since when, or when they last came.
    #[serde(with = "time::serde::rfc3339::option")]
    pub joined_at: Option<OffsetDateTime>,
    /// When they last left.
    #[serde(with = "time::serde::rfc3339::option")]
    pub left_at: Option<OffsetDateTime>,
    /// How long they have been in the call until they last left, in seconds.
    pub duration_seconds: i32,
    /// Whether Chime sees them connected.
    pub connected: bool,
    /// How often a connection of theirs began, by Chime's word.
    pub connections: i32,
    /// How often one was lost.
    pub drops: i32,
    /// As what kind of observer, where the invitation said so.
    pub observer_kind: Option<ObserverKind>,
    /// Whether they were admitted to the session.
    pub admitted: bool,
    /// Since when they wait; of any other status it says nothing.
    #[serde(with = "time::serde::rfc3339::option")]
    pub waiting_since: Option<OffsetDateTime>,
    /// What they may send and receive.
    pub capabilities: Capabilities,
}

/// Someone who comes into a call.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// Their attendee: what Chime has just made, or what is stored.
    pub attendee: &'a Attendee,
    /// With what the attendee was just made; none for one that is stored.
    pub made_with: Option<Capabilities>,
    /// Whether they must have been admitted. The provider need not be.
    pub room: WaitingRoom,
}

impl Store {
    /// Notes that someone is in the call, with their attendee. `None`: the call is not active any more, or they are in
    /// it already, or were removed, turned away or not admitted, or may do by now what the attendee may not: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn join(
        &self,
        session: SessionId,
        joining: Joining<'_>,
        origin: &Origin,
    ) -> Result<Option<Joined>, Error> {
        let Joining { user, role, attendee, made_with, room } = joining;
        let (session, user) = (session.to_string(), user.to_string());
        let attendee_id = attendee.expose()["AttendeeId"].as_str();
        let must_be_admitted = room == WaitingRoom::On && role != Role::Provider;
        let made_with = made_with.map(Json);
        self.ask(
            JOIN,
            &[
                (&session, Type::TEXT),
                (&user, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&role.as_str(), Type::TEXT),
                (&attendee_id, Type::TEXT),
                (attendee.expose(), Type::JSONB),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantJoined.as_str(), Type::TEXT),
                (&must_be_admitted, Type::BOOL),
                (&made_with, Type::JSONB),
            ],
        )
        .await
    }

    /// Notes that someone left. `None`: they had left before, or the call is over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn leave(
        &self,
        session: SessionId,
        user: UserId,
        origin: &Origin,
    ) -> Result<Option<Changed>, Error> {
        let (session, user) = (session.to_string(), user.to_string());
        self.ask(
            LEAVE,
            &[
                (&session, Type::TEXT),
                (&user, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantLeft.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// Everyone in the appointment's open session, else its latest. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn roster(&self, actor: &Actor, appointment: AppointmentId) -> Result<Option<Roster>, Error> {
        let (subject, user) = crate::view::keys_of(actor);
        let (appointment, _) = crate::view::keys_of_target(Target::Appointment(appointment));
        self.ask(ROSTER, &[(&subject, Type::TEXT), (&user, Type::TEXT), (&appointment, Type::TEXT)]).await
    }
}
