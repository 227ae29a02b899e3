//! Consent to being recorded and transcribed: each word a row, none ever changed.

use domain::audit::{Event, Origin};
use domain::consent::ConsentPurpose;
use domain::id::{SessionId, UserId};
use domain::state::Role;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

/// Locks the session, so that the newest word is known to be the newest: a function of the database reads it, for this
/// statement's own snapshot may be older than the lock. The session's own time is left alone: it tells when its state moved.
const CONSENT: &str = "-- consent
WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = s.updated_at
  WHERE s.id = $1::uuid AND s.status IN ('creating', 'active')
  RETURNING s.*
), given AS MATERIALIZED (
  SELECT word.kind, word.granted FROM live, LATERAL medzen.insert_consent(live.id, $2::uuid, $3, $4) AS word
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
    /// Takes someone's words on consent. `None`: the call is over.
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
                (&Json(words), Type::JSONB),
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
