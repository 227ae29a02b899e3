-- Deletes, at most $3 of each, what nothing reads any more: before $1 events of meetings that no session has, ended meetings,
-- join tokens of ended sessions and counts of denials; before $2 completed operations. A count of denials with suppressed
-- entries is kept: the actor's next entry carries it ($4 entries an hour).
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
    SELECT meeting_id FROM medzen.chime_meetings WHERE ended_at < $1 LIMIT $3) AS old
  WHERE m.meeting_id = old.meeting_id
  RETURNING 1
), token AS (
  DELETE FROM medzen.video_call_attendee_tokens t USING (
    SELECT t.session_id, t.user_id FROM medzen.video_call_attendee_tokens t
    JOIN public.video_call_sessions s ON s.id = t.session_id
    WHERE s.status IN ('ended', 'failed') AND s.ended_at < $1 LIMIT $3) AS old
  WHERE t.session_id = old.session_id AND t.user_id = old.user_id
  RETURNING 1
), operation AS (
  DELETE FROM medzen.pending_operations o USING (
    SELECT id FROM medzen.pending_operations WHERE completed_at < $2 ORDER BY completed_at LIMIT $3) AS old
  WHERE o.id = old.id
  RETURNING 1
), denial AS (
  DELETE FROM medzen.denial_rate_limits r USING (
    SELECT chain FROM medzen.denial_rate_limits WHERE since < $1 AND seen <= $4 ORDER BY since LIMIT $3) AS old
  WHERE r.chain = old.chain AND r.since < $1 AND r.seen <= $4
  RETURNING 1
)
SELECT ((SELECT count(*) FROM event) + (SELECT count(*) FROM meeting) + (SELECT count(*) FROM token)
  + (SELECT count(*) FROM operation) + (SELECT count(*) FROM denial))::text
