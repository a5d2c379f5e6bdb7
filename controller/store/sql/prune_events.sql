WITH gone AS (
    DELETE FROM skypanel.events
    WHERE id IN (SELECT id FROM skypanel.events WHERE last_at < now() - make_interval(days => %(days)s) LIMIT %(most)s)
    RETURNING 1
)
SELECT count(*) FROM gone
