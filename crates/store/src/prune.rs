//! What has served its time is dropped.

use time::{Duration, OffsetDateTime};
use tokio_postgres::types::Type;

use crate::refusals::MOST;
use crate::{Error, Store};

/// How long it takes until nobody asks any more for an event whose meeting no session has, a meeting that is over, a join
/// token whose call is over, and the count of somebody's refusals.
const KEPT: Duration = Duration::days(2);

/// How long a notice is kept after it was sent.
const NOTICE_KEPT: Duration = Duration::days(7);

/// A count of refusals that went on unwritten is kept: the next entry tells it.
const PRUNE: &str = "-- prune
WITH event AS (
  DELETE FROM medzen.chime_events e USING (
    SELECT event_id FROM medzen.chime_events
    WHERE session_id IS NULL AND received_at < $1 AND NOT EXISTS (
      SELECT FROM public.video_call_sessions s WHERE s.meeting_id = chime_events.meeting_id)
    ORDER BY received_at LIMIT $3) AS old
  WHERE e.event_id = old.event_id AND e.session_id IS NULL
  RETURNING 1
), meeting AS (
  DELETE FROM medzen.chime_meetings m USING (
    SELECT meeting_id FROM medzen.chime_meetings WHERE over_at < $1 LIMIT $3) AS old
  WHERE m.meeting_id = old.meeting_id
  RETURNING 1
), token AS (
  DELETE FROM medzen.video_call_attendee_tokens t USING (
    SELECT t.session_id, t.user_id FROM medzen.video_call_attendee_tokens t
    JOIN public.video_call_sessions s ON s.id = t.session_id
    WHERE s.status IN ('ended', 'failed') AND s.ended_at < $1 LIMIT $3) AS old
  WHERE t.session_id = old.session_id AND t.user_id = old.user_id
  RETURNING 1
), notice AS (
  DELETE FROM medzen.notices n USING (
    SELECT id FROM medzen.notices WHERE told_at < $2 ORDER BY told_at LIMIT $3) AS old
  WHERE n.id = old.id
  RETURNING 1
), refusal AS (
  DELETE FROM medzen.refusals r USING (
    SELECT chain FROM medzen.refusals WHERE since < $1 AND seen <= $4 ORDER BY since LIMIT $3) AS old
  WHERE r.chain = old.chain AND r.since < $1 AND r.seen <= $4
  RETURNING 1
)
SELECT ((SELECT count(*) FROM event) + (SELECT count(*) FROM meeting) + (SELECT count(*) FROM token)
  + (SELECT count(*) FROM notice) + (SELECT count(*) FROM refusal))::text";

impl Store {
    /// Drops, so many of each at most: events of meetings that no session has, meetings that are over, the join tokens of
    /// calls that are over and counts of refusals, all two days old; and notices that were told seven days ago. One round
    /// trip.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune(&self, most: i64, now: OffsetDateTime) -> Result<u64, Error> {
        let (before, told_before) = (now - KEPT, now - NOTICE_KEPT);
        let params = [
            (&before as _, Type::TIMESTAMPTZ),
            (&told_before as _, Type::TIMESTAMPTZ),
            (&most as _, Type::INT8),
            (&MOST as _, Type::INT4),
        ];
        Ok(self.ask(PRUNE, &params).await?.unwrap_or_default())
    }
}
