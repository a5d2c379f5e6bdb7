-- What waits for a confirmation, by owner, with its name as far as anything still knows it. A row may be gone for good.
WITH made AS (
    SELECT i.owner_kind, i.owner_id, min(i.organization_id::text)::uuid AS organization_id,
           (array_agg(i.object_type || ' ' || i.name ORDER BY i.object_type DESC, i.name))[1:4] AS names
    FROM skypanel.inventory i
    JOIN skypanel.fuse_losses l ON l.owner_kind = i.owner_kind AND l.owner_id = i.owner_id
    GROUP BY i.owner_kind, i.owner_id
), known AS MATERIALIZED (
    SELECT kind, id, path, organization_id FROM skypanel.names
    WHERE kind IN (SELECT k.kind FROM skypanel.kinds k WHERE k.reconciled)
)
SELECT l.owner_kind, l.owner_id::text,
       coalesce(n.path, '') AS name,
       coalesce(t.path, '') AS organization,
       CASE WHEN l.why <> 'deleted' THEN l.why
            WHEN d.id IS NOT NULL THEN 'its row was deleted by ' || d.deleted_by || ' at ' || to_char(d.deleted_at, 'YYYY-MM-DD HH24:MI:SS TZ')
            ELSE 'deleted_at is set' END AS why,
       l.objects, l.processes, l.hosts, coalesce(m.names, '{}') AS names, l.since, l.confirmed_at, l.confirmed_by
FROM skypanel.fuse_losses l
LEFT JOIN made m ON m.owner_kind = l.owner_kind AND m.owner_id = l.owner_id
LEFT JOIN skypanel.tombstones d ON d.kind = l.owner_kind AND d.id = l.owner_id
LEFT JOIN skypanel.object_status s ON s.kind = l.owner_kind AND s.id = l.owner_id
LEFT JOIN known n ON n.kind = l.owner_kind AND n.id = l.owner_id
LEFT JOIN known t ON t.id = coalesce(n.organization_id, s.organization_id, m.organization_id) AND t.organization_id = t.id
ORDER BY t.path NULLS LAST, 3, l.owner_kind, l.owner_id
