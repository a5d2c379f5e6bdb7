-- Every wanted object but those whose removal is done and noted, and what was last said of it; the resync compares this with the live view.
SELECT o.kind, o.id::text, o.organization_id::text, o.generation, o.deleted,
       coalesce(s.ready AND s.observed_generation = o.generation, false) AS ready, s.finalized_at IS NOT NULL AS finalized,
       c.reconcile_token IS NOT NULL AND c.reconcile_token IS DISTINCT FROM s.handled_token AS asked
FROM skypanel.present o
LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id
LEFT JOIN skypanel.reconcile_controls c ON c.scope = 'object' AND c.kind = o.kind AND c.id = o.id
