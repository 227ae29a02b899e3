UPDATE public.video_call_sessions SET stay_confirmed_at = $2
WHERE id = $1 AND status = 'active'
RETURNING 'true'
