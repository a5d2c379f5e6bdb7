-- Ends the lease now, and tells those who stand by.
WITH released AS (
    UPDATE skypanel.lease SET expires_at = clock_timestamp()
    WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
    RETURNING 1
)
SELECT pg_notify('skypanel_lease', '') FROM released
