-- Entries in conflict with the audit table, and undelivered entries older than $1.
SELECT json_build_object(
  'conflicts', (SELECT count(*) FROM medzen.audit_outbox WHERE conflict),
  'backlog', (SELECT count(*) FROM medzen.audit_outbox WHERE delivered_at IS NULL AND NOT conflict AND at < $1))::text
