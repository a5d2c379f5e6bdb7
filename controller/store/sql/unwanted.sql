-- Which of these owners are no longer wanted: their row is gone, or deletion was asked for. What is paused stays for now.
SELECT w.kind, w.id::text, o.id IS NULL AS missing
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[]) AS w(kind, id)
LEFT JOIN skypanel.objects o ON o.kind = w.kind AND o.id = w.id
WHERE (o.id IS NULL OR o.deleted)
  AND NOT EXISTS (SELECT FROM skypanel.pause_of(w.kind, w.id, coalesce(
          o.organization_id,
          (SELECT t.organization_id FROM skypanel.object_status t WHERE t.kind = w.kind AND t.id = w.id),
          (SELECT min(i.organization_id::text)::uuid FROM skypanel.inventory i
           WHERE i.owner_kind = w.kind AND i.owner_id = w.id))))
