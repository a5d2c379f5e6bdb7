-- Owners of something that we made, keep or have not finished with, whose rows are gone: remove it, give it back, say so.
SELECT DISTINCT k.kind, k.id::text
FROM (SELECT owner_kind AS kind, owner_id AS id FROM skypanel.inventory
      UNION ALL
      SELECT 'organization', organization_id FROM skypanel.subnets WHERE state = 'allocated'
      UNION ALL
      SELECT kind, id FROM skypanel.object_status WHERE finalized_at IS NULL AND kind = ANY(%(kinds)s)) AS k
WHERE NOT EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = k.kind AND o.id = k.id)
