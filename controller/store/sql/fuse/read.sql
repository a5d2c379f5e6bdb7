-- Since when the fuse has tripped, of how many live objects, and what waits: owners, those not confirmed, their objects.
SELECT f.tripped_at, coalesce(f.live_count, 0), l.owners, l.unconfirmed, l.objects
FROM (SELECT count(*) AS owners, count(*) FILTER (WHERE confirmed_at IS NULL) AS unconfirmed,
             coalesce(sum(objects) FILTER (WHERE confirmed_at IS NULL), 0) AS objects FROM skypanel.fuse_losses) l
LEFT JOIN skypanel.fuse f ON f.id
