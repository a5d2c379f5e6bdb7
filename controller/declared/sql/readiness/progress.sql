-- How far some objects are, whatever became of their rows. Owners come first.
-- OFFSET 0: each is found by its key; a join would read all there are.
SELECT w.kind, w.id, n.path, n.generation, n.deleted, s.observed_generation, s.ready, s.reason, s.message,
       coalesce(s.stalled, false), s.finalized_at IS NOT NULL, s.details, l.alive, l.age
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[]) AS w(kind, id)
LEFT JOIN skypanel.kinds k ON k.kind = w.kind
LEFT JOIN LATERAL (SELECT * FROM skypanel.names v WHERE v.kind = w.kind AND v.id = w.id OFFSET 0) n ON true
LEFT JOIN LATERAL (SELECT * FROM skypanel.status v WHERE v.kind = w.kind AND v.id = w.id OFFSET 0) s ON true
CROSS JOIN skypanel.leader l
ORDER BY k.depth, w.kind, n.path
