-- The objects with a reconciler that a written row concerns: itself, its environment, or, when it was changed, all
-- that depend on it.
WITH written AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::uuid[], %(changed)s::bool[]) AS w(kind, id, changed)
)
SELECT 'organization', id FROM written WHERE kind = 'organization'
UNION SELECT 'organization', a.organization_id FROM written w JOIN public.paas_apps a ON w.kind = 'app' AND a.id = w.id
       WHERE w.changed AND a.deleted_at IS NULL -- its first app makes an organization one that has a network
UNION SELECT 'environment', id FROM written WHERE kind = 'environment'
UNION SELECT 'environment', p.environment_id FROM written w JOIN public.paas_processes p ON w.kind = 'process' AND p.id = w.id
UNION SELECT 'environment', d.environment_id FROM written w JOIN public.paas_domains d ON w.kind = 'domain' AND d.id = w.id
UNION SELECT 'environment', e.id FROM written w JOIN public.paas_environments e ON w.kind = 'app' AND e.app_id = w.id
       WHERE w.changed AND (e.deleted_at IS NULL OR %(deleted)s)
UNION SELECT 'environment', e.id FROM written w JOIN public.paas_environments e ON w.kind = 'plan' AND e.plan_id = w.id
       WHERE w.changed AND e.deleted_at IS NULL
UNION SELECT 'environment', e.id FROM written w JOIN public.paas_apps a ON w.kind = 'organization' AND a.organization_id = w.id
       JOIN public.paas_environments e ON e.app_id = a.id
       WHERE w.changed AND (e.deleted_at IS NULL OR %(deleted)s)
ORDER BY 1 DESC, 2 -- owners first
