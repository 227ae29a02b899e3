-- Stores that Chime knows the meeting. An end that an event claimed before is denied by that.
WITH checked AS (
  UPDATE public.video_call_sessions SET checked_at = $2
  WHERE id = $1 AND status = 'active'
  RETURNING id
), end_denied AS (
  UPDATE medzen.pending_operations o SET completed_at = $2, leased_until = NULL
  FROM checked
  WHERE o.session_id = checked.id AND o.operation = 'verify_meeting' AND o.completed_at IS NULL AND o.created_at <= $2
)
SELECT 'true' FROM checked
