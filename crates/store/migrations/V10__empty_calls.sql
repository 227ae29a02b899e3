-- Calls that everyone has left are asked for in each run of the reconciler; they are few, and found without the others.
CREATE INDEX video_call_sessions_empty
  ON public.video_call_sessions (emptied_at) WHERE status = 'active' AND connected = 0;
