-- Releases: what an environment runs, one row for each change of its image, config, processes or settings; never changed again.
--
-- The controller makes one when what is declared is something else than the newest. An environment that names one (release) runs the
-- content of that, config vars with it: so the values that a release may need again are kept, as ciphertext, when they are replaced.
-- One table that readers join already is locked in this file: paas_environments.

ALTER TABLE public.paas_releases
    ADD COLUMN IF NOT EXISTS digest           text,
    ADD COLUMN IF NOT EXISTS settings         jsonb NOT NULL DEFAULT '{}' CONSTRAINT paas_releases_settings_object CHECK (jsonb_typeof(settings) = 'object'),
    ADD COLUMN IF NOT EXISTS resolved         jsonb CONSTRAINT paas_releases_resolved_object CHECK (jsonb_typeof(resolved) = 'object'),
    ADD COLUMN IF NOT EXISTS config           jsonb CONSTRAINT paas_releases_config_object CHECK (jsonb_typeof(config) = 'object'),
    ADD COLUMN IF NOT EXISTS config_revisions uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS content_of       integer,
    ADD COLUMN IF NOT EXISTS made_by          text,
    ADD COLUMN IF NOT EXISTS reason           text,
    ADD COLUMN IF NOT EXISTS source_commit    text,
    ADD COLUMN IF NOT EXISTS deployed_at      timestamptz;
COMMENT ON TABLE public.paas_releases IS
    'What ran, or was to run: image, config, processes and settings of an environment. Nothing of it changes but is_primary and deployed_at.';
COMMENT ON COLUMN public.paas_releases.version IS 'status: counts up from 1 in each environment';
COMMENT ON COLUMN public.paas_releases.image_ref IS 'status: as tasks run it, with its digest where that was found out';
COMMENT ON COLUMN public.paas_releases.processes IS 'status: process types with what they run; what is left out has its default. instances are those of that time: the scale is no part of a release';
COMMENT ON COLUMN public.paas_releases.config_snapshot IS 'status: {"NAME": version}; never a value';
COMMENT ON COLUMN public.paas_releases.is_primary IS 'status: the newest; one of each environment';
COMMENT ON COLUMN public.paas_releases.digest IS 'status: of all that a release is';
COMMENT ON COLUMN public.paas_releases.settings IS 'status: the environment''s own columns; what is left out has its default';
COMMENT ON COLUMN public.paas_releases.resolved IS 'status: what was found out of the image';
COMMENT ON COLUMN public.paas_releases.config IS 'status: of its config vars what the document said, and vars: name, revision and place of each; NULL: none';
COMMENT ON COLUMN public.paas_releases.config_revisions IS 'status: revisions of its config vars; what is here is kept in skypanel.config_history';
COMMENT ON COLUMN public.paas_releases.content_of IS 'status: a rollback: the release that it has its content of';
COMMENT ON COLUMN public.paas_releases.made_by IS 'status: who made the change: what the session said (skypanel.actor), else its role';
COMMENT ON COLUMN public.paas_releases.reason IS 'status: why, as the session said (skypanel.reason)';
COMMENT ON COLUMN public.paas_releases.source_commit IS 'status: the commit that it was made from, as the session said (skypanel.commit)';
COMMENT ON COLUMN public.paas_releases.deployed_at IS 'status: when all tasks ran it for the first time; NULL: they never did';
CREATE INDEX IF NOT EXISTS paas_releases_config_revisions ON public.paas_releases USING gin (config_revisions) WITH (fastupdate = off); -- each is asked for when values are pruned

-- Which release an environment runs, and who changed it last.

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS release       integer CONSTRAINT paas_environments_release_positive CHECK (release > 0),
    ADD COLUMN IF NOT EXISTS changed_by    text,
    ADD COLUMN IF NOT EXISTS change_reason text,
    ADD COLUMN IF NOT EXISTS change_commit text;
ALTER TABLE public.paas_environments DROP CONSTRAINT IF EXISTS paas_environments_release_fkey;
ALTER TABLE public.paas_environments ADD CONSTRAINT paas_environments_release_fkey
    FOREIGN KEY (id, release) REFERENCES public.paas_releases (environment_id, version);
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.release IS 'spec: runs the content of this release, its config vars too; what else is set for image, processes and settings has no effect until it is NULL again';
COMMENT ON COLUMN public.paas_environments.changed_by IS 'derived: who changed what it runs last: setting skypanel.actor of the session, else its role';
COMMENT ON COLUMN public.paas_environments.change_reason IS 'derived: why: setting skypanel.reason of the session';
COMMENT ON COLUMN public.paas_environments.change_commit IS 'derived: the commit of what was written: setting skypanel.commit of the session';

CREATE OR REPLACE FUNCTION skypanel.say_who_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.changed_by := left(coalesce(nullif(current_setting('skypanel.actor', true), ''), session_user), 255);
    NEW.change_reason := left(nullif(current_setting('skypanel.reason', true), ''), 1024);
    NEW.change_commit := left(nullif(current_setting('skypanel.commit', true), ''), 255);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.say_who_changed IS 'Who makes a change, why and from which commit, as the session says: SET LOCAL skypanel.actor, skypanel.reason, skypanel.commit.';
REVOKE EXECUTE ON FUNCTION skypanel.say_who_changed FROM PUBLIC;

CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}',
                           derived => '{swarm_name,removed_at,changed_by,change_reason,change_commit}');
-- Of what a release is made of; scale, size, place and suspension leave it as it is.
CREATE OR REPLACE TRIGGER paas_environments_who BEFORE INSERT ON public.paas_environments
    FOR EACH ROW EXECUTE FUNCTION skypanel.say_who_changed();
CREATE OR REPLACE TRIGGER paas_environments_who_changed BEFORE UPDATE ON public.paas_environments
    FOR EACH ROW WHEN (OLD.inputs_version IS DISTINCT FROM NEW.inputs_version OR OLD.release IS DISTINCT FROM NEW.release
        OR (OLD.deploy_mode, OLD.image_ref, OLD.entrypoint, OLD.cmd, OLD.port, OLD.healthcheck, OLD.stop_grace_seconds, OLD.stop_signal,
            OLD.read_only_root, OLD.init, OLD.tmpfs_paths, OLD.run_as, OLD.ulimits, OLD.sysctls, OLD.extra_hosts, OLD.files)
           IS DISTINCT FROM
           (NEW.deploy_mode, NEW.image_ref, NEW.entrypoint, NEW.cmd, NEW.port, NEW.healthcheck, NEW.stop_grace_seconds, NEW.stop_signal,
            NEW.read_only_root, NEW.init, NEW.tmpfs_paths, NEW.run_as, NEW.ulimits, NEW.sysctls, NEW.extra_hosts, NEW.files))
    EXECUTE FUNCTION skypanel.say_who_changed();

-- Values that were replaced, for the releases that have them.

CREATE TABLE IF NOT EXISTS skypanel.config_history (
    revision        uuid        PRIMARY KEY,
    id              uuid        NOT NULL,
    organization_id uuid        NOT NULL CONSTRAINT config_history_organization_id_fkey REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    layer           text        NOT NULL,
    owner_id        uuid        NOT NULL,
    name            text        NOT NULL,
    version         integer     NOT NULL,
    ciphertext      bytea       NOT NULL,
    key_id          text        NOT NULL,
    replaced_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE skypanel.config_history IS
    'Config vars as they were, as ciphertext only, for as long as a release has them. A trigger writes it.';
CREATE INDEX IF NOT EXISTS config_history_organization ON skypanel.config_history (organization_id);
CREATE INDEX IF NOT EXISTS config_history_panel ON skypanel.config_history (key_id) WHERE key_id IN ('panel', 'panel-org');
CREATE INDEX IF NOT EXISTS config_history_replaced ON skypanel.config_history (replaced_at);

CREATE OR REPLACE FUNCTION skypanel.keep_config_value() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- What goes with its owner has no release to go on for: then there is no row to find the organization by.
BEGIN
    INSERT INTO skypanel.config_history (revision, id, organization_id, layer, owner_id, name, version, ciphertext, key_id)
    SELECT OLD.revision, OLD.id, o.organization_id,
           CASE WHEN OLD.organization_id IS NOT NULL THEN 'organization' WHEN OLD.app_id IS NOT NULL THEN 'app' ELSE 'environment' END,
           coalesce(OLD.organization_id, OLD.app_id, OLD.environment_id), OLD.name, OLD.version, OLD.ciphertext, OLD.key_id
      FROM public.paas_organizations o
     WHERE o.organization_id = coalesce(OLD.organization_id,
               (SELECT a.organization_id FROM public.paas_apps a WHERE a.id = OLD.app_id),
               (SELECT a.organization_id FROM public.paas_environments e JOIN public.paas_apps a ON a.id = e.app_id WHERE e.id = OLD.environment_id))
    ON CONFLICT ON CONSTRAINT config_history_pkey DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.keep_config_value IS 'Keeps a value that is replaced or goes.';
REVOKE EXECUTE ON FUNCTION skypanel.keep_config_value FROM PUBLIC;
CREATE OR REPLACE TRIGGER config_vars_kept AFTER UPDATE ON skypanel.config_vars
    FOR EACH ROW WHEN (OLD.revision IS DISTINCT FROM NEW.revision) EXECUTE FUNCTION skypanel.keep_config_value();
CREATE OR REPLACE TRIGGER config_vars_gone_kept AFTER DELETE ON skypanel.config_vars
    FOR EACH ROW EXECUTE FUNCTION skypanel.keep_config_value();

-- What runs of an environment that names a release is that release's: for the fuse, for quotas and for costs.

CREATE OR REPLACE VIEW skypanel.pinned_processes AS
    SELECT e.id AS environment_id, p.type, coalesce(c.instances, p.instances, 1) AS instances
      FROM public.paas_environments e
      JOIN public.paas_releases r ON (r.environment_id, r.version) = (e.id, e.release)
     CROSS JOIN LATERAL jsonb_to_recordset(r.processes) AS p(type text, instances integer)
      LEFT JOIN public.paas_processes c ON c.environment_id = e.id AND c.type = p.type AND c.deleted_at IS NULL
     WHERE e.release IS NOT NULL;
COMMENT ON VIEW skypanel.pinned_processes IS 'Processes of environments that name a release: with the scale of today, or of then where they have no row any more.';

CREATE OR REPLACE VIEW skypanel.serving AS
    SELECT e.id AS environment_id, 'process'::text AS what, coalesce(c.type, 'web') AS name
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations o ON o.organization_id = a.organization_id
      LEFT JOIN (SELECT environment_id, type, instances, false AS pinned FROM public.paas_processes WHERE deleted_at IS NULL
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
                                   (SELECT sum(c.instances) FROM public.paas_processes c WHERE c.environment_id = e.id AND c.deleted_at IS NULL)
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
                           OR NOT EXISTS (SELECT FROM public.paas_processes c WHERE c.environment_id = NEW.id AND c.deleted_at IS NULL));
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
                                     AND NOT EXISTS (SELECT FROM public.paas_processes c WHERE c.environment_id = e.id AND c.deleted_at IS NULL)
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
        THEN (SELECT sum(c.instances) FROM public.paas_processes c WHERE c.environment_id = p_environment AND c.deleted_at IS NULL)
        ELSE (SELECT sum(coalesce(c.instances, p.instances, 1))
                FROM public.paas_releases r CROSS JOIN LATERAL jsonb_to_recordset(r.processes) AS p(type text, instances integer)
                LEFT JOIN public.paas_processes c ON c.environment_id = r.environment_id AND c.type = p.type AND c.deleted_at IS NULL
               WHERE (r.environment_id, r.version) = (p_environment, p_release)) END, p_instances)
$$;
COMMENT ON FUNCTION skypanel.tasks_with IS 'Tasks that an environment has when it names this release, NULL: none; the number is that of the process it has by itself.';
REVOKE EXECUTE ON FUNCTION skypanel.tasks_with FROM PUBLIC;

CREATE OR REPLACE FUNCTION skypanel.keep_quotas_of_release() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Another release is named: that is more only with more tasks.
BEGIN
    IF skypanel.tasks_with(NEW.id, NEW.release, NEW.instances) > skypanel.tasks_with(NEW.id, OLD.release, OLD.instances) THEN
        PERFORM skypanel.check_quotas((SELECT a.organization_id FROM public.paas_apps a WHERE a.id = NEW.app_id),
                                      '{tasks,cores,memory_mb}', 'public.paas_environments', NEW.id);
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION skypanel.keep_quotas_of_release FROM PUBLIC;

CALL skypanel.count_towards_quotas('public.paas_environments', 'release', 'UPDATE',
    'NEW.deleted_at IS NULL AND OLD.release IS DISTINCT FROM NEW.release', '{}', 'keep_quotas_of_release');

CREATE UNIQUE INDEX IF NOT EXISTS config_vars_revision ON skypanel.config_vars (revision);

-- What a release is made of.

CREATE OR REPLACE FUNCTION skypanel.make_release(
    p_environment uuid, p_generation bigint, p_digest text, p_config_digest text, p_image text,
    p_settings jsonb, p_processes jsonb, p_resolved jsonb, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e       record;
    newest  record;
    config  jsonb;
    made    integer;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- what is lost with a crash is made once more, under the same number
    SELECT r.version, r.digest INTO newest FROM public.paas_releases r WHERE r.environment_id = p_environment AND r.is_primary;
    IF newest.digest = p_digest THEN
        RETURN newest.version;
    END IF;
    SELECT v.id, v.app_id, a.organization_id, v.generation, v.release, v.changed_by, v.change_reason, v.change_commit INTO e
      FROM public.paas_environments v JOIN public.paas_apps a ON a.id = v.app_id
     WHERE v.id = p_environment FOR NO KEY UPDATE OF v SKIP LOCKED; -- whoever writes it now, wakes us when he is done
    IF e.generation IS DISTINCT FROM p_generation THEN
        RETURN NULL;
    END IF;
    IF e.release IS NOT NULL THEN
        SELECT r.config INTO config FROM public.paas_releases r WHERE (r.environment_id, r.version) = (e.id, e.release);
    ELSE
        SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                   'digest', md5(string_agg(concat_ws(',', v.name, v.revision, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                   'variables', count(*),
                   'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]'),
                   'vars', jsonb_agg(jsonb_build_object('name', v.name, 'version', v.version, 'revision', v.revision, 'as_file', v.as_file,
                                                        'layer', v.layer) ORDER BY v.name COLLATE "C")) END
          INTO config FROM skypanel.config_now(e.organization_id, e.app_id, e.id) v;
    END IF;
    IF config ->> 'digest' IS DISTINCT FROM p_config_digest THEN
        RETURN NULL;
    END IF;
    UPDATE public.paas_releases SET is_primary = false WHERE environment_id = p_environment AND is_primary;
    INSERT INTO public.paas_releases AS r
           (environment_id, version, image_ref, processes, settings, resolved, digest, config, config_snapshot, config_revisions,
            is_primary, content_of, made_by, reason, source_commit)
    SELECT p_environment, coalesce((SELECT max(version) FROM public.paas_releases WHERE environment_id = p_environment), 0) + 1,
           p_image, p_processes, p_settings, p_resolved, p_digest, config,
           coalesce((SELECT jsonb_object_agg(v ->> 'name', v -> 'version') FROM jsonb_array_elements(config -> 'vars') v), '{}'),
           ARRAY(SELECT (v ->> 'revision')::uuid FROM jsonb_array_elements(coalesce(config -> 'vars', '[]')) v),
           true, e.release, e.changed_by, e.change_reason, e.change_commit
    RETURNING r.version INTO made;
    DELETE FROM public.paas_releases
     WHERE environment_id = p_environment AND version <= made - p_most AND version IS DISTINCT FROM e.release
       AND version IS DISTINCT FROM (SELECT max(version) FROM public.paas_releases
                                      WHERE environment_id = p_environment AND deployed_at IS NOT NULL);
    RETURN made;
END
$$;
COMMENT ON FUNCTION skypanel.make_release IS
    'The release of an environment with this content: the newest, or a new one. NULL: what is declared is something else by now. It keeps no more than p_most.';

CREATE OR REPLACE FUNCTION skypanel.release_deployed(p_environment uuid, p_version integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.paas_releases SET deployed_at = now() WHERE environment_id = p_environment AND version = p_version AND deployed_at IS NULL
$$;
COMMENT ON FUNCTION skypanel.release_deployed IS 'All tasks run it; the first time counts.';

CREATE OR REPLACE FUNCTION skypanel.sealed_release_of(p_environment uuid, p_digest text, p_largest bigint)
RETURNS TABLE (organization_id uuid, digest text, id uuid, name text, layer text, owner_id uuid, version integer, as_file boolean,
               key_id text, ciphertext bytea, data_key_id uuid, kek_id text, wrapped bytea)
LANGUAGE sql STABLE ROWS 20
BEGIN ATOMIC
    SELECT a.organization_id, r.config ->> 'digest'::text, c.id, v.name, c.layer, c.owner_id, c.version, v.as_file, c.key_id,
           CASE WHEN sum(octet_length(c.ciphertext)) OVER () <= p_largest THEN c.ciphertext END, k.id, k.kek_id, k.wrapped
      FROM (SELECT x.* FROM public.paas_releases x
             WHERE x.environment_id = p_environment AND x.config ->> 'digest'::text = p_digest ORDER BY x.version DESC LIMIT 1) r
      JOIN public.paas_environments e ON e.id = r.environment_id
      JOIN public.paas_apps a ON a.id = e.app_id
     CROSS JOIN LATERAL jsonb_to_recordset(r.config -> 'vars'::text) AS v(name text, revision uuid, as_file boolean, layer text)
      LEFT JOIN LATERAL (
            SELECT n.id, v.layer, coalesce(n.organization_id, n.app_id, n.environment_id) AS owner_id, n.version, n.key_id, n.ciphertext
              FROM skypanel.config_vars n
             WHERE n.revision = v.revision AND (n.organization_id IS NULL OR n.organization_id = a.organization_id)
            UNION ALL
            SELECT h.id, h.layer, h.owner_id, h.version, h.key_id, h.ciphertext FROM skypanel.config_history h
             WHERE h.revision = v.revision AND h.organization_id = a.organization_id -- an app may have been another's
            LIMIT 1) c ON true
      LEFT JOIN skypanel.data_keys k ON k.organization_id = a.organization_id
     ORDER BY CASE WHEN sum(octet_length(c.ciphertext)) OVER () > p_largest THEN octet_length(c.ciphertext) END DESC,
              v.name COLLATE "C";
END;
COMMENT ON FUNCTION skypanel.sealed_release_of IS 'As sealed_config_of, of the release with this digest of its config vars; no ciphertext where a value is not there any more.';

CREATE OR REPLACE FUNCTION skypanel.prune_releases(p_what text, p_days integer, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    IF p_what = 'releases' THEN -- the newest twenty stay whatever their age, and the last that all tasks ran
        DELETE FROM public.paas_releases WHERE id IN (
            SELECT r.id FROM public.paas_releases r JOIN public.paas_environments e ON e.id = r.environment_id
             WHERE r.created_at < now() - make_interval(days => p_days) AND NOT r.is_primary AND r.version IS DISTINCT FROM e.release
               AND r.version <= (SELECT max(n.version) - 20 FROM public.paas_releases n WHERE n.environment_id = r.environment_id)
               AND (r.deployed_at IS NULL OR EXISTS (SELECT FROM public.paas_releases n WHERE n.environment_id = r.environment_id
                                                        AND n.version > r.version AND n.deployed_at IS NOT NULL))
             LIMIT p_most FOR UPDATE OF r SKIP LOCKED);
    ELSE -- a release that is being made may have a value that was replaced a moment ago
        DELETE FROM skypanel.config_history WHERE revision IN (
            SELECT h.revision FROM skypanel.config_history h
             WHERE h.replaced_at < now() - interval '1 hour'
               AND NOT EXISTS (SELECT FROM public.paas_releases r WHERE r.config_revisions @> ARRAY[h.revision])
             LIMIT p_most FOR UPDATE SKIP LOCKED);
    END IF;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune_releases IS 'One piece of the releases that are older than so many days and beyond the newest twenty, or of the replaced values that no release has; how many rows.';
REVOKE EXECUTE ON FUNCTION skypanel.make_release, skypanel.release_deployed, skypanel.sealed_release_of, skypanel.prune_releases FROM PUBLIC;

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
               'extra_hosts', e.extra_hosts, 'files', CASE WHEN e.release IS NULL THEN e.files END, 'region', e.region, 'pool', e.pool, 'spread', e.spread,
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit,
                                                  'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = e.plan_id),
               'config', (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                                     'digest', md5(string_agg(concat_ws(',', v.name, v.revision, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                                     'variables', count(*),
                                     'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]')) END
                            FROM skypanel.config_now(a.organization_id, a.id, e.id) v),
               'release', (SELECT jsonb_build_object('version', r.version, 'digest', r.digest, 'deployed', r.deployed_at IS NOT NULL)
                             FROM public.paas_releases r WHERE r.environment_id = e.id AND r.is_primary),
               'pinned', (SELECT jsonb_build_object('version', r.version, 'settings', r.settings, 'processes', r.processes, 'config', r.config, 'resolved', r.resolved)
                            FROM public.paas_releases r WHERE (r.environment_id, r.version) = (e.id, e.release)),
               'resolved', (SELECT jsonb_build_object('reference', f.reference, 'pinned', f.pinned, 'architecture', f.architecture,
                                                      'entrypoint', f.entrypoint, 'cmd', f.cmd, 'healthcheck', f.healthcheck, 'shell', f.shell)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND f.reference = e.image_ref),
               'registries', (SELECT jsonb_agg(jsonb_build_object('registry', c.registry, 'id', c.id, 'revision', c.revision) ORDER BY c.registry)
                                FROM public.caas_registry_credentials c
                               WHERE c.organization_id = a.organization_id AND c.ciphertext IS NOT NULL),
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
