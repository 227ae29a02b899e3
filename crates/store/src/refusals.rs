//! Refusals, in the chain of whoever was refused.

use domain::audit::{Event, Origin, stranger_chain};
use domain::call::{Actor, Target};
use tokio_postgres::types::{Json, Type};

use crate::sessions::Changed;
use crate::view::{keys_of, keys_of_target};
use crate::{Error, Store};

/// How many entries an actor's refusals make in an hour. The rest is counted, and told by the next hour's first.
pub(crate) const MOST: i32 = 10;

/// Counts a refusal and, if there are few of them, writes it. The counter's row is locked before the chain's head.
const REFUSE: &str = "-- refuse
WITH caller AS (
  SELECT id FROM medzen.call_users WHERE firebase_uid = $1
  UNION ALL
  SELECT id FROM medzen.call_users WHERE id = $2::uuid
), appointment AS (
  SELECT id FROM medzen.call_appointments
  WHERE id = coalesce($3::uuid, (SELECT appointment_id FROM public.video_call_sessions WHERE meeting_id = $4))
), counted AS (
  INSERT INTO medzen.refusals AS r (chain, since, seen, suppressed, request_id)
  VALUES (coalesce('ACTOR#' || (SELECT id FROM caller), $5), $6, 1, 0, $7)
  ON CONFLICT (chain) DO UPDATE SET
    since = CASE WHEN r.since <= $6 - interval '1 hour' THEN $6 ELSE r.since END,
    seen = CASE WHEN r.since <= $6 - interval '1 hour' THEN 1 ELSE r.seen + 1 END,
    suppressed = CASE WHEN r.since <= $6 - interval '1 hour' THEN greatest(0, r.seen - $8) ELSE r.suppressed END,
    request_id = $7
  WHERE r.request_id <> $7
  RETURNING r.chain, r.seen, r.suppressed
)
SELECT json_build_object('seq', medzen.audit_append(
  counted.chain,
  $9::jsonb || jsonb_strip_nulls(jsonb_build_object(
    'event', $10::text, 'actor', (SELECT id FROM caller), 'appointmentId', (SELECT id FROM appointment),
    'code', $11::text, 'route', $12::text,
    'suppressed', CASE WHEN counted.seen = 1 THEN nullif(counted.suppressed, 0) END)),
  $6))::text
FROM counted WHERE counted.seen <= $8";

/// A request that was refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Who asked.
    pub actor: &'a Actor,
    /// For which call, as far as the request could be read.
    pub target: Option<Target>,
    /// By which route.
    pub route: &'a str,
    /// The refusal's code.
    pub code: &'a str,
}

impl Store {
    /// Notes a refusal. `None`: it was only counted. One round trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refuse(&self, refused: &Refused<'_>, origin: &Origin) -> Result<Option<Changed>, Error> {
        let (subject, user) = keys_of(refused.actor);
        let (appointment, meeting) = refused.target.map(keys_of_target).unwrap_or_default();
        let stranger = stranger_chain(subject.or(user.as_deref()).unwrap_or_default());
        self.ask(
            REFUSE,
            &[
                (&subject, Type::TEXT),
                (&user, Type::TEXT),
                (&appointment, Type::TEXT),
                (&meeting, Type::TEXT),
                (&stranger, Type::TEXT),
                (&origin.now, Type::TIMESTAMPTZ),
                (&origin.request_id, Type::TEXT),
                (&MOST, Type::INT4),
                (&Json(origin), Type::JSONB),
                (&Event::AccessDenied.as_str(), Type::TEXT),
                (&refused.code, Type::TEXT),
                (&refused.route, Type::TEXT),
            ],
        )
        .await
    }
}
