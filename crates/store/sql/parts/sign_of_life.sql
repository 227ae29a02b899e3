-- The request of `sign` shows that the caller's client is alive: stored at most once in 20 seconds, for as long as it may keep the
-- caller's part in the call. Somebody who left by request is in the call while Chime reports a connection with the stored attendee.
, seen AS (
  UPDATE public.video_call_participants p SET seen_at = sign.at
  FROM session, caller, sign
  WHERE p.video_call_id = session.id AND p.user_id = caller.id AND session.status = 'active' AND sign.at IS NOT NULL
    AND (p.status IN ('waiting', 'joined')
      OR p.status = 'left' AND p.connected AND medzen.has_stored_attendee(p.video_call_id, p.user_id))
    AND (p.seen_at IS NULL OR p.seen_at <= sign.at - interval '20 seconds')
)
