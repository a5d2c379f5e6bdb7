-- Which Swarm this database belongs to.

-- name: read
-- Who this database is, where it is now, and the newest epoch that it gave out.
SELECT (SELECT c.system_identifier FROM pg_control_system() c) || '/'
           || (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AS here,
       i.database_id::text, i.place, i.cluster_id, i.installation, i.accepted_mark,
       coalesce((SELECT max(epoch) FROM skypanel.lease), 0) AS epoch
FROM (SELECT 1) AS one LEFT JOIN skypanel.identity i ON i.id

-- name: claim
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

-- name: accept
-- What was found is meant. Another place is a copy: it gets an identity of its own, so that the two are told apart.
INSERT INTO skypanel.identity AS i (id, place, cluster_id, installation, accepted_mark, accepted_at, accepted_by)
VALUES (true, %(place)s, %(cluster)s, %(installation)s, %(mark)s, now(), session_user)
ON CONFLICT (id) DO UPDATE
SET database_id = CASE WHEN i.place = excluded.place THEN i.database_id ELSE excluded.database_id END, place = excluded.place,
    cluster_id = excluded.cluster_id, installation = excluded.installation, accepted_mark = excluded.accepted_mark,
    accepted_at = excluded.accepted_at, accepted_by = excluded.accepted_by
