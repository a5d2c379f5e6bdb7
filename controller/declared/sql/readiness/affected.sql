-- The objects with a reconciler that a written row concerns: itself, what it is a part of, or, when it was changed, all
-- that depend on it. Owners come first.
WITH written AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::uuid[], %(changed)s::bool[]) AS w(kind, id, changed)
), found AS (
    SELECT w.kind, w.id FROM written w JOIN skypanel.kinds k ON k.kind = w.kind AND k.reconciled
    UNION
    SELECT c.object_kind, c.object_id
    FROM written w JOIN skypanel.concerns c ON c.kind = w.kind AND c.id = w.id
    WHERE c.always OR (w.changed AND (NOT c.deleted OR %(deleted)s))
)
SELECT f.kind, f.id FROM found f JOIN skypanel.kinds k ON k.kind = f.kind
ORDER BY k.depth, f.kind, f.id
