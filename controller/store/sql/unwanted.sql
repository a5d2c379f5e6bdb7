-- Which of these owners are no longer wanted: their row is gone, or deletion was asked for.
SELECT w.kind, w.id::text, o.id IS NULL AS missing
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[]) AS w(kind, id)
LEFT JOIN skypanel.objects o ON o.kind = w.kind AND o.id = w.id
WHERE o.id IS NULL OR o.deleted
