//! Consent to being recorded and transcribed: each word a row, none ever changed.

use domain::audit::{Event, Origin};
use domain::consent::Kind;
use domain::id::{SessionId, UserId};
use domain::state::Role;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

/// Locks the session as the statement's own snapshot shows it (see `admissions`), so that the newest word is known to be
/// the newest. The session's own time is left alone: it tells when its state moved. A word that is the newest already is no
/// new one.
const CONSENT: &str = "-- consent
WITH seen AS MATERIALIZED (
  SELECT id, xmin::text AS version FROM public.video_call_sessions WHERE id = $1::uuid
), live AS (
  UPDATE public.video_call_sessions s SET updated_at = s.updated_at
  FROM seen
  WHERE s.id = seen.id AND s.status IN ('creating', 'active') AND s.xmin::text = seen.version
  RETURNING s.*
), word AS (
  SELECT * FROM json_to_recordset($3::json) AS w (kind text, granted boolean)
), given AS (
  INSERT INTO public.video_call_consents (session_id, number, user_id, kind, granted, given_at)
  SELECT live.id,
    (SELECT coalesce(max(c.number), 0) FROM public.video_call_consents c WHERE c.session_id = live.id)
      + row_number() OVER (ORDER BY word.kind),
    $2::uuid, word.kind, word.granted, $4
  FROM live, word
  WHERE word.granted IS DISTINCT FROM (
    SELECT c.granted FROM public.video_call_consents c
    WHERE c.session_id = live.id AND c.user_id = $2::uuid AND c.kind = word.kind
    ORDER BY c.number DESC LIMIT 1)
  RETURNING kind, granted
), audited AS (
  SELECT medzen.audit_append(
    'APPT#' || live.appointment_id,
    $5::jsonb || jsonb_strip_nulls(jsonb_build_object(
      'event', CASE WHEN given.granted THEN $6::text ELSE $7::text END,
      'appointmentId', live.appointment_id, 'sessionId', live.id, 'meetingId', live.meeting_id,
      'actor', $2::text, 'role', $8::text, 'kind', given.kind)),
    $4) AS seq
  FROM live, given
)
SELECT json_build_object('new', (SELECT count(*) FROM audited WHERE seq > 0))::text FROM live";

#[derive(Debug, Serialize)]
struct Word {
    kind: Kind,
    granted: bool,
}

/// That words were taken.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Consented {
    /// How many of them were new.
    pub new: u32,
}

impl Store {
    /// Takes someone's words on consent. `None`: the call is over, or something changed meanwhile: read again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consent(
        &self,
        session: SessionId,
        (user, role): (UserId, Role),
        words: &[(Kind, bool)],
        origin: &Origin,
    ) -> Result<Option<Consented>, Error> {
        let (session, user) = (session.to_string(), user.to_string());
        let words: Vec<_> =
            words.iter().map(|(kind, granted)| Word { kind: *kind, granted: *granted }).collect();
        self.ask(
            CONSENT,
            &[
                (&session, Type::TEXT),
                (&user, Type::TEXT),
                (&Json(words), Type::JSON),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&Event::ConsentGiven.as_str(), Type::TEXT),
                (&Event::ConsentRevoked.as_str(), Type::TEXT),
                (&role.as_str(), Type::TEXT),
            ],
        )
        .await
    }
}
