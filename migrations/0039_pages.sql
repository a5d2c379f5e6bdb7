-- Pages of what is suspended: an organization's document has the host names that its visitors get one for, and it is looked at
-- again whenever those change. Nothing else of it changes then, so its environments are not touched.

CREATE OR REPLACE FUNCTION skypanel.log_pages() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Of an app or an environment that was suspended or resumed, or a domain of one that is suspended.
DECLARE
    before jsonb := to_jsonb(OLD);
    after  jsonb := to_jsonb(NEW);
    tenant uuid := skypanel.organization_of(coalesce(after, before));
BEGIN
    IF TG_ARGV[0] = 'domain' AND NOT EXISTS (
        SELECT FROM public.paas_environments e
          JOIN public.paas_apps a ON a.id = e.app_id
          JOIN public.paas_organizations p ON p.organization_id = a.organization_id
         WHERE e.id IN ((before ->> 'environment_id')::uuid, (after ->> 'environment_id')::uuid) AND (e.suspended OR a.suspended OR p.suspended)) THEN
        RETURN NULL;
    END IF;
    IF tenant IS NOT NULL THEN
        INSERT INTO skypanel.change_log (kind, id, organization_id, op) VALUES ('organization', tenant, tenant, 'U');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.log_pages IS 'Has the organization looked at when its suspended host names may be others now.';
REVOKE EXECUTE ON FUNCTION skypanel.log_pages FROM PUBLIC;

CREATE OR REPLACE TRIGGER paas_apps_pages AFTER UPDATE ON public.paas_apps FOR EACH ROW
    WHEN (OLD.suspended IS DISTINCT FROM NEW.suspended) EXECUTE FUNCTION skypanel.log_pages('app');
CREATE OR REPLACE TRIGGER paas_environments_pages AFTER UPDATE ON public.paas_environments FOR EACH ROW
    WHEN (OLD.suspended IS DISTINCT FROM NEW.suspended) EXECUTE FUNCTION skypanel.log_pages('environment');
CREATE OR REPLACE TRIGGER paas_domains_pages AFTER INSERT OR DELETE ON public.paas_domains FOR EACH ROW
    EXECUTE FUNCTION skypanel.log_pages('domain');
CREATE OR REPLACE TRIGGER paas_domains_pages_changed AFTER UPDATE ON public.paas_domains FOR EACH ROW
    WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.log_pages('domain');

CREATE OR REPLACE VIEW skypanel.snapshot_organization AS
    SELECT p.organization_id AS id, p.organization_id, p.generation, p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', p.organization_id, 'slug', skypanel.slug_of(o.slug, o.id), 'name', o.name,
               'suspended', p.suspended, 'network_prefix', p.network_prefix,
               'policies', (SELECT coalesce(jsonb_agg(name), '[]') FROM (
                   SELECT 'caas_image_policies' AS name FROM public.caas_image_policies i
                    WHERE i.organization_id = p.organization_id
                      AND (cardinality(allowed_registries || allowed_patterns || blocked_patterns) > 0 OR require_digest OR require_signed)
                   UNION ALL
                   SELECT 'caas_network_policies' FROM public.caas_network_policies n
                    WHERE n.organization_id = p.organization_id AND (egress_allow <> '[]' OR ingress_allow <> '[]' OR default_deny)
                   UNION ALL
                   SELECT 'caas_registry_credentials'
                    WHERE EXISTS (SELECT FROM public.caas_registry_credentials c WHERE c.organization_id = p.organization_id)
                   ) AS asked)) || (
               -- So many have a page: a service of the Swarm has room for their labels. The first ones, so that they stay the same.
               SELECT jsonb_build_object(
                          'suspended_hosts', coalesce(jsonb_agg(h.hostname ORDER BY h.hostname) FILTER (WHERE h.suspended), '[]'),
                          'resuming_hosts', coalesce(jsonb_agg(h.hostname ORDER BY h.hostname) FILTER (WHERE NOT h.suspended), '[]'))
                 FROM (SELECT d.hostname, e.suspended OR a.suspended OR p.suspended AS suspended,
                              row_number() OVER (PARTITION BY e.suspended OR a.suspended OR p.suspended ORDER BY d.hostname) AS place
                         FROM public.paas_apps a
                         JOIN public.paas_environments e ON e.app_id = a.id AND e.deleted_at IS NULL
                         JOIN public.paas_domains d ON d.environment_id = e.id AND d.deleted_at IS NULL
                         LEFT JOIN skypanel.object_status s ON s.kind = 'environment' AND s.id = e.id
                        WHERE a.organization_id = p.organization_id AND a.deleted_at IS NULL
                          AND (e.suspended OR a.suspended OR p.suspended
                               -- Resumed, and not ready yet; what is given up has no page.
                               OR s.observed_generation < e.generation
                               OR (NOT s.ready AND NOT s.conditions @> '[{"type": "Stalled", "status": "True"}]'))) AS h
                WHERE h.place <= 500) AS doc
      FROM public.paas_organizations p
      JOIN public.organizations o ON o.id = p.organization_id;
