-- A run that is not over counts towards the quotas of its organization: as one more task of its environment, or of its own plan.

CREATE OR REPLACE VIEW skypanel.quotas AS
    SELECT o.organization_id, q.quota, q.used, q.allowed
      FROM public.paas_organizations o
     CROSS JOIN LATERAL (SELECT count(*) AS apps FROM public.paas_apps a
                          WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL) a
     CROSS JOIN LATERAL (SELECT count(*) AS environments, coalesce(sum(s.tasks), 0) AS tasks, coalesce(sum(s.cores), 0) AS cores,
                                coalesce(sum(s.memory_mb), 0) AS memory_mb
                           FROM skypanel.sizes s WHERE s.organization_id = o.organization_id) e
     CROSS JOIN LATERAL (SELECT count(*) AS tasks, coalesce(sum(coalesce(own.cpu_limit, e.cpu_limit, p.cpu_limit, 0.5)), 0) AS cores,
                                coalesce(sum(coalesce(own.memory_mb, e.memory_mb, p.memory_mb, 256)), 0) AS memory_mb
                           FROM public.paas_apps a JOIN public.paas_environments e ON e.app_id = a.id JOIN public.paas_runs n ON n.environment_id = e.id
                           LEFT JOIN public.paas_plans p ON p.id = e.plan_id LEFT JOIN public.paas_plans own ON own.id = n.plan_id
                          WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND e.deleted_at IS NULL
                            AND n.deleted_at IS NULL AND n.finished_at IS NULL) r
     CROSS JOIN LATERAL (SELECT count(*) AS domains
                           FROM public.paas_apps a JOIN public.paas_environments e ON e.app_id = a.id JOIN public.paas_domains d ON d.environment_id = e.id
                          WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND e.deleted_at IS NULL AND d.deleted_at IS NULL) d
     CROSS JOIN LATERAL (SELECT count(*) AS config_vars
                           FROM (SELECT v.id FROM skypanel.config_vars v
                                  WHERE v.organization_id = o.organization_id AND v.deleted_at IS NULL
                                 UNION ALL
                                 SELECT v.id FROM public.paas_apps a JOIN skypanel.config_vars v ON v.app_id = a.id
                                  WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND v.deleted_at IS NULL
                                 UNION ALL
                                 SELECT v.id FROM public.paas_apps a JOIN public.paas_environments e ON e.app_id = a.id
                                                  JOIN skypanel.config_vars v ON v.environment_id = e.id
                                  WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND e.deleted_at IS NULL AND v.deleted_at IS NULL) s) v
     CROSS JOIN LATERAL (VALUES ('apps', a.apps::numeric, o.quota_apps), ('environments', e.environments, o.quota_environments),
                                ('tasks', e.tasks + r.tasks, o.quota_tasks), ('cores', e.cores + r.cores, o.quota_cores),
                                ('memory_mb', e.memory_mb + r.memory_mb, o.quota_memory_mb), ('domains', d.domains, o.quota_domains),
                                ('config_vars', v.config_vars, o.quota_config_vars)) AS q(quota, used, allowed);
CALL skypanel.isolate_view('quotas');

CALL skypanel.count_towards_quotas('public.paas_runs', 'new', 'INSERT', 'NEW.deleted_at IS NULL', '{tasks,cores,memory_mb}');
