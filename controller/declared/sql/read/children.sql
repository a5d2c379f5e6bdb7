-- Of each owner: how many children it has, how many are ready, how many are still being removed, and of how many nobody knows.
SELECT c.{owner_column},
       count(*) FILTER (WHERE c.deleted_at IS NULL),
       count(*) FILTER (WHERE c.deleted_at IS NULL AND s.ready = 'True'),
       count(*) FILTER (WHERE c.deleted_at IS NULL AND s.stalled),
       count(*) FILTER (WHERE c.deleted_at IS NOT NULL AND s.finalized_at IS NULL),
       count(*) FILTER (WHERE c.deleted_at IS NULL AND s.ready = 'Unknown'),
       min(s.reason) FILTER (WHERE c.deleted_at IS NULL AND s.ready = 'Unknown')
FROM {children} c
-- The array is there so that the view makes no other statuses.
LEFT JOIN skypanel.status s ON s.kind = {kind} AND s.id = c.id
     AND s.id = ANY (ARRAY(SELECT x.id FROM {children} x WHERE x.{owner_column} = ANY (%(ids)s)))
WHERE c.{owner_column} = ANY (%(ids)s)
GROUP BY c.{owner_column}
