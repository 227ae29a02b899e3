SELECT json_agg(id ORDER BY activated_at, id)::text FROM public.video_call_sessions WHERE status = 'active'
