-- What a release's command came to: a process of the type release is a job that must end well before anything of the release runs.
-- One table that readers join already is locked in this file: paas_releases.

ALTER TABLE public.paas_releases
    ADD COLUMN IF NOT EXISTS command_tries     integer NOT NULL DEFAULT 0 CONSTRAINT paas_releases_command_tries_counted CHECK (command_tries >= 0),
    ADD COLUMN IF NOT EXISTS command_ended_at  timestamptz,
    ADD COLUMN IF NOT EXISTS command_exit_code integer,
    ADD COLUMN IF NOT EXISTS command_failure   text;
COMMENT ON TABLE public.paas_releases IS
    'What ran, or was to run: image, config, processes and settings of an environment. Nothing of it changes but is_primary, deployed_at and what its command came to.';
COMMENT ON COLUMN public.paas_releases.command_tries IS 'status: how often its command was asked for anew';
COMMENT ON COLUMN public.paas_releases.command_ended_at IS 'status: when the last try of its command ended; NULL: it has not, or there is none';
COMMENT ON COLUMN public.paas_releases.command_exit_code IS 'status: with what; NULL: that is not known, or nothing ran';
COMMENT ON COLUMN public.paas_releases.command_failure IS 'status: how it ended badly; NULL: it ended well. Never what the program printed';

CREATE OR REPLACE FUNCTION skypanel.release_command_begins(p_environment uuid, p_version integer, p_tries integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.paas_releases
                    WHERE environment_id = p_environment AND version = p_version AND command_tries = p_tries
                      AND is_primary AND deployed_at IS NULL AND command_ended_at IS NULL)
$$;
COMMENT ON FUNCTION skypanel.release_command_begins IS 'Whether the command of a release is to be run now: it is the newest, and that has not ended.';

CREATE OR REPLACE FUNCTION skypanel.release_command_ended(
    p_environment uuid, p_version integer, p_tries integer, p_exit_code integer, p_failure text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.paas_releases
       SET command_ended_at = now(), command_exit_code = p_exit_code, command_failure = left(nullif(p_failure, ''), 1024)
     WHERE environment_id = p_environment AND version = p_version AND command_tries = p_tries
       AND (command_ended_at IS NULL OR command_failure IS NOT NULL)
$$;
COMMENT ON FUNCTION skypanel.release_command_ended IS 'The command of a release has ended; no failure: well, and that stays so.';

CREATE OR REPLACE FUNCTION skypanel.release_command_again(p_environment uuid, p_version integer, p_tries integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.paas_releases
       SET command_tries = p_tries + 1, command_ended_at = NULL, command_exit_code = NULL, command_failure = NULL
     WHERE environment_id = p_environment AND version = p_version AND command_tries = p_tries AND command_failure IS NOT NULL
$$;
COMMENT ON FUNCTION skypanel.release_command_again IS 'The command of a release, which has failed, may be run once more.';
REVOKE EXECUTE ON FUNCTION skypanel.release_command_begins, skypanel.release_command_ended, skypanel.release_command_again FROM PUBLIC;

CREATE OR REPLACE VIEW skypanel.snapshot_environment AS
    SELECT e.id, a.organization_id, e.generation,
           e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           to_jsonb(e) - '{app_id,plan_id,changed_by,change_reason,change_commit,inputs_version,generation,created_at,updated_at,deleted_at,removed_at}'::text[]
           || jsonb_build_object(
               'suspended', e.suspended OR a.suspended OR p.suspended,
               'image_ref', CASE e.deploy_mode WHEN 'buildpack' THEN skypanel.built_image(e.id, e.image_ref) ELSE e.image_ref END,
               'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
               'app', jsonb_build_object('id', a.id, 'slug', a.slug),
               'files', CASE WHEN e.release IS NULL THEN e.files END,
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit,
                                                  'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = e.plan_id),
               'config', (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                                     'digest', md5(string_agg(concat_ws(',', v.name, v.revision, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                                     'variables', count(*),
                                     'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]')) END
                            FROM skypanel.config_now(a.organization_id, a.id, e.id) v),
               'release', (SELECT jsonb_build_object('version', r.version, 'digest', r.digest, 'deployed', r.deployed_at IS NOT NULL,
                                                     'command', jsonb_build_object('tries', r.command_tries, 'ended_at', r.command_ended_at,
                                                                                   'exit_code', r.command_exit_code, 'failure', r.command_failure))
                             FROM public.paas_releases r WHERE r.environment_id = e.id AND r.is_primary),
               'pinned', (SELECT jsonb_build_object('version', r.version, 'settings', r.settings, 'processes', r.processes, 'config', r.config, 'resolved', r.resolved)
                            FROM public.paas_releases r WHERE (r.environment_id, r.version) = (e.id, e.release)),
               'resolved', (SELECT jsonb_build_object('reference', f.reference, 'pinned', f.pinned, 'architecture', f.architecture,
                                                      'entrypoint', f.entrypoint, 'cmd', f.cmd, 'healthcheck', f.healthcheck, 'shell', f.shell)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND f.reference = CASE e.deploy_mode WHEN 'buildpack' THEN skypanel.built_image(e.id, e.image_ref) ELSE e.image_ref END),
               'registries', (SELECT jsonb_agg(jsonb_build_object('registry', c.registry, 'id', c.id, 'revision', c.revision) ORDER BY c.registry)
                                FROM public.caas_registry_credentials c
                               WHERE c.organization_id = a.organization_id AND c.ciphertext IS NOT NULL),
               'image_policy', (SELECT to_jsonb(i) - '{id,organization_id,name,generation,created_at,updated_at}'::text[]
                                  FROM public.caas_image_policies i WHERE i.organization_id = a.organization_id),
               'verdict', (SELECT to_jsonb(v) - '{environment_id,created_at,updated_at}'::text[]
                             FROM public.caas_image_verdicts v WHERE v.environment_id = e.id ORDER BY v.updated_at DESC LIMIT 1),
               'stopped_images', (SELECT jsonb_agg(v.image ORDER BY v.image COLLATE "C")
                                    FROM public.caas_image_verdicts v WHERE v.environment_id = e.id AND v.verdict = 'stopped'),
               -- One more than the reader takes of each: it sees that there are too many, and not how many.
               'processes', (SELECT coalesce(jsonb_agg(to_jsonb(c.process) - '{environment_id,created_at,updated_at,deleted_at}'::text[]
                                        ORDER BY (c.process).type), '[]')
                               FROM (SELECT process FROM public.paas_processes process -- the row, not *: that is the columns of today
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

-- A command is no task that runs all the time: it is none of what serves, and counts for no quota.

CREATE OR REPLACE VIEW skypanel.pinned_processes AS
    SELECT e.id AS environment_id, p.type, coalesce(c.instances, p.instances, 1) AS instances
      FROM public.paas_environments e
      JOIN public.paas_releases r ON (r.environment_id, r.version) = (e.id, e.release)
     CROSS JOIN LATERAL jsonb_to_recordset(r.processes) AS p(type text, instances integer)
      LEFT JOIN public.paas_processes c ON c.environment_id = e.id AND c.type = p.type AND c.deleted_at IS NULL
     WHERE e.release IS NOT NULL AND p.type <> 'release';

CREATE OR REPLACE VIEW skypanel.serving AS
    SELECT e.id AS environment_id, 'process'::text AS what, coalesce(c.type, 'web') AS name
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations o ON o.organization_id = a.organization_id
      LEFT JOIN (SELECT environment_id, type, instances, false AS pinned FROM public.paas_processes
                  WHERE deleted_at IS NULL AND type <> 'release'
                 UNION ALL
                 SELECT environment_id, type, instances, true FROM skypanel.pinned_processes) c
             ON c.environment_id = e.id AND c.pinned = (e.release IS NOT NULL)
     WHERE e.deleted_at IS NULL AND a.deleted_at IS NULL AND o.deleted_at IS NULL
       AND NOT (e.suspended OR a.suspended OR o.suspended)
       AND coalesce(c.instances, e.instances) > 0
    UNION ALL
    SELECT environment_id, 'host', hostname FROM public.paas_domains WHERE deleted_at IS NULL;

CREATE OR REPLACE VIEW skypanel.sizes AS
    SELECT 'environment'::text AS kind, e.id, a.organization_id, e.suspended OR a.suspended OR o.suspended AS suspended, t.tasks,
           t.tasks * coalesce(e.cpu_limit, p.cpu_limit, 0.5) AS cores, t.tasks * coalesce(e.memory_mb, p.memory_mb, 256) AS memory_mb,
           e.plan_id, p.name AS plan, p.price_hourly, p.price_monthly
      FROM public.paas_organizations o
      JOIN public.paas_apps a ON a.organization_id = o.organization_id
      JOIN public.paas_environments e ON e.app_id = a.id
      LEFT JOIN public.paas_plans p ON p.id = e.plan_id
     CROSS JOIN LATERAL (SELECT coalesce(CASE WHEN e.release IS NULL THEN
                                   (SELECT sum(c.instances) FROM public.paas_processes c
                                     WHERE c.environment_id = e.id AND c.deleted_at IS NULL AND c.type <> 'release')
                               ELSE (SELECT sum(c.instances) FROM skypanel.pinned_processes c WHERE c.environment_id = e.id) END, e.instances) AS tasks) t
     WHERE e.deleted_at IS NULL AND a.deleted_at IS NULL;

CREATE OR REPLACE FUNCTION skypanel.keep_quotas_of_size() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- An environment of another size: what of it is larger.
DECLARE
    before public.paas_plans := (SELECT p FROM public.paas_plans p WHERE p.id = OLD.plan_id);
    after  public.paas_plans := (SELECT p FROM public.paas_plans p WHERE p.id = NEW.plan_id);
    more   boolean := NEW.instances > OLD.instances
                      AND (NEW.release IS NOT NULL
                           OR NOT EXISTS (SELECT FROM public.paas_processes c WHERE c.environment_id = NEW.id AND c.deleted_at IS NULL AND c.type <> 'release'));
    raised text[] := '{}';
BEGIN
    IF more THEN
        raised := raised || 'tasks'::text;
    END IF;
    IF more OR coalesce(NEW.cpu_limit, after.cpu_limit, 0.5) > coalesce(OLD.cpu_limit, before.cpu_limit, 0.5) THEN
        raised := raised || 'cores'::text;
    END IF;
    IF more OR coalesce(NEW.memory_mb, after.memory_mb, 256) > coalesce(OLD.memory_mb, before.memory_mb, 256) THEN
        raised := raised || 'memory_mb'::text;
    END IF;
    PERFORM skypanel.check_quotas((SELECT a.organization_id FROM public.paas_apps a WHERE a.id = NEW.app_id), raised,
                                  'public.paas_environments', NEW.id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.keep_quotas_of_rest() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A process is gone, or has another name. The last one leaves an environment with the process that it has by itself, which may be
-- larger; one that the named release has runs with the scale that it had then.
DECLARE
    tenant uuid := (SELECT a.organization_id FROM public.paas_environments e JOIN public.paas_apps a ON a.id = e.app_id
                     WHERE e.id = OLD.environment_id AND e.deleted_at IS NULL
                       AND CASE WHEN e.release IS NULL THEN e.instances > OLD.instances
                                     AND NOT EXISTS (SELECT FROM public.paas_processes c WHERE c.environment_id = e.id AND c.deleted_at IS NULL AND c.type <> 'release')
                           ELSE EXISTS (SELECT FROM skypanel.pinned_processes c
                                         WHERE c.environment_id = e.id AND c.type = OLD.type AND c.instances > OLD.instances) END);
BEGIN
    IF tenant IS NOT NULL THEN
        PERFORM skypanel.check_quotas(tenant, '{tasks,cores,memory_mb}', 'public.paas_environments', OLD.environment_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.tasks_with(p_environment uuid, p_release integer, p_instances integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(CASE WHEN p_release IS NULL
        THEN (SELECT sum(c.instances) FROM public.paas_processes c
               WHERE c.environment_id = p_environment AND c.deleted_at IS NULL AND c.type <> 'release')
        ELSE (SELECT sum(coalesce(c.instances, p.instances, 1))
                FROM public.paas_releases r CROSS JOIN LATERAL jsonb_to_recordset(r.processes) AS p(type text, instances integer)
                LEFT JOIN public.paas_processes c ON c.environment_id = r.environment_id AND c.type = p.type AND c.deleted_at IS NULL
               WHERE (r.environment_id, r.version) = (p_environment, p_release) AND p.type <> 'release') END, p_instances)
$$;
