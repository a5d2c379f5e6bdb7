UNION ALL
SELECT {kind}, l.id, l.organization_id, NULL, NULL, l.generation, l.deleted, l.doc, l.inventory, l.status, l.paused, l.token
FROM ({load}) l
