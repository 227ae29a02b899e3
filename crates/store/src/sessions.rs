//! Sessions: every change of their state.
//!
//! Each change is one statement: a compare-and-set on the session, then everything that follows from it, fed by the
//! row that came back, the audit entry included. No row means that the state was another: read again.

use domain::audit::{Event, Origin};
use domain::call::Attendee;
use domain::id::{ChimeMeetingId, SessionId, UserId};
use domain::outbound::{Kind, OutboundEvent};
use domain::state::SessionStatus;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::notices::TO_SEND;
use crate::{Error, Store};

const TAKE_OVER: &str = "-- take_over
UPDATE public.video_call_sessions SET attempt = attempt + 1, attempt_by = $3, updated_at = $4
WHERE id = $1::uuid AND status = 'creating' AND attempt = $2
RETURNING 'true'";

const RELEASE: &str = "-- release
UPDATE public.video_call_sessions SET attempt_by = NULL, updated_at = $3
WHERE id = $1::uuid AND status = 'creating' AND attempt_by = $2
RETURNING 'true'";

/// The audit entry of a change to the session `changed`: `$entry` is the origin, the rest comes from the row.
macro_rules! audit {
    ($origin:literal, $event:literal, $more:literal) => {
        concat!(
            "medzen.audit_append('APPT#' || changed.appointment_id, ",
            $origin,
            "::jsonb || jsonb_strip_nulls(jsonb_build_object('event', ",
            $event,
            ", 'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'meetingId', changed.meeting_id",
            $more,
            ")), changed.updated_at)"
        )
    };
}

const ACTIVATE: &str = concat!(
    "-- activate
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'active', attempt_by = NULL, meeting_id = $2, meeting = $3, activated_at = $4, updated_at = $4,
      events_read = NOT EXISTS (SELECT FROM medzen.chime_events e WHERE e.meeting_id = $2)
  WHERE id = $1::uuid AND status = 'creating'
  RETURNING *
), participant AS (
  INSERT INTO public.video_call_participants (session_id, user_id, role, status, joined_at, admitted_at)
  SELECT id, $5::uuid, 'provider', 'joined', $4, $4 FROM changed
  RETURNING session_id, user_id
), token AS (
  INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
  SELECT session_id, user_id, $6, $7 FROM participant
)
SELECT json_build_object('notice', medzen.tell($10, jsonb_build_object(
    'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'startedBy', $5::text,
    'userIds', medzen.call_member_ids(changed.id, changed.appointment_id) - $5::text), $4, NULL), 'seq', ",
    audit!("$8", "$9::text", ", 'actor', $5::text, 'role', 'provider', 'mediaRegion', changed.media_region"),
    ")::text FROM changed"
);

/// Only the attempt that was seen: another request may have taken over and may be about to succeed.
const FAIL: &str = concat!(
    "-- fail
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'failed', attempt_by = NULL, end_reason = $2, ended_at = $3, updated_at = $3
  WHERE id = $1::uuid AND status = 'creating' AND attempt = $7
  RETURNING *
)
SELECT json_build_object('seq', ",
    audit!("$4", "$5::text", ", 'actor', $6::text, 'reason', changed.end_reason"),
    ")::text FROM changed"
);

const BEGIN_END: &str = concat!(
    "-- begin_end
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'ending', end_reason = 'ended_by_provider', ended_by = $2::uuid, updated_at = $3
  WHERE id = $1::uuid AND status = 'active'
  RETURNING *
)
SELECT json_build_object('seq', ",
    audit!("$4", "$5::text", ", 'actor', $2::text, 'role', 'provider'"),
    ")::text FROM changed"
);

/// Ends a session that is in the state `$2`, and everyone's part in it. A call was over when its end was asked for, however
/// much later that is finished.
const CLOSE: &str = concat!(
    "-- close
WITH changed AS (
  UPDATE public.video_call_sessions
  SET status = 'ended', attempt_by = NULL, updated_at = $3, connected = 0, events_read = false,
      ended_at = CASE status WHEN 'ending' THEN updated_at ELSE $3 END,
      end_reason = coalesce(end_reason, $4), ended_by = coalesce(ended_by, $5::uuid),
      duration_seconds = greatest(0, floor(extract(epoch FROM
        CASE status WHEN 'ending' THEN updated_at ELSE $3 END - coalesce(activated_at, $3))))::integer
  WHERE id = $1::uuid AND status = $2
  RETURNING *
), participant AS (
  UPDATE public.video_call_participants p
  SET status = 'left', left_at = changed.ended_at,
      duration_seconds = p.duration_seconds
        + greatest(0, floor(extract(epoch FROM changed.ended_at - coalesce(p.joined_at, changed.ended_at))))::integer
  FROM changed
  WHERE p.session_id = changed.id AND p.status IN ('joined', 'waiting')
), meeting AS (
  UPDATE medzen.chime_meetings m SET over_at = $3
  FROM changed WHERE m.meeting_id = changed.meeting_id AND m.over_at IS NULL
)
SELECT json_build_object('endedAt', changed.ended_at, 'durationSeconds', changed.duration_seconds,
  'notice', CASE WHEN changed.activated_at IS NOT NULL THEN medzen.tell($8, jsonb_build_object(
    'appointmentId', changed.appointment_id, 'sessionId', changed.id, 'reason', changed.end_reason,
    'endedBy', changed.ended_by, 'durationSeconds', changed.duration_seconds,
    'userIds', medzen.call_member_ids(changed.id, changed.appointment_id)), changed.ended_at, $9) END, 'seq', ",
    audit!(
        "$6",
        "$7::text",
        ", 'actor', changed.ended_by, 'reason', changed.end_reason, 'durationSeconds', changed.duration_seconds"
    ),
    ")::text FROM changed"
);

const MARK_CHECKED: &str = "-- mark_checked
UPDATE public.video_call_sessions SET checked_at = $2
WHERE id = $1::uuid AND status = 'active'
RETURNING 'true'";

/// That a change was made, and which number its audit entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Changed {
    /// The entry's number in its chain.
    pub seq: i64,
}

/// A session that was closed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// How long it was active, in seconds.
    pub duration_seconds: i32,
    /// What is to be told of it now: there is half a minute for it.
    pub notice: Option<OutboundEvent>,
    /// The entry's number in its chain.
    pub seq: i64,
}

/// Why a session is closed where the provider did not ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The provider asked.
    EndedByProvider,
    /// Chime does not know its meeting any more.
    MeetingGone,
}

impl CloseReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::EndedByProvider => "ended_by_provider",
            Self::MeetingGone => "meeting_gone",
        }
    }
}

impl Store {
    /// Takes over the making of a meeting from the attempt that was seen; `false` when another did.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_over(
        &self,
        session: SessionId,
        attempt: i32,
        request: &str,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let session = session.to_string();
        let params = [
            (&session as _, Type::TEXT),
            (&attempt as _, Type::INT4),
            (&request as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        Ok(self.ask::<bool>(TAKE_OVER, &params).await?.is_some())
    }

    /// Gives up the making of a meeting, so that the next request need not wait for this one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(&self, session: SessionId, request: &str, now: OffsetDateTime) -> Result<(), Error> {
        let session = session.to_string();
        let params =
            [(&session as _, Type::TEXT), (&request as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
        self.ask::<bool>(RELEASE, &params).await?;
        Ok(())
    }

    /// `creating` to `active`, with the provider as its first participant. `None`: it was not `creating` any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn activate(
        &self,
        session: SessionId,
        meeting: (ChimeMeetingId, &Value),
        provider: UserId,
        attendee: &Attendee,
        origin: &Origin,
    ) -> Result<Option<Changed>, Error> {
        let (session, meeting_id, provider) =
            (session.to_string(), meeting.0.to_string(), provider.to_string());
        let attendee_id = attendee.expose()["AttendeeId"].as_str();
        self.ask(
            ACTIVATE,
            &[
                (&session, Type::TEXT),
                (&meeting_id, Type::TEXT),
                (&meeting.1, Type::JSONB),
                (&origin.now, Type::TIMESTAMPTZ),
                (&provider, Type::TEXT),
                (&attendee_id, Type::TEXT),
                (attendee.expose(), Type::JSONB),
                (&Json(origin), Type::JSONB),
                (&Event::CallStarted.as_str(), Type::TEXT),
                (&Kind::CallStarted.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// `creating` to `failed`, if the attempt is still the one that was seen. `None`: it was not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fail(
        &self,
        session: SessionId,
        attempt: i32,
        reason: &str,
        actor: Option<UserId>,
        origin: &Origin,
    ) -> Result<Option<Changed>, Error> {
        let (session, actor) = (session.to_string(), actor.map(String::from));
        self.ask(
            FAIL,
            &[
                (&session, Type::TEXT),
                (&reason, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::CallFailed.as_str(), Type::TEXT),
                (&actor, Type::TEXT),
                (&attempt, Type::INT4),
            ],
        )
        .await
    }

    /// `active` to `ending`. `None`: it was not `active` any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_end(
        &self,
        session: SessionId,
        by: UserId,
        origin: &Origin,
    ) -> Result<Option<Changed>, Error> {
        let (session, by) = (session.to_string(), by.to_string());
        self.ask(
            BEGIN_END,
            &[
                (&session, Type::TEXT),
                (&by, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::CallEndRequested.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// From the given state to `ended`, and everyone has left. `None`: it was in another state. A reason and an actor
    /// that the session already bears (from `begin_end`) stay.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn close(
        &self,
        session: SessionId,
        from: SessionStatus,
        reason: CloseReason,
        by: Option<UserId>,
        origin: &Origin,
    ) -> Result<Option<Closed>, Error> {
        let (session, by) = (session.to_string(), by.map(String::from));
        let until = origin.now + TO_SEND;
        self.ask(
            CLOSE,
            &[
                (&session, Type::TEXT),
                (&from.as_str(), Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&reason.as_str(), Type::TEXT),
                (&by, Type::TEXT),
                (&Json(origin), Type::JSONB),
                (&Event::CallEnded.as_str(), Type::TEXT),
                (&Kind::CallEnded.as_str(), Type::TEXT),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Notes that Chime knows the session's meeting.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_checked(&self, session: SessionId, now: OffsetDateTime) -> Result<(), Error> {
        let session = session.to_string();
        self.ask::<bool>(MARK_CHECKED, &[(&session, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }
}

// The statements write chains as `'APPT#' || appointment_id`; this is where that is held against the domain's word.
#[cfg(test)]
mod tests {
    use domain::audit::appointment_chain;
    use domain::id::AppointmentId;

    use super::*;

    #[test]
    fn statements_and_domain_agree_on_the_chain_s_name() {
        let appointment: AppointmentId = "7d9f1c5e-0000-4000-8000-000000000001".parse().expect("a UUID");
        assert_eq!(appointment_chain(appointment), format!("APPT#{appointment}"));
        for statement in [ACTIVATE, FAIL, BEGIN_END, CLOSE] {
            assert!(statement.contains("medzen.audit_append('APPT#' || changed.appointment_id"));
        }
    }
}
