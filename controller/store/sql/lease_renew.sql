UPDATE skypanel.lease
SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => %(seconds)s),
    engine_seen_at = coalesce(clock_timestamp() - make_interval(secs => %(silent)s::float), engine_seen_at)
WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
RETURNING epoch
