-- Effects: a declared value has its effect, or is said to have none. And two ways out of what every container gets.

ALTER TABLE public.paas_environments ADD COLUMN IF NOT EXISTS init boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN public.paas_environments.init IS 'spec: a small init is process 1 and reaps; false for images that must be process 1 themselves';
COMMENT ON COLUMN public.paas_environments.healthcheck IS 'spec: {"command": [...], "interval_seconds": 10, "timeout_seconds": 5, "retries": 3, "start_period_seconds": 0}; {"disabled": true} turns the image''s own off; NULL leaves it';
COMMENT ON COLUMN public.paas_processes.healthcheck IS 'spec: as of environments; NULL takes the environment''s for web, the image''s own for others';

COMMENT ON COLUMN public.paas_environments.region IS 'spec: where to run; NULL is anywhere. Not supported yet: anything else is Stalled';
COMMENT ON COLUMN public.paas_environments.ports IS 'spec: more ports, a list of objects. Not supported yet: anything but [] is Stalled';
COMMENT ON COLUMN public.paas_environments.volumes IS 'spec: mounts, a list of objects. Not supported yet: anything but [] is Stalled';
COMMENT ON COLUMN public.paas_plans.storage_gb IS 'spec: what the price list says; nothing is limited by it yet';
COMMENT ON COLUMN public.paas_plans.bandwidth_gb IS 'spec: what the price list says; nothing is limited by it yet. NULL is unmetered';
COMMENT ON COLUMN public.paas_plans.autoscaling IS 'spec: what the price list says; nothing scales by itself yet';
COMMENT ON COLUMN public.paas_plans.enabled IS 'spec: offered for new environments; a trigger refuses a new use of one that is not';

-- A name that is no slug is no reason to deploy nothing: on Swarm the organization goes by the slug form of it.
CREATE OR REPLACE FUNCTION skypanel.slug_of(p_text text, p_fallback uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(trim(BOTH '-' FROM left(trim(LEADING '-' FROM regexp_replace(lower(p_text), '[^a-z0-9]+', '-', 'g')), 63)), ''),
                left(p_fallback::text, 8));
COMMENT ON FUNCTION skypanel.slug_of IS
    'The slug form of any text, at most 63 characters; the first 8 hex digits of the id where nothing is left of the text.';

CREATE OR REPLACE FUNCTION skypanel.check_plan_offered() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- An environment keeps the plan that it has.
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.plan_id IS NOT DISTINCT FROM OLD.plan_id THEN
            RETURN NEW;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM public.paas_plans WHERE id = NEW.plan_id AND NOT enabled) THEN
        RAISE EXCEPTION 'plan % is not offered any more', NEW.plan_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_environments_plan_offered',
                  TABLE = 'paas_environments', SCHEMA = 'public',
                  HINT = 'Choose another plan, or set paas_plans.enabled of this one.';
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER paas_environments_plan_offered BEFORE INSERT OR UPDATE OF plan_id ON public.paas_environments
    FOR EACH ROW EXECUTE FUNCTION skypanel.check_plan_offered();

CREATE OR REPLACE FUNCTION skypanel.touch_organization_of_policy() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_organizations SET inputs_version = inputs_version % 9223372036854775807 + 1
     WHERE organization_id IN (OLD.organization_id, NEW.organization_id);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER caas_image_policies_touch AFTER INSERT OR UPDATE OR DELETE ON public.caas_image_policies
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_organization_of_policy();
CREATE OR REPLACE TRIGGER caas_network_policies_touch AFTER INSERT OR UPDATE OR DELETE ON public.caas_network_policies
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_organization_of_policy();
CREATE OR REPLACE TRIGGER caas_registry_credentials_touch AFTER INSERT OR UPDATE OR DELETE ON public.caas_registry_credentials
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_organization_of_policy();
REVOKE EXECUTE ON FUNCTION skypanel.check_plan_offered, skypanel.touch_organization_of_policy FROM PUBLIC;

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
                   ) AS asked)) AS doc
      FROM public.paas_organizations p
      JOIN public.organizations o ON o.id = p.organization_id;

CREATE OR REPLACE VIEW skypanel.snapshot_environment AS
    SELECT e.id, a.organization_id, e.generation,
           e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', e.id, 'name', e.name, 'swarm_name', e.swarm_name,
               'suspended', e.suspended OR a.suspended OR p.suspended,
               'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
               'app', jsonb_build_object('id', a.id, 'slug', a.slug),
               'deploy_mode', e.deploy_mode, 'image_ref', e.image_ref, 'entrypoint', e.entrypoint, 'cmd', e.cmd,
               'instances', e.instances, 'cpu_limit', e.cpu_limit, 'memory_mb', e.memory_mb,
               'port', e.port, 'ports', e.ports, 'volumes', e.volumes, 'healthcheck', e.healthcheck,
               'stop_grace_seconds', e.stop_grace_seconds, 'read_only_root', e.read_only_root, 'init', e.init,
               'tmpfs_paths', e.tmpfs_paths, 'run_as', e.run_as, 'region', e.region,
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit,
                                                  'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = e.plan_id),
               -- One more than the reader takes of each: it sees that there are too many, and not how many.
               'config_vars', (SELECT coalesce(jsonb_agg(v.name ORDER BY v.name), '[]')
                                 FROM (SELECT name FROM skypanel.config_vars
                                        WHERE environment_id = e.id AND deleted_at IS NULL ORDER BY name LIMIT 10) v),
               'processes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                        'id', c.id, 'type', c.type, 'command', c.command, 'args', c.args,
                                        'instances', c.instances, 'port', c.port, 'healthcheck', c.healthcheck,
                                        'stop_grace_seconds', c.stop_grace_seconds, 'generation', c.generation)
                                        ORDER BY c.type), '[]')
                               FROM (SELECT * FROM public.paas_processes
                                      WHERE environment_id = e.id AND deleted_at IS NULL ORDER BY type LIMIT 101) c),
               'domains', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'id', d.id, 'hostname', d.hostname, 'process_type', d.process_type,
                                      'generation', d.generation) ORDER BY d.hostname), '[]')
                             FROM (SELECT * FROM public.paas_domains
                                    WHERE environment_id = e.id AND deleted_at IS NULL ORDER BY hostname LIMIT 501) d)) AS doc
      -- Subqueries for the rest, not joins: a document asks for a few rows by index, and planning nine tables takes longer.
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations p ON p.organization_id = a.organization_id
      JOIN public.organizations o ON o.id = a.organization_id;
