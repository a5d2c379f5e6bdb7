-- A new set of unwanted objects needs a new confirmation.
, tripped AS (
    INSERT INTO skypanel.fuse AS f (id, tripped_at, doomed, doomed_count, live_count, confirmed_at, confirmed_by)
    SELECT true, now(), %(doomed)s::jsonb, %(doomed_count)s, %(live_count)s, NULL, NULL FROM leader
    ON CONFLICT (id) DO UPDATE
    SET tripped_at = coalesce(f.tripped_at, excluded.tripped_at), doomed = excluded.doomed,
        doomed_count = excluded.doomed_count, live_count = excluded.live_count, confirmed_at = NULL, confirmed_by = NULL
    WHERE NOT (f.tripped_at IS NOT NULL AND f.doomed @> excluded.doomed)
)
SELECT count(*) FROM leader
