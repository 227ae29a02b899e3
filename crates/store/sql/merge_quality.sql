-- A compare-and-set on the number of requests that the stored summary holds; the loser gets the summary that is stored. The
-- participant must exist ($1 session, $2 user, $3 requests in the stored summary, $4 summary).
WITH merged AS (
  INSERT INTO medzen.participant_quality AS q (session_id, user_id, summary)
  SELECT p.video_call_id, p.user_id, $4
  FROM public.video_call_participants p
  WHERE p.video_call_id = $1 AND p.user_id = $2
    AND ($3 = 0 OR EXISTS (SELECT FROM medzen.participant_quality s WHERE s.session_id = $1 AND s.user_id = $2))
  ON CONFLICT (session_id, user_id) DO UPDATE SET summary = $4
  WHERE coalesce((q.summary ->> 'posts')::bigint, 0) = $3
  RETURNING q.user_id
)
SELECT CASE WHEN EXISTS (SELECT FROM merged) THEN '{"merged": true}'
  ELSE json_build_object('merged', false, 'stored', (
    SELECT q.summary FROM medzen.participant_quality q WHERE q.session_id = $1 AND q.user_id = $2))::text END
FROM public.video_call_participants p
WHERE p.video_call_id = $1 AND p.user_id = $2
