-- What is set for an environment is known by revisions, which never come again: versions do, when a backup is restored, and what the
-- engine has under their names by then has another value in it.

ALTER TABLE skypanel.config_vars ADD COLUMN IF NOT EXISTS revision uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN skypanel.config_vars.revision IS 'derived: another one with each version, and never the same again';

CREATE OR REPLACE FUNCTION skypanel.keep_config_var() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named boolean := TG_OP = 'INSERT' OR NEW.name IS DISTINCT FROM OLD.name;
BEGIN
    IF named AND (NEW.name = 'PORT' OR starts_with(NEW.name, 'SKYPANEL_')) THEN
        RAISE EXCEPTION 'config var % has a name that is kept for what the platform says itself', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'config_vars_name_not_reserved',
                  TABLE = 'config_vars', SCHEMA = 'skypanel',
                  HINT = 'PORT is the port of the process or environment: set that. Names with SKYPANEL_ in front cannot be set: choose another.';
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
        NEW.revision := gen_random_uuid();
    ELSIF (NEW.ciphertext, NEW.key_id) IS DISTINCT FROM (OLD.ciphertext, OLD.key_id) THEN
        NEW.version := OLD.version + 1;
        NEW.revision := gen_random_uuid();
    ELSE
        NEW.version := OLD.version;
        NEW.revision := OLD.revision;
    END IF;
    RETURN NEW;
END
$$;
CALL skypanel.declare_table('skypanel.config_vars', derived => '{version,revision}', secret => '{ciphertext}');

DROP INDEX skypanel.config_vars_name_unique;
CREATE UNIQUE INDEX config_vars_name_unique ON skypanel.config_vars (environment_id, name) INCLUDE (id, version, as_file, revision)
    WHERE deleted_at IS NULL;
DROP INDEX skypanel.config_vars_app_name_unique;
CREATE UNIQUE INDEX config_vars_app_name_unique ON skypanel.config_vars (app_id, name) INCLUDE (id, version, as_file, revision)
    WHERE app_id IS NOT NULL AND deleted_at IS NULL;
DROP INDEX skypanel.config_vars_organization_name_unique;
CREATE UNIQUE INDEX config_vars_organization_name_unique ON skypanel.config_vars (organization_id, name) INCLUDE (id, version, as_file, revision)
    WHERE organization_id IS NOT NULL AND deleted_at IS NULL;

CREATE OR REPLACE FUNCTION skypanel.config_now(p_organization uuid, p_app uuid, p_environment uuid)
RETURNS TABLE (id uuid, name text, layer text, version integer, as_file boolean, revision uuid)
LANGUAGE sql STABLE ROWS 20
BEGIN ATOMIC
    -- No search_path, as its names are bound: the planner can then put this into the query that asks.
    SELECT DISTINCT ON (v.name COLLATE "C") v.id, v.name, (ARRAY['organization', 'app', 'environment'])[v.place], v.version, v.as_file, v.revision
      FROM (SELECT 1 AS place, o.id, o.name, o.version, o.as_file, o.revision FROM skypanel.config_vars o
             WHERE o.organization_id = p_organization AND o.deleted_at IS NULL
            UNION ALL
            SELECT 2, a.id, a.name, a.version, a.as_file, a.revision FROM skypanel.config_vars a WHERE a.app_id = p_app AND a.deleted_at IS NULL
            UNION ALL
            SELECT 3, e.id, e.name, e.version, e.as_file, e.revision FROM skypanel.config_vars e
             WHERE e.environment_id = p_environment AND e.deleted_at IS NULL) v
     ORDER BY v.name COLLATE "C", v.place DESC;
END;
COMMENT ON FUNCTION skypanel.config_now IS 'The config vars that count for an environment of that app and organization, one a name: of the latest layer that sets it.';
REVOKE EXECUTE ON FUNCTION skypanel.config_now FROM PUBLIC;

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
               'stop_signal', e.stop_signal, 'tmpfs_paths', e.tmpfs_paths, 'run_as', e.run_as, 'ulimits', e.ulimits, 'sysctls', e.sysctls,
               'extra_hosts', e.extra_hosts, 'files', e.files, 'region', e.region, 'pool', e.pool, 'spread', e.spread,
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit,
                                                  'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = e.plan_id),
               'config', (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                                     'digest', md5(string_agg(concat_ws(',', v.name, v.revision, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                                     'variables', count(*),
                                     'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]')) END
                            FROM skypanel.config_now(a.organization_id, a.id, e.id) v),
               'resolved', (SELECT jsonb_build_object('reference', f.reference, 'pinned', f.pinned, 'architecture', f.architecture,
                                                      'entrypoint', f.entrypoint, 'cmd', f.cmd, 'healthcheck', f.healthcheck, 'shell', f.shell)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND f.reference = e.image_ref),
               -- One more than the reader takes of each: it sees that there are too many, and not how many.
               'processes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                        'id', c.id, 'type', c.type, 'command', c.command, 'args', c.args,
                                        'instances', c.instances, 'port', c.port, 'healthcheck', c.healthcheck,
                                        'stop_grace_seconds', c.stop_grace_seconds, 'stop_signal', c.stop_signal, 'generation', c.generation)
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
