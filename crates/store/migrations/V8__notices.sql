-- What the host application is told about calls: written with the change, sent after it, kept until it is sent.

CREATE TABLE medzen.notices (
  id uuid PRIMARY KEY,
  -- The detail type on the bus.
  kind text NOT NULL,
  detail jsonb NOT NULL,
  at timestamptz NOT NULL,
  -- Until then somebody is about to send it.
  leased_until timestamptz,
  told_at timestamptz
);
CREATE INDEX notices_untold ON medzen.notices (at, id) WHERE told_at IS NULL;
CREATE INDEX notices_told ON medzen.notices (told_at) WHERE told_at IS NOT NULL;
CALL medzen.make_private('medzen.notices');

-- Who had a part in a call, those included whose appointment it is; never who was removed or turned away.
CREATE FUNCTION medzen.people_of(session uuid, appointment uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $people$
  SELECT coalesce(jsonb_agg(person ORDER BY person), '[]')
  FROM (
    SELECT provider_user_id AS person FROM medzen.call_appointments WHERE id = $2
    UNION
    SELECT patient_user_id FROM medzen.call_appointments WHERE id = $2
    UNION
    SELECT user_id FROM public.video_call_participants WHERE session_id = $1
  ) AS members
  WHERE person IS NOT NULL AND NOT EXISTS (
    SELECT FROM public.video_call_participants p
    WHERE p.session_id = $1 AND p.user_id = person AND p.status IN ('removed', 'turned_away'))
$people$;

-- Writes a notice and answers it. Whoever gives a lease sends it by then; else the next one who looks does.
--
-- It runs as its owner, so that the functions' role can write no notice but through it.
CREATE FUNCTION medzen.tell(kind text, detail jsonb, at timestamptz, leased_until timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $tell$
  INSERT INTO medzen.notices AS notice (id, kind, detail, at, leased_until)
  SELECT id, $1, jsonb_build_object(
    'version', '1', 'eventId', id,
    'occurredAt', to_char($3 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) || jsonb_strip_nulls($2), $3, $4
  FROM gen_random_uuid() AS id
  RETURNING jsonb_build_object('id', notice.id, 'kind', notice.kind, 'detail', notice.detail)
$tell$;

REVOKE ALL ON FUNCTION medzen.people_of(uuid, uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION medzen.tell(text, jsonb, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION medzen.people_of(uuid, uuid) TO medzen_functions;
GRANT EXECUTE ON FUNCTION medzen.tell(text, jsonb, timestamptz, timestamptz) TO medzen_functions;
GRANT SELECT, UPDATE (leased_until, told_at), DELETE ON medzen.notices TO medzen_functions;
CREATE POLICY functions_read ON medzen.notices FOR SELECT TO medzen_functions USING (true);
CREATE POLICY functions_tell ON medzen.notices FOR UPDATE TO medzen_functions USING (true) WITH CHECK (true);
CREATE POLICY functions_prune ON medzen.notices FOR DELETE TO medzen_functions USING (told_at IS NOT NULL);
