UPDATE public.video_call_sessions SET attempt = attempt + 1, attempt_by = $3, updated_at = $4
WHERE id = $1 AND status = 'creating' AND attempt = $2
RETURNING 'true'
