-- Only the holder releases the lease, and only with its own expiry: a late run finds it taken.
UPDATE medzen.leases SET expires_at = $2 WHERE name = 'reconcile' AND holder = $1
RETURNING 'true'
