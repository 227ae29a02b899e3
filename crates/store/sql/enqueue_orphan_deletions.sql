-- Enqueues the deletion of meetings that have our prefix ($1) followed by exactly a session's id (another deployment's prefix
-- may begin with ours), have not ended, were first seen before $2, and belong to no open session. A session that is `creating`
-- does not know its meeting yet; the meeting names it. $3 now, $4 at most.
WITH orphan AS MATERIALIZED (
  SELECT m.meeting_id, m.control_region, m.external_meeting_id
  FROM medzen.chime_meetings m
  WHERE m.ended_at IS NULL AND m.first_seen_at <= $2 AND starts_with(m.external_meeting_id, $1)
    AND length(m.external_meeting_id) = length($1) + 36
    AND NOT EXISTS (
      SELECT FROM public.video_call_sessions s WHERE s.meeting_id = m.meeting_id AND s.status IN ('active', 'ending'))
    AND NOT EXISTS (
      SELECT FROM public.video_call_sessions s WHERE s.status = 'creating' AND $1 || s.id = m.external_meeting_id)
    AND NOT EXISTS (
      SELECT FROM medzen.pending_operations o
      WHERE o.operation = 'delete_meeting' AND o.target = m.meeting_id AND o.completed_at IS NULL)
  ORDER BY m.first_seen_at, m.meeting_id
  LIMIT $4
), enqueued AS (
  SELECT medzen.enqueue_operation('delete_meeting', orphan.meeting_id, s.id,
    jsonb_build_object('controlRegion', orphan.control_region, 'orphan', true), $3, NULL) AS operation
  FROM orphan LEFT JOIN public.video_call_sessions s ON $1 || s.id = orphan.external_meeting_id
)
SELECT count(operation)::text FROM enqueued
