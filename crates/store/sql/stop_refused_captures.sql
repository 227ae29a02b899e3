-- Requests the stop of the open captures of a session ($1) with a purpose that a user ($2) has refused, and returns how many.
WITH live AS (
  UPDATE public.video_call_sessions s SET updated_at = s.updated_at
  WHERE s.id = $1 AND s.status = 'active'
  RETURNING s.id
)
SELECT medzen.stop_refused_captures(live.id, $2, $3)::text FROM live
