-- What is read under a session's lock, and what is dropped when its time is over.
--
-- A statement that waits for a lock goes on with the snapshot from before it waited. Each query of a VOLATILE function has a
-- snapshot of its own (https://www.postgresql.org/docs/15/xfunc-volatility.html): these are called once the lock is held,
-- and see what it protects.

-- Takes the join token of a person away. The debt that it leaves: Chime is to delete the attendee. Null if there was none.
CREATE FUNCTION medzen.take_token(session uuid, person uuid, at timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $take$
  WITH token AS (
    DELETE FROM medzen.video_call_attendee_tokens t WHERE t.session_id = $1 AND t.user_id = $2
    RETURNING t.session_id, t.user_id, t.attendee_id
  )
  INSERT INTO medzen.attendee_debts AS debt (id, session_id, user_id, attendee_id, kind, since)
  SELECT gen_random_uuid(), session_id, user_id, attendee_id, 'delete', $3 FROM token
  RETURNING jsonb_build_object('id', debt.id, 'attendeeId', debt.attendee_id)
$take$;

-- The debt that what a person may do has changed: Chime is to be told. Null where they have no attendee.
CREATE FUNCTION medzen.owe_capabilities(session uuid, person uuid, at timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $owe$
  INSERT INTO medzen.attendee_debts AS debt (id, session_id, user_id, attendee_id, kind, since)
  SELECT gen_random_uuid(), t.session_id, t.user_id, t.attendee_id, 'capabilities', $3
  FROM medzen.video_call_attendee_tokens t WHERE t.session_id = $1 AND t.user_id = $2
  RETURNING jsonb_build_object('id', debt.id, 'attendeeId', debt.attendee_id)
$owe$;

-- Whether a person's stored attendee is this one.
CREATE FUNCTION medzen.has_attendee(session uuid, person uuid, attendee text) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $has$
  SELECT EXISTS (
    SELECT FROM medzen.video_call_attendee_tokens t
    WHERE t.session_id = $1 AND t.user_id = $2 AND t.attendee_id = $3)
$has$;

-- Takes a person's words on consent, [{"kind": ..., "granted": ...}], and answers those that are new: a word that is the
-- newest of its kind already is none.
CREATE FUNCTION medzen.take_words(session uuid, person uuid, words jsonb, at timestamptz)
RETURNS TABLE (kind text, granted boolean)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $words$
  INSERT INTO public.video_call_consents AS given (session_id, number, user_id, kind, granted, given_at)
  SELECT $1,
    (SELECT coalesce(max(c.number), 0) FROM public.video_call_consents c WHERE c.session_id = $1)
      + row_number() OVER (ORDER BY word.kind),
    $2, word.kind, word.granted, $4
  FROM jsonb_to_recordset($3) AS word (kind text, granted boolean)
  WHERE word.granted IS DISTINCT FROM (
    SELECT c.granted FROM public.video_call_consents c
    WHERE c.session_id = $1 AND c.user_id = $2 AND c.kind = word.kind
    ORDER BY c.number DESC LIMIT 1)
  RETURNING given.kind, given.granted
$words$;

REVOKE ALL ON FUNCTION medzen.take_token(uuid, uuid, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION medzen.owe_capabilities(uuid, uuid, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION medzen.has_attendee(uuid, uuid, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION medzen.take_words(uuid, uuid, jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION medzen.take_token(uuid, uuid, timestamptz) TO medzen_functions;
GRANT EXECUTE ON FUNCTION medzen.owe_capabilities(uuid, uuid, timestamptz) TO medzen_functions;
GRANT EXECUTE ON FUNCTION medzen.has_attendee(uuid, uuid, text) TO medzen_functions;
GRANT EXECUTE ON FUNCTION medzen.take_words(uuid, uuid, jsonb, timestamptz) TO medzen_functions;

-- Counts of refusals, dropped when they are old.
CREATE INDEX refusals_by_age ON medzen.refusals (since);
GRANT DELETE ON medzen.refusals TO medzen_functions;
