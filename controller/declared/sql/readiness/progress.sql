-- How far some objects are, whatever became of their rows.
SELECT w.kind, w.id, r.path, r.generation, r.deleted, s.observed_generation, s.ready, s.reason, s.message,
       coalesce(s.stalled, false), s.finalized_at IS NOT NULL, s.details, l.alive, l.age
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[]) AS w(kind, id)
LEFT JOIN LATERAL (
    SELECT concat_ws('/', o.slug, a.slug, e.name) AS path, e.generation, e.deleted_at IS NOT NULL AS deleted
    FROM public.paas_environments e
    JOIN public.paas_apps a ON a.id = e.app_id
    JOIN public.organizations o ON o.id = a.organization_id
    WHERE w.kind = 'environment' AND e.id = w.id
    UNION ALL
    SELECT o.slug, p.generation, p.deleted_at IS NOT NULL
    FROM public.paas_organizations p JOIN public.organizations o ON o.id = p.organization_id
    WHERE w.kind = 'organization' AND p.organization_id = w.id
) r ON true
LEFT JOIN skypanel.status s ON s.kind = w.kind AND s.id = w.id
CROSS JOIN skypanel.leader l
ORDER BY w.kind DESC, r.path
