UPDATE public.video_call_sessions SET attempt_by = NULL, updated_at = $3
WHERE id = $1 AND status = 'creating' AND attempt_by = $2
RETURNING 'true'
