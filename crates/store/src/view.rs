//! Looking at a call, and opening a session on the way: everything that a decision needs, in one round trip.

use domain::call::{Actor, Target, View};
use domain::id::{AppointmentId, SessionId};
use time::OffsetDateTime;
use tokio_postgres::types::Type;

use crate::{Error, Store};

/// `$1` firebase uid or null, `$2` users.id or null; `$3` appointment or null, `$4` meeting or null.
macro_rules! who_and_what {
    () => {
        "WITH caller AS (
  SELECT id FROM medzen.call_users WHERE firebase_uid = $1
  UNION ALL
  SELECT id FROM medzen.call_users WHERE id = $2::uuid
), appointment AS (
  SELECT a.id, a.provider_user_id, a.patient_user_id, coalesce(a.status, '') AS status,
    coalesce(a.video_enabled, false) AS video_enabled, a.scheduled_start, provider.display_name AS provider_name
  FROM medzen.call_appointments a
  LEFT JOIN medzen.call_users provider ON provider.id = a.provider_user_id
  WHERE a.id = coalesce($3::uuid, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4))
)"
    };
}

/// Everything a decision needs, as `domain::call::View` reads it, over `caller`, `appointment` and `session`.
macro_rules! view {
    () => {
        "SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'appointment', (
    SELECT json_build_object(
      'id', id, 'providerUserId', provider_user_id, 'patientUserId', patient_user_id, 'status', status,
      'videoEnabled', video_enabled, 'providerName', provider_name, 'scheduledStart', scheduled_start)
    FROM appointment),
  'session', (
    SELECT json_build_object(
      'id', id, 'status', status, 'attempt', attempt, 'attemptBy', attempt_by, 'controlRegion', control_region,
      'mediaRegion', media_region, 'meetingId', meeting_id, 'meeting', meeting,
      'recordingEnabled', recording_enabled, 'transcriptionEnabled', transcription_enabled,
      'transcriptionLanguage', transcription_language,
      'createdAt', created_at, 'activatedAt', activated_at, 'checkedAt', checked_at, 'endedAt', ended_at,
      'durationSeconds', duration_seconds, 'connected', connected, 'lastLeftAt', last_left_at,
      'present', (
        SELECT coalesce(json_agg(user_id ORDER BY joined_at, user_id), '[]')
        FROM public.video_call_participants p WHERE p.session_id = session.id AND (p.status = 'joined' OR p.connected)))
    FROM session),
  'me', (
    SELECT json_build_object(
      'role', p.role, 'status', p.status, 'join_count', p.join_count, 'joinCountSince', p.join_count_since,
      -- As Chime gave it, with what it may do by now.
      'attendee', token.attendee
        || jsonb_build_object('Capabilities', json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content)))
    FROM session
    JOIN caller ON true
    JOIN public.video_call_participants p ON p.session_id = session.id AND p.user_id = caller.id
    LEFT JOIN medzen.video_call_attendee_tokens token ON token.session_id = p.session_id AND token.user_id = p.user_id),
  'people', (
    SELECT coalesce(json_agg(json_build_object(
      'userId', p.user_id, 'displayName', person.display_name, 'role', p.role, 'observerKind', p.observer_kind,
      'status', p.status, 'connected', p.connected, 'admitted', p.admitted_at IS NOT NULL, 'came', p.joined_at IS NOT NULL,
      'waitingSince', p.waiting_since,
      'capabilities', json_build_object('Audio', p.audio, 'Video', p.video, 'Content', p.content))
      ORDER BY p.joined_at, p.waiting_since, p.user_id), '[]')
    FROM session
    JOIN public.video_call_participants p ON p.session_id = session.id
    LEFT JOIN medzen.call_users person ON person.id = p.user_id),
  'consents', (
    SELECT coalesce(json_agg(json_build_object('userId', user_id, 'kind', kind, 'granted', granted, 'words', words)), '[]')
    FROM (
      SELECT DISTINCT ON (c.user_id, c.kind) c.user_id, c.kind, c.granted,
        count(*) OVER (PARTITION BY c.user_id, c.kind) AS words
      FROM session JOIN public.video_call_consents c ON c.session_id = session.id
      ORDER BY c.user_id, c.kind, c.number DESC) AS newest)
)::text"
    };
}

const LOAD_CALL: &str = concat!(
    "-- load_call\n",
    who_and_what!(),
    ", session AS (
  SELECT s.* FROM public.video_call_sessions s JOIN appointment ON s.appointment_id = appointment.id
  WHERE ($4::text IS NULL OR s.meeting_id = $4) AND ($5::uuid IS NULL OR s.id = $5::uuid)
  ORDER BY s.status IN ('creating', 'active', 'ending') DESC, s.created_at DESC, s.id
  LIMIT 1
)\n",
    view!()
);

/// Opens a session, or takes the open one as it is. Only the provider of a video appointment that is not cancelled
/// opens one (the rule and its answers are `domain::start`).
const START_CALL: &str = concat!(
    "-- start_call\n",
    who_and_what!(),
    ", session AS (
  INSERT INTO public.video_call_sessions AS open (
    id, appointment_id, status, attempt_by, control_region, media_region,
    recording_enabled, transcription_enabled, transcription_language, created_by, created_at, updated_at)
  SELECT gen_random_uuid(), appointment.id, 'creating', $5, $6, $7, $8, $9, $10, caller.id, $11, $11
  FROM caller, appointment
  WHERE appointment.provider_user_id = caller.id
    AND appointment.video_enabled
    AND appointment.status <> ALL ('{cancelled,canceled}')
  ON CONFLICT (appointment_id) WHERE status IN ('creating', 'active', 'ending')
  DO UPDATE SET updated_at = open.updated_at
  RETURNING *
)\n",
    view!()
);

/// What a start asks for, beside who and for which appointment.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// This request's id: tells whose attempt the session is.
    pub request: &'a str,
    /// Where the meeting is asked for.
    pub control_region: &'a str,
    /// Where its media is to flow.
    pub media_region: &'a str,
    /// Whether it is to be recorded.
    pub recording: bool,
    /// Whether it is to be transcribed.
    pub transcription: bool,
    /// In which language.
    pub transcription_language: Option<&'a str>,
}

impl Store {
    /// Looks at a call: who asks, which appointment, its session (the open one, else the latest, or exactly `session`)
    /// and the caller's part in it. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_call(
        &self,
        actor: &Actor,
        target: Target,
        session: Option<SessionId>,
    ) -> Result<View, Error> {
        let (subject, user) = keys_of(actor);
        let (appointment, meeting) = keys_of_target(target);
        let session = session.map(String::from);
        let view = self
            .ask(
                LOAD_CALL,
                &[
                    (&subject, Type::TEXT),
                    (&user, Type::TEXT),
                    (&appointment, Type::TEXT),
                    (&meeting, Type::TEXT),
                    (&session, Type::TEXT),
                ],
            )
            .await?;
        Ok(view.unwrap_or_default())
    }

    /// Looks at a call and opens a session in `creating` where none is open and the caller may. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start_call(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        new: &NewSession<'_>,
        now: OffsetDateTime,
    ) -> Result<View, Error> {
        let (subject, user) = keys_of(actor);
        let (appointment, meeting) = keys_of_target(Target::Appointment(appointment));
        let view = self
            .ask(
                START_CALL,
                &[
                    (&subject, Type::TEXT),
                    (&user, Type::TEXT),
                    (&appointment, Type::TEXT),
                    (&meeting, Type::TEXT),
                    (&new.request, Type::TEXT),
                    (&new.control_region, Type::TEXT),
                    (&new.media_region, Type::TEXT),
                    (&new.recording, Type::BOOL),
                    (&new.transcription, Type::BOOL),
                    (&new.transcription_language, Type::TEXT),
                    (&now, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(view.unwrap_or_default())
    }
}

pub(crate) fn keys_of(actor: &Actor) -> (Option<&str>, Option<String>) {
    match actor {
        Actor::Subject(subject) => (Some(subject), None),
        Actor::User(user) => (None, Some(user.to_string())),
    }
}

pub(crate) fn keys_of_target(target: Target) -> (Option<String>, Option<String>) {
    match target {
        Target::Appointment(appointment) => (Some(appointment.to_string()), None),
        Target::Meeting(meeting) => (None, Some(meeting.to_string())),
    }
}
