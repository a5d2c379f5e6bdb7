-- The first leader says whose this database is; the id is given in any case, to a leader.
, claimed AS (
    INSERT INTO skypanel.identity (place, cluster_id, installation)
    SELECT %(place)s, %(cluster)s, %(installation)s FROM leader
    ON CONFLICT (id) DO NOTHING
    RETURNING database_id
)
SELECT database_id::text FROM claimed
UNION ALL
SELECT i.database_id::text FROM skypanel.identity i, leader
