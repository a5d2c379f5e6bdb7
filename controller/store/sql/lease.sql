-- The lease: one row, and who holds it until when.

-- name: leader
-- Prefixed to every write: nothing is written unless this process still holds the lease, by the database's clock.
-- FOR KEY SHARE lets renewals pass and makes a take-over (a new epoch, a key column) wait for the write.
WITH leader AS (
    SELECT 1
    FROM skypanel.lease
    WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
    FOR KEY SHARE
)

-- name: acquire
-- Takes a free or expired lease; no row when somebody else holds it. A new holder always gets a new epoch: microseconds, the
-- last three digits of which are chance, so that a server that has lost the last terms by a fail-over gives none out again.
INSERT INTO skypanel.lease AS held (name, holder, epoch, acquired_at, renewed_at, expires_at, engine_seen_at)
SELECT %(lease)s, %(holder)s,
       greatest(coalesce(max(epoch), 0) + 1, %(epoch)s::bigint + 1,
                (extract(epoch FROM clock_timestamp()) * 1000)::bigint * 1000 + (random() * 999)::bigint),
       clock_timestamp(), clock_timestamp(), clock_timestamp() + make_interval(secs => %(seconds)s),
       clock_timestamp() - make_interval(secs => %(silent)s::float)
FROM skypanel.lease
HAVING coalesce(bool_and(expires_at <= clock_timestamp()) FILTER (WHERE name = %(lease)s), true) -- no lock to ask
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, epoch = excluded.epoch, acquired_at = excluded.acquired_at,
    renewed_at = excluded.renewed_at, expires_at = excluded.expires_at,
    engine_seen_at = coalesce(excluded.engine_seen_at, held.engine_seen_at)
WHERE held.expires_at <= clock_timestamp()
RETURNING epoch, extract(epoch FROM clock_timestamp())::float

-- name: renew
UPDATE skypanel.lease
SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => %(seconds)s),
    engine_seen_at = coalesce(clock_timestamp() - make_interval(secs => %(silent)s::float), engine_seen_at)
WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
RETURNING epoch, extract(epoch FROM clock_timestamp())::float

-- name: release
-- Ends the lease now, and tells those who stand by.
WITH released AS (
    UPDATE skypanel.lease SET expires_at = clock_timestamp()
    WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
    RETURNING 1
)
SELECT pg_notify('skypanel_lease', '') FROM released

-- name: read
SELECT holder, epoch, extract(epoch FROM clock_timestamp() - renewed_at)::float,
       extract(epoch FROM expires_at - clock_timestamp())::float
FROM skypanel.lease
WHERE name = %(name)s
