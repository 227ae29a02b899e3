-- Only the holder releases the lease, and only as of its own time: a run that comes late finds it taken.
UPDATE medzen.leases SET expires_at = $2 WHERE name = 'reconcile' AND holder = $1
RETURNING 'true'
