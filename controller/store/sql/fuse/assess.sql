-- Which of what lives would be lost, by owner: what of it is gone or to be deleted, and what of it should serve less.
-- The first row is the fuse's own. What is paused stays for now.
-- Everything is listed once, and joined by hash; see many.sql.
WITH wanted AS MATERIALIZED (
    SELECT kind, id, organization_id, deleted FROM skypanel.objects
), serving AS MATERIALIZED (
    SELECT id, runs, name FROM skypanel.served
), owners AS ( -- with what they have beyond the Swarm
    SELECT kind, id, sum(objects)::bigint AS objects
    FROM (SELECT kind, id::uuid, objects::bigint
          FROM ROWS FROM (json_array_elements_text(%(owners)s -> 0), json_array_elements_text(%(owners)s -> 1),
                          json_array_elements_text(%(owners)s -> 2)) AS o(kind, id, objects)
          UNION ALL
          SELECT owner_kind, owner_id, 1 FROM skypanel.inventory WHERE position('/' IN object_type) > 0) AS each
    GROUP BY kind, id
), running AS (
    SELECT id::uuid, name
    FROM ROWS FROM (json_array_elements_text(%(processes)s -> 0), json_array_elements_text(%(processes)s -> 1)) AS p(id, name)
), routed AS (
    SELECT id::uuid, name
    FROM ROWS FROM (json_array_elements_text(%(hosts)s -> 0), json_array_elements_text(%(hosts)s -> 1)) AS h(id, name)
), gone AS (
    SELECT w.kind, w.id, CASE WHEN o.id IS NULL AND t.id IS NULL THEN 'absent' ELSE 'deleted' END AS why,
           w.objects, 0::bigint AS processes, 0::bigint AS hosts, o.organization_id
    FROM owners w
    LEFT JOIN wanted o ON o.kind = w.kind AND o.id = w.id
    LEFT JOIN skypanel.tombstones t ON t.kind = w.kind AND t.id = w.id
    WHERE o.id IS NULL OR o.deleted
), less AS (
    SELECT o.kind, x.id, 'reduced' AS why, 0::bigint AS objects,
           count(*) FILTER (WHERE x.runs) AS processes, count(*) FILTER (WHERE NOT x.runs) AS hosts, NULL::uuid AS organization_id
    FROM (SELECT p.id, true AS runs
          FROM running p
          LEFT JOIN serving s ON s.runs AND s.id = p.id AND s.name = p.name
          WHERE s.name IS NULL
          UNION ALL
          SELECT h.id, false
          FROM routed h
          LEFT JOIN serving s ON NOT s.runs AND s.name = h.name
          WHERE s.name IS NULL) AS x
    JOIN owners o ON o.id = x.id
    WHERE NOT EXISTS (SELECT FROM gone WHERE gone.kind = o.kind AND gone.id = x.id)
    GROUP BY o.kind, x.id
), lost AS (
    SELECT * FROM gone UNION ALL SELECT * FROM less
)
SELECT NULL AS kind, NULL AS id, array_to_string(ARRAY(SELECT DISTINCT h.table_name FROM skypanel.hidden_tables h), ', ') AS why,
       (SELECT count(*) FROM skypanel.fuse_losses) AS objects, 0 AS processes, 0 AS hosts,
       (SELECT f.tripped_at IS NOT NULL FROM skypanel.fuse f WHERE f.id) AS confirmed
UNION ALL
SELECT l.kind, l.id::text, l.why, l.objects, l.processes, l.hosts,
       f.confirmed_at IS NOT NULL AND l.objects <= f.objects AND l.processes <= f.processes AND l.hosts <= f.hosts
FROM lost l
LEFT JOIN skypanel.fuse_losses f ON f.owner_kind = l.kind AND f.owner_id = l.id
WHERE NOT EXISTS (SELECT FROM skypanel.reconcile_controls c WHERE c.paused)
   OR NOT EXISTS (SELECT FROM skypanel.pause_of(l.kind, l.id, coalesce(
          l.organization_id,
          (SELECT o.organization_id FROM skypanel.objects o WHERE o.kind = l.kind AND o.id = l.id),
          (SELECT t.organization_id FROM skypanel.object_status t WHERE t.kind = l.kind AND t.id = l.id),
          (SELECT min(i.organization_id::text)::uuid FROM skypanel.inventory i
           WHERE i.owner_kind = l.kind AND i.owner_id = l.id))))
