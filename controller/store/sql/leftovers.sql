-- Owners in the inventory or in the status table whose rows are gone: something may still live for them.
SELECT DISTINCT i.owner_kind, i.owner_id::text
FROM skypanel.inventory i
WHERE NOT EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = i.owner_kind AND o.id = i.owner_id)
