UPDATE public.video_call_sessions SET checked_at = $2
WHERE id = $1 AND status = 'active'
RETURNING 'true'
