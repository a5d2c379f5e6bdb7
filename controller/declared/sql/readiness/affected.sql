-- The objects with a reconciler that a written row concerns: itself, what it is a part of, or, when it was changed, all
-- that depend on it. Owners come first. OFFSET 0: each is found by its key; a join would read all there are.
WITH written AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::uuid[], %(changed)s::bool[]) AS w(kind, id, changed)
), found AS (
    SELECT w.kind, w.id FROM written w JOIN skypanel.kinds k ON k.kind = w.kind AND k.reconciled
    UNION
    SELECT c.object_kind, c.object_id
    FROM written w
    CROSS JOIN LATERAL (SELECT * FROM skypanel.concerns v WHERE v.kind = w.kind AND v.id = w.id OFFSET 0) c
    WHERE c.always OR (w.changed AND (NOT c.deleted OR %(deleted)s))
)
SELECT f.kind, f.id FROM found f JOIN skypanel.kinds k ON k.kind = f.kind
ORDER BY k.depth, f.kind, f.id
