-- A time of an earlier system, or null for what is none: a text, a number of milliseconds, an infinite time, or one of those that
-- stand for "never" (0001-01-01, 9999-12-31). A cast would stop the import of all calls for one of these. Times without a zone may be
-- ahead of UTC, by 14 hours at most.
CREATE OR REPLACE FUNCTION pg_temp.read_time(value text) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $read_time$
DECLARE
  result timestamptz;
BEGIN
  result := value::timestamptz;
  RETURN CASE WHEN result BETWEEN 'epoch' AND now() + interval '1 day' THEN result END;
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END
$read_time$
