-- Prefixed to every write: nothing is written unless this process still holds the lease, by the database's clock.
-- FOR KEY SHARE lets renewals pass and makes a take-over (a new epoch, a key column) wait for the write.
WITH leader AS (
    SELECT 1
    FROM skypanel.lease
    WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
    FOR KEY SHARE
)
