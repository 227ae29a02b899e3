-- Searches the finished transcripts of the calls of a caller ($1 subject or $2 user) for the words of a query ($3) in a language ($4, null for
-- all): as the provider of the appointment ($5), as its patient ($6). The newest call first, after the segment ($8, $9, $10) of the
-- transcript $11 of $7, at most $12 and one more, which says that there is another page. $13 now, $14 origin, $15 audit event: the
-- entry has ids alone. Without a word to find nothing is read and nothing is audited.
WITH account AS (
  SELECT id FROM medzen.call_users WHERE firebase_uid = $1
  UNION
  SELECT id FROM medzen.call_users WHERE id = $2
), caller AS (
  SELECT id FROM medzen.caller($1, $2, NULL) AS id
), appointment AS (
  SELECT a.id FROM account JOIN medzen.call_appointments a ON a.provider_user_id = account.id WHERE $5
  UNION
  SELECT a.id FROM account JOIN medzen.call_appointments a ON a.patient_user_id = account.id WHERE $6
), transcript AS (
  SELECT array_agg(t.id ORDER BY t.created_at DESC, t.id DESC) AS ids
  FROM appointment JOIN public.video_call_sessions s ON s.appointment_id = appointment.id
  JOIN medzen.transcripts t ON t.session_id = s.id
  WHERE t.finished_at IS NOT NULL AND t.deletion_requested_at IS NULL
    AND ($11::uuid IS NULL OR (t.created_at, t.id) <= ($7, $11))
), query AS (
  SELECT count(*) > 0 AS has_words FROM medzen.search_queries($3, $4)
), found AS MATERIALIZED (
  SELECT f.*, t.created_at, s.appointment_id, s.id AS session_id, g.start_ms, g.end_ms, g.source, g.body
  FROM transcript,
    -- The transcript of the place may have been deleted since.
    LATERAL medzen.search_segments(transcript.ids, $3, $4, CASE WHEN transcript.ids[1] = $11 THEN $8 END, $9, $10, $12 + 1) AS f
  JOIN medzen.transcript_segments g ON g.transcript_id = f.transcript_id AND g.result_id = f.result_id AND g.place = f.place
  JOIN medzen.transcripts t ON t.id = f.transcript_id
  JOIN public.video_call_sessions s ON s.id = t.session_id
), page AS (
  SELECT * FROM found ORDER BY nth, start_ms, result_id, place LIMIT $12
), audited AS MATERIALIZED (
  SELECT medzen.audit_append('ACTOR#' || caller.id, $14 || jsonb_build_object(
    'event', $15::text, 'actor', caller.id, 'results', (SELECT count(*) FROM page),
    'transcriptIds', (SELECT coalesce(jsonb_agg(DISTINCT transcript_id), '[]') FROM page)), $13) AS seq
  FROM caller, query WHERE query.has_words
)
SELECT json_build_object(
  'caller', (SELECT json_build_object('id', id) FROM caller),
  'hasWords', (SELECT has_words FROM query),
  'audited', (SELECT count(seq) FROM audited),
  'more', (SELECT count(*) FROM found) > $12,
  'results', (
    SELECT coalesce(json_agg(json_build_object(
      'transcriptId', p.transcript_id, 'appointmentId', p.appointment_id, 'sessionId', p.session_id, 'createdAt', p.created_at,
      'startMs', p.start_ms, 'resultId', p.result_id, 'place', p.place,
      -- Its number in the transcript, which is ordered as domain::transcript::segments::assemble orders it.
      'number', 1 + (
        SELECT count(*) FROM medzen.transcript_segments o
        WHERE o.transcript_id = p.transcript_id AND o.start_ms <= p.start_ms
          AND (o.start_ms, o.end_ms, o.source = 'batch', o.result_id COLLATE "C", o.place)
            < (p.start_ms, p.end_ms, p.source = 'batch', p.result_id COLLATE "C", p.place)),
      -- The marks are characters that no text has: they are taken out of it. What looks like a tag would be left out of a headline.
      'snippet', translate(ts_headline(p.configuration, translate(p.body, U&'<>\E000\E001', U&'\E002\E003'), p.words,
        U&'StartSel=\E000, StopSel=\E001, MaxWords=30, MinWords=12'), U&'\E002\E003', '<>'))
      ORDER BY p.nth, p.start_ms, p.result_id, p.place), '[]')
    FROM page AS p)
)::text
