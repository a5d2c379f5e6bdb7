-- Which environment has a host name.
SELECT concat_ws('/', o.slug, a.slug, e.name), e.id
FROM public.paas_domains d
JOIN public.paas_environments e ON e.id = d.environment_id
JOIN public.paas_apps a ON a.id = e.app_id
JOIN public.organizations o ON o.id = a.organization_id
WHERE d.hostname = %(key)s AND d.deleted_at IS NULL
