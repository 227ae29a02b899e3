//! What the provider decides about a person's place, and the waiting room before it.
//!
//! Each is one statement that locks the session first. A patient who has not come yet has no row: one is made then, so that
//! the decision stands when they come.

use domain::audit::{Event, Origin};
use domain::capabilities::{Capabilities, Direction, CapabilityChange};
use domain::id::{ChimeAttendeeId, OperationId, SessionId, UserId};
use domain::outbound::{self, OutboundEvent};
use domain::state::Role;
use serde::Deserialize;
use tokio_postgres::types::{Json, Type};

use crate::notices::TO_SEND;
use crate::participants::comes;
use crate::sessions::Changed;
use crate::{Error, Store};

/// Locks the session, if it is active: `$1` session, `$3` now. What the lock protects is then read by functions of the
/// database, for this statement's own snapshot may be older than the lock.
macro_rules! live {
    () => {
        "WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = $3
  WHERE s.id = $1::uuid AND s.status = 'active'
  RETURNING s.*
)"
    };
}

/// The audit entry about `participant`: `$4` origin, `$5` event, `$6` by whom.
macro_rules! audit {
    ($more:literal) => {
        concat!(
            "medzen.audit_append('APPT#' || live.appointment_id, $4::jsonb || jsonb_strip_nulls(jsonb_build_object(
    'event', $5::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $6::text, 'role', 'provider', 'userId', participant.user_id, 'userRole', participant.role",
            $more,
            ")), $3)"
        )
    };
}

/// Takes the token of `participant` away; what Chime is to be told of it is owed from now on.
macro_rules! revoke_attendee {
    () => {
        "taken AS MATERIALIZED (
  SELECT medzen.revoke_attendee(session_id, user_id, $3) AS debt FROM participant
)
SELECT json_build_object('debt', (SELECT debt FROM taken), 'seq', "
    };
}

/// Of who comes again within a minute nothing is told: the provider knows.
const WAIT: &str = concat!(
    "-- wait
WITH live AS (
  UPDATE public.video_call_sessions SET updated_at = $3
  WHERE id = $1::uuid AND status = 'active'
  RETURNING *
), participant AS (
  INSERT INTO public.video_call_participants AS p (session_id, user_id, role, status, waiting_since, join_count, join_count_since)
  SELECT id, $2::uuid, $4, 'waiting', $3, 1, $3 FROM live
  ON CONFLICT (session_id, user_id) DO UPDATE
  SET status = 'waiting', waiting_since = $3, left_at = NULL, ",
    comes!(),
    "
  WHERE p.admitted_at IS NULL AND p.status IN ('invited', 'left', 'failed')
  RETURNING role, join_count
)
SELECT json_build_object('notice', CASE participant.join_count WHEN 1 THEN medzen.tell($7, jsonb_build_object(
  'appointmentId', live.appointment_id, 'sessionId', live.id, 'userId', $2::text, 'role', participant.role,
  'userIds', (SELECT jsonb_build_array(a.provider_user_id) FROM medzen.call_appointments a
              WHERE a.id = live.appointment_id AND a.provider_user_id IS NOT NULL)), $3, $8) END, 'seq', medzen.audit_append(
  'APPT#' || live.appointment_id,
  $5::jsonb || jsonb_build_object(
    'event', $6::text, 'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
    'actor', $2::text, 'role', participant.role),
  $3))::text
FROM live, participant"
);

const ADMIT: &str = concat!(
    "-- admit\n",
    live!(),
    ", participant AS (
  INSERT INTO public.video_call_participants AS p (session_id, user_id, role, status, admitted_at)
  SELECT id, $2::uuid, $7, 'invited', $3 FROM live
  ON CONFLICT (session_id, user_id) DO UPDATE
  SET status = 'invited', admitted_at = $3, waiting_since = NULL, left_at = NULL
  WHERE p.admitted_at IS NULL AND p.status IN ('invited', 'waiting', 'left', 'turned_away', 'failed')
  RETURNING user_id, role
)
SELECT json_build_object('seq', ",
    audit!(""),
    ")::text FROM live, participant"
);

const TURN_AWAY: &str = concat!(
    "-- turn_away\n",
    live!(),
    ", participant AS (
  INSERT INTO public.video_call_participants AS p (session_id, user_id, role, status)
  SELECT id, $2::uuid, $7, 'turned_away' FROM live
  ON CONFLICT (session_id, user_id) DO UPDATE SET status = 'turned_away', admitted_at = NULL, waiting_since = NULL
  WHERE p.joined_at IS NULL AND p.status IN ('invited', 'waiting', 'left', 'failed')
  RETURNING session_id, user_id, role
), ",
    revoke_attendee!(),
    audit!(""),
    ")::text FROM live, participant"
);

const REMOVE: &str = concat!(
    "-- remove\n",
    live!(),
    ", participant AS (
  INSERT INTO public.video_call_participants AS p (session_id, user_id, role, status)
  SELECT id, $2::uuid, $7, 'removed' FROM live
  ON CONFLICT (session_id, user_id) DO UPDATE
  SET status = 'removed', admitted_at = NULL, waiting_since = NULL,
      left_at = CASE p.status WHEN 'joined' THEN $3 ELSE p.left_at END,
      duration_seconds = p.duration_seconds + CASE p.status WHEN 'joined'
        THEN greatest(0, floor(extract(epoch FROM $3 - coalesce(p.joined_at, $3))))::integer ELSE 0 END
  WHERE p.status <> 'removed' AND p.user_id <> $6::uuid
  RETURNING session_id, user_id, role
), ",
    revoke_attendee!(),
    audit!(""),
    ")::text FROM live, participant"
);

/// What is not wished for ($8, $9, $10) stays as it is at that moment. Where there is an attendee, Chime is to be told.
const SET_CAPABILITIES: &str = concat!(
    "-- set_capabilities\n",
    live!(),
    ", participant AS (
  INSERT INTO public.video_call_participants AS p (session_id, user_id, role, status, audio, video, content)
  SELECT id, $2::uuid, $7, 'invited',
    coalesce($8::text, 'SendReceive'), coalesce($9::text, 'SendReceive'), coalesce($10::text, 'SendReceive') FROM live
  ON CONFLICT (session_id, user_id) DO UPDATE
  SET audio = coalesce($8, p.audio), video = coalesce($9, p.video), content = coalesce($10, p.content)
  WHERE p.status <> 'removed' AND p.user_id <> $6::uuid
    AND (coalesce($8, p.audio), coalesce($9, p.video), coalesce($10, p.content)) <> (p.audio, p.video, p.content)
    AND (coalesce($10, p.content) NOT IN ('SendReceive', 'Receive')
      OR coalesce($9, p.video) IN ('SendReceive', 'Receive'))
  RETURNING session_id, user_id, role, jsonb_build_object('Audio', audio, 'Video', video, 'Content', content) AS capabilities
), owed AS MATERIALIZED (
  SELECT medzen.enqueue_capability_update(session_id, user_id, $3) AS debt FROM participant
)
SELECT json_build_object('debt', (SELECT debt FROM owed),
  'capabilities', participant.capabilities, 'seq', ",
    audit!(", 'capabilities', participant.capabilities"),
    ")::text FROM live, participant"
);

/// Something that Chime is to be told of an attendee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Debt {
    /// Its own id.
    pub id: OperationId,
    /// Which attendee.
    pub attendee_id: ChimeAttendeeId,
}

/// Someone waits from now on.
#[derive(Clone, Debug, Deserialize)]
pub struct Waits {
    /// What is to be told of it now: there is half a minute for it. None where it was told of them a minute ago.
    pub notice: Option<OutboundEvent>,
    /// The audit entry's number.
    pub seq: i64,
}

/// Someone's place was taken from them.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Taken {
    /// Their attendee, which Chime is to delete; none where they had none.
    pub debt: Option<Debt>,
    /// The audit entry's number.
    pub seq: i64,
}

/// Someone may do other things from now on.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Allowed {
    /// Their attendee, of which Chime is to be told; none where they have none.
    pub debt: Option<Debt>,
    /// What they may do.
    pub capabilities: Capabilities,
    /// The audit entry's number.
    pub seq: i64,
}

/// Whose place is decided about, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// The call.
    pub session: SessionId,
    /// About whom.
    pub user: UserId,
    /// As what they have a part in it, or would have.
    pub role: Role,
    /// The provider.
    pub by: UserId,
}

impl Store {
    /// Notes that someone has come and waits. `None`: the call is not active any more, or they wait already, or were
    /// admitted, turned away or removed: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wait(
        &self,
        session: SessionId,
        user: UserId,
        role: Role,
        origin: &Origin,
    ) -> Result<Option<Waits>, Error> {
        let (session, user) = (session.to_string(), user.to_string());
        let until = origin.now + TO_SEND;
        self.ask(
            WAIT,
            &[
                (&session, Type::TEXT),
                (&user, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&role.as_str(), Type::TEXT),
                (&Json(origin), Type::JSONB),
                (&Event::ParticipantWaiting.as_str(), Type::TEXT),
                (&outbound::EventType::ParticipantWaiting.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Lets someone in. `None`: the session or their part in it is another: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn admit(&self, decision: Decision, origin: &Origin) -> Result<Option<Changed>, Error> {
        self.decide(ADMIT, decision, Event::ParticipantAdmitted, origin).await
    }

    /// Turns someone away who has not been in the call. Their token, if they had one, goes at the same moment. `None`: the
    /// session or their part in it is another: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn turn_away(&self, decision: Decision, origin: &Origin) -> Result<Option<Taken>, Error> {
        self.decide(TURN_AWAY, decision, Event::ParticipantTurnedAway, origin).await
    }

    /// Removes someone for the rest of the session. Their token goes at the same moment. `None`: the session or their part
    /// in it is another: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove(&self, decision: Decision, origin: &Origin) -> Result<Option<Taken>, Error> {
        self.decide(REMOVE, decision, Event::ParticipantRemoved, origin).await
    }

    async fn decide<T: serde::de::DeserializeOwned>(
        &self,
        sql: &'static str,
        decision: Decision,
        event: Event,
        origin: &Origin,
    ) -> Result<Option<T>, Error> {
        let (session, user, by) =
            (decision.session.to_string(), decision.user.to_string(), decision.by.to_string());
        self.ask(
            sql,
            &[
                (&session, Type::TEXT),
                (&user, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&event.as_str(), Type::TEXT),
                (&by, Type::TEXT),
                (&decision.role.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// Changes what someone may send and receive. `None`: nothing would change, or not in a way that Chime takes, or the
    /// session or their part in it is another: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_capabilities(
        &self,
        decision: Decision,
        wish: CapabilityChange,
        origin: &Origin,
    ) -> Result<Option<Allowed>, Error> {
        let (session, user, by) =
            (decision.session.to_string(), decision.user.to_string(), decision.by.to_string());
        let [audio, video, content] =
            [wish.audio, wish.video, wish.content].map(|direction| direction.map(Direction::as_str));
        self.ask(
            SET_CAPABILITIES,
            &[
                (&session, Type::TEXT),
                (&user, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::CapabilitiesChanged.as_str(), Type::TEXT),
                (&by, Type::TEXT),
                (&decision.role.as_str(), Type::TEXT),
                (&audio, Type::TEXT),
                (&video, Type::TEXT),
                (&content, Type::TEXT),
            ],
        )
        .await
    }
}
