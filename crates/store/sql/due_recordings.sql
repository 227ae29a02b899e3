-- Recordings whose files are not finished or not deleted and whose state began before $1, the earliest first, at most $2. Under a legal hold
-- nothing is deleted; a deletion begins anew when it is lifted.
SELECT coalesce(json_agg(json_build_object(
  'id', due.id, 'intent', due.intent, 'deletionRequested', due.deletion_requested_at IS NOT NULL, 'since', due.since,
  'segments', (
    SELECT coalesce(json_agg(g.status ORDER BY g.number), '[]') FROM medzen.recording_segments g WHERE g.recording_id = due.id),
  'captures', (
    SELECT coalesce(json_agg(g.capture_id ORDER BY g.number), '[]') FROM medzen.recording_segments g
    WHERE g.recording_id = due.id))
  ORDER BY due.since, due.id), '[]')::text
FROM (
  SELECT r.*, greatest(coalesce(r.deletion_requested_at, r.ended_at, r.began_at), hold.lifted_at) AS since
  FROM medzen.recordings r
  LEFT JOIN LATERAL (
    SELECT max(h.lifted_at) AS lifted_at, bool_or(h.lifted_at IS NULL) AS stands
    FROM public.video_call_sessions s JOIN medzen.legal_holds h ON h.appointment_id = s.appointment_id
    WHERE s.id = r.session_id AND r.deletion_requested_at IS NOT NULL) AS hold ON true
  WHERE r.deleted_at IS NULL AND (r.finished_at IS NULL OR r.deletion_requested_at IS NOT NULL)
    AND coalesce(r.deletion_requested_at, r.ended_at, r.began_at) <= $1 AND hold.stands IS NOT TRUE
  ORDER BY coalesce(r.deletion_requested_at, r.ended_at, r.began_at), r.id
  LIMIT $2
) AS due
