-- Stores how far a pass over the files of a legal hold ($1) came, that was begun after the change $2 and has changed $3 versions: where it goes
-- on ($4), or null when it is complete, with its audit entry. $5 now, $6 origin, $7 audit event; $8 whether it places the hold. A pass that
-- another one has followed stores nothing.
WITH advanced AS (
  UPDATE medzen.legal_holds h
  SET file_pass = $4,
      files_applied = CASE WHEN $4 IS NULL THEN $2 ELSE h.files_applied END,
      files_applied_at = CASE WHEN $4 IS NULL THEN $5 ELSE h.files_applied_at END,
      file_versions = CASE WHEN $4 IS NULL THEN $3 ELSE h.file_versions END
  WHERE h.id = $1 AND h.files_applied < $2
  RETURNING h.appointment_id
), audited AS MATERIALIZED (
  SELECT medzen.audit_append(medzen.appointment_chain(appointment_id), $6 || jsonb_build_object(
    'event', $7::text, 'appointmentId', appointment_id, 'onHold', $8::boolean, 'versions', $3::bigint), $5) AS seq
  FROM advanced WHERE $4 IS NULL
)
SELECT 'true' FROM advanced WHERE (SELECT count(seq) FROM audited) >= 0
