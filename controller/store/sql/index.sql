-- Every wanted object, and what was last said of it; the resync compares this with the live view.
SELECT o.kind, o.id::text, o.organization_id::text, o.generation, o.deleted,
       coalesce(s.ready AND s.observed_generation = o.generation, false) AS ready, s.finalized_at IS NOT NULL AS finalized
FROM skypanel.objects o
LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id
