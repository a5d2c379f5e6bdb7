-- How far some objects are, whatever became of their rows. Owners come first.
SELECT w.kind, w.id, n.path, n.generation, n.deleted, s.observed_generation, s.ready, s.reason, s.message,
       coalesce(s.stalled, false), s.finalized_at IS NOT NULL, s.details, l.alive, l.age
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[]) AS w(kind, id)
LEFT JOIN skypanel.kinds k ON k.kind = w.kind
LEFT JOIN skypanel.names n ON n.kind = w.kind AND n.id = w.id
LEFT JOIN skypanel.status s ON s.kind = w.kind AND s.id = w.id
CROSS JOIN skypanel.leader l
ORDER BY k.depth, w.kind, n.path
