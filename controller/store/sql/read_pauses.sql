-- Every pause, the widest first.
SELECT scope, kind, id, paused_reason, paused_by, paused_at
FROM skypanel.reconcile_controls
WHERE paused
ORDER BY scope <> 'installation', scope <> 'organization', paused_at
