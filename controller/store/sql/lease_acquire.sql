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
RETURNING epoch
