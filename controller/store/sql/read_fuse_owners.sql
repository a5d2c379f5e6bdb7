-- Names of the owners whose objects the fuse holds back, and how many objects each has. A row may be gone for good.
SELECT w.owner,
       coalesce(
           CASE split_part(w.owner, '/', 1)
               WHEN 'environment' THEN (
                   SELECT concat_ws('/', o.slug, a.slug, e.name)
                   FROM public.paas_environments e
                   JOIN public.paas_apps a ON a.id = e.app_id
                   JOIN public.organizations o ON o.id = a.organization_id
                   WHERE e.id = split_part(w.owner, '/', 2)::uuid)
               WHEN 'organization' THEN (
                   SELECT o.slug FROM public.organizations o WHERE o.id = split_part(w.owner, '/', 2)::uuid)
           END,
           (SELECT n.slug FROM public.organizations n WHERE n.id = s.organization_id)),
       coalesce((SELECT array_agg(i.object_type || ' ' || i.name ORDER BY i.object_type, i.name) FROM skypanel.inventory i
                 WHERE i.owner_kind || '/' || i.owner_id = w.owner), '{}')
FROM unnest(%(owners)s::text[]) AS w(owner)
LEFT JOIN skypanel.object_status s ON s.kind || '/' || s.id = w.owner
ORDER BY 2 NULLS LAST, 1
