-- Stores that the audit entries of a legal hold ($1) up to the number $2 have their expiry, at $3; $4 says whether it is the chain's last
-- one, and $5 whether the hold stood. One that was lifted meanwhile begins again.
UPDATE medzen.legal_holds h
SET entries_applied = $2, entries_applied_at = CASE WHEN $4 THEN $3 ELSE h.entries_applied_at END, entries_leased_until = NULL
WHERE h.id = $1 AND (h.lifted_at IS NULL) = $5
RETURNING 'true'
