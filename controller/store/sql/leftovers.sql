-- Owners of something that we made or keep, whose rows are gone: it has to be removed, or given back.
SELECT DISTINCT k.kind, k.id::text
FROM (SELECT owner_kind AS kind, owner_id AS id FROM skypanel.inventory
      UNION ALL
      SELECT 'organization', organization_id FROM skypanel.subnets WHERE state = 'allocated') AS k
WHERE NOT EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = k.kind AND o.id = k.id)
