-- Config vars of three layers, the data keys that they are encrypted with, and what was found out of images.
--
-- A var belongs to an organization, an app or an environment; for a name that is set in several, the later layer counts. What runs
-- goes by the versions of what is set: an environment's document has no value and no ciphertext.

ALTER TABLE skypanel.config_vars ALTER COLUMN environment_id DROP NOT NULL;
ALTER TABLE skypanel.config_vars ADD COLUMN IF NOT EXISTS app_id uuid
    CONSTRAINT config_vars_app_id_fkey REFERENCES public.paas_apps (id) ON DELETE CASCADE;
ALTER TABLE skypanel.config_vars ADD COLUMN IF NOT EXISTS organization_id uuid
    CONSTRAINT config_vars_organization_id_fkey REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE;
ALTER TABLE skypanel.config_vars ADD COLUMN IF NOT EXISTS as_file boolean NOT NULL DEFAULT false;
ALTER TABLE skypanel.config_vars ALTER COLUMN version DROP EXPRESSION IF EXISTS;
ALTER TABLE skypanel.config_vars ALTER COLUMN version SET DEFAULT 1, ALTER COLUMN version SET NOT NULL;
ALTER TABLE skypanel.config_vars DROP CONSTRAINT IF EXISTS config_vars_one_owner;
ALTER TABLE skypanel.config_vars ADD CONSTRAINT config_vars_one_owner CHECK (num_nonnulls(organization_id, app_id, environment_id) = 1);
ALTER TABLE skypanel.config_vars DROP CONSTRAINT IF EXISTS config_vars_name_form;
ALTER TABLE skypanel.config_vars ADD CONSTRAINT config_vars_name_form CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_]*$' AND length(name) <= 255);
-- 128 kB, in the longest form that a value may have: base64 of a document with it in base64.
ALTER TABLE skypanel.config_vars DROP CONSTRAINT IF EXISTS config_vars_ciphertext_bounded;
ALTER TABLE skypanel.config_vars ADD CONSTRAINT config_vars_ciphertext_bounded CHECK (length(ciphertext) <= 262144);
CREATE UNIQUE INDEX IF NOT EXISTS config_vars_app_name_unique ON skypanel.config_vars (app_id, name)
    WHERE app_id IS NOT NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS config_vars_organization_name_unique ON skypanel.config_vars (organization_id, name)
    WHERE organization_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS config_vars_app ON skypanel.config_vars (app_id) WHERE app_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS config_vars_organization ON skypanel.config_vars (organization_id) WHERE organization_id IS NOT NULL;
COMMENT ON TABLE skypanel.config_vars IS
    'Config vars of organizations, apps and environments, as ciphertext only. The later of the three counts where a name is set in several.';
COMMENT ON COLUMN skypanel.config_vars.organization_id IS 'spec: the owner, or app_id, or environment_id; a var never moves, as its ciphertext says whose it is';
COMMENT ON COLUMN skypanel.config_vars.ciphertext IS 'spec: the encrypted value; the key is not in the database';
COMMENT ON COLUMN skypanel.config_vars.key_id IS 'spec: dek:<id in data_keys>, or panel or panel-org: the panel''s own form, under its SSH_CRED_SECRET';
COMMENT ON COLUMN skypanel.config_vars.as_file IS 'spec: tasks get the file /run/secrets/<name>, and no variable';
COMMENT ON COLUMN skypanel.config_vars.version IS 'derived: 1 for a new row, one more with every other ciphertext or key_id; it is part of what the ciphertext is bound to';

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
    NEW.version := CASE WHEN TG_OP = 'INSERT' THEN 1
                        WHEN (NEW.ciphertext, NEW.key_id) IS DISTINCT FROM (OLD.ciphertext, OLD.key_id) THEN OLD.version + 1
                        ELSE OLD.version END;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_config_var IS 'Keeps version, whatever the writer says, and the names that are not for config vars.';
CREATE OR REPLACE TRIGGER config_vars_keep BEFORE INSERT OR UPDATE ON skypanel.config_vars
    FOR EACH ROW EXECUTE FUNCTION skypanel.keep_config_var();

-- Propagation. As of an environment's other parts (0015); of an app or organization its row is taken, and an organization's with
-- those of its apps: so nobody else touches the same environments in another order, and an environment that is being added, which
-- holds its parents, either is touched or sees the var. A var that was deleted already is no input any more.

CREATE OR REPLACE FUNCTION skypanel.lock_config_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    environments  uuid[] := array_remove(ARRAY[OLD.environment_id, NEW.environment_id], NULL);
    apps          uuid[] := array_remove(ARRAY[OLD.app_id, NEW.app_id], NULL);
    organizations uuid[] := array_remove(ARRAY[OLD.organization_id, NEW.organization_id], NULL);
BEGIN
    IF TG_OP = 'DELETE' AND OLD.deleted_at IS NOT NULL THEN
        RETURN OLD;
    END IF;
    IF cardinality(apps || organizations) > 0 THEN
        PERFORM 1 FROM public.paas_organizations
          WHERE organization_id = ANY (organizations || ARRAY(SELECT organization_id FROM public.paas_apps WHERE id = ANY (apps)))
          ORDER BY organization_id FOR NO KEY UPDATE;
        PERFORM 1 FROM public.paas_apps WHERE id = ANY (apps) OR organization_id = ANY (organizations) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    IF cardinality(environments) > 0 THEN
        PERFORM 1 FROM public.paas_environments WHERE id = ANY (environments) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_config_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- What is not below a row that is there any more, or is deleted itself, has nothing to learn.
BEGIN
    IF num_nonnulls(OLD.environment_id, NEW.environment_id) > 0 THEN
        UPDATE public.paas_environments SET inputs_version = inputs_version % 9223372036854775807 + 1
         WHERE id IN (OLD.environment_id, NEW.environment_id);
    END IF;
    IF num_nonnulls(OLD.app_id, NEW.app_id, OLD.organization_id, NEW.organization_id) > 0 THEN
        UPDATE public.paas_environments SET inputs_version = inputs_version % 9223372036854775807 + 1
         WHERE deleted_at IS NULL
           AND app_id = ANY (ARRAY(SELECT a.id FROM public.paas_apps a WHERE a.id IN (OLD.app_id, NEW.app_id)
                                   UNION SELECT a.id FROM public.paas_apps a JOIN public.paas_organizations o USING (organization_id)
                                          WHERE a.organization_id IN (OLD.organization_id, NEW.organization_id)));
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER config_vars_first_lock BEFORE INSERT OR UPDATE OR DELETE ON skypanel.config_vars
    FOR EACH ROW EXECUTE FUNCTION skypanel.lock_config_owner();
CREATE OR REPLACE TRIGGER config_vars_touch AFTER INSERT ON skypanel.config_vars
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_config_owner();
CREATE OR REPLACE TRIGGER config_vars_gone_touch AFTER DELETE ON skypanel.config_vars
    FOR EACH ROW WHEN (OLD.deleted_at IS NULL) EXECUTE FUNCTION skypanel.touch_config_owner();
CREATE OR REPLACE TRIGGER config_vars_spec_touch AFTER UPDATE ON skypanel.config_vars
    FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_config_owner();
REVOKE EXECUTE ON FUNCTION skypanel.keep_config_var, skypanel.lock_config_owner, skypanel.touch_config_owner FROM PUBLIC;
CALL skypanel.declare_table('skypanel.config_vars', derived => '{version}', secret => '{ciphertext}');

-- Data keys: one an organization, wrapped by a key that is not in the database.

CREATE TABLE IF NOT EXISTS skypanel.data_keys (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL CONSTRAINT data_keys_organization_unique UNIQUE
                                CONSTRAINT data_keys_organization_id_fkey REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    kek_id          text        NOT NULL CONSTRAINT data_keys_kek_id_form CHECK (length(kek_id) = 8 AND kek_id ~ '^[0-9a-f]+$'),
    wrapped         bytea       NOT NULL CONSTRAINT data_keys_wrapped_bounded CHECK (length(wrapped) BETWEEN 1 AND 1024),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE skypanel.data_keys IS
    'What the config vars of an organization are encrypted with: one key each, itself encrypted with a key that is in a file or the environment of those who need it. Without that nothing here can be read.';
COMMENT ON COLUMN skypanel.data_keys.kek_id IS 'Which key opens it: the first 8 hex digits of a hash of that.';
COMMENT ON COLUMN skypanel.data_keys.wrapped IS 'The data key, encrypted. A rotation writes it again under another key; config vars stay as they are.';
CREATE INDEX IF NOT EXISTS data_keys_kek ON skypanel.data_keys (kek_id);
CREATE OR REPLACE TRIGGER update_data_keys_updated_at BEFORE UPDATE ON skypanel.data_keys
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at();

-- What was found out of the image that an environment asks for. It decides nothing by itself: who writes it goes on with it.

CREATE TABLE IF NOT EXISTS public.paas_image_facts (
    environment_id uuid        PRIMARY KEY CONSTRAINT paas_image_facts_environment_id_fkey
                               REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    reference      text        NOT NULL CONSTRAINT paas_image_facts_reference_bounded CHECK (length(reference) <= 1024),
    pinned         text        NOT NULL CONSTRAINT paas_image_facts_pinned_bounded CHECK (length(pinned) <= 1024),
    architecture   text        NOT NULL CONSTRAINT paas_image_facts_architecture_bounded CHECK (length(architecture) <= 64),
    entrypoint     jsonb       NOT NULL DEFAULT '[]' CONSTRAINT paas_image_facts_entrypoint_list CHECK (jsonb_typeof(entrypoint) = 'array'),
    cmd            jsonb       NOT NULL DEFAULT '[]' CONSTRAINT paas_image_facts_cmd_list CHECK (jsonb_typeof(cmd) = 'array'),
    healthcheck    jsonb       CONSTRAINT paas_image_facts_healthcheck_object CHECK (jsonb_typeof(healthcheck) = 'object'),
    shell          jsonb       NOT NULL DEFAULT '["/bin/sh", "-c"]' CONSTRAINT paas_image_facts_shell_list CHECK (jsonb_typeof(shell) = 'array'),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_image_facts_bounded CHECK (octet_length(entrypoint::text) + octet_length(cmd::text) + octet_length(shell::text)
                                               + coalesce(octet_length(healthcheck::text), 0) <= 262144)
);
COMMENT ON TABLE public.paas_image_facts IS
    'status: what was found out of the image of an environment, which stands in front of its program what gives it its config vars; another reference is looked up again.';
COMMENT ON COLUMN public.paas_image_facts.reference IS 'status: image_ref of the environment, as it was looked up';
COMMENT ON COLUMN public.paas_image_facts.pinned IS 'status: the reference that always means this content';
COMMENT ON COLUMN public.paas_image_facts.healthcheck IS 'status: as in the image, times in nanoseconds; NULL: it has none';
CREATE OR REPLACE TRIGGER update_paas_image_facts_updated_at BEFORE UPDATE ON public.paas_image_facts
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at();

-- What is set for an environment.

CREATE OR REPLACE FUNCTION skypanel.config_of(p_organization uuid, p_app uuid, p_environment uuid)
RETURNS TABLE (id uuid, name text, layer text, version integer, as_file boolean)
LANGUAGE sql STABLE ROWS 20
BEGIN ATOMIC
    -- No search_path, as its names are bound: the planner can then put this into the query that asks.
    SELECT DISTINCT ON (v.name COLLATE "C") v.id, v.name, (ARRAY['organization', 'app', 'environment'])[v.place], v.version, v.as_file
      FROM (SELECT 1 AS place, o.id, o.name, o.version, o.as_file FROM skypanel.config_vars o
             WHERE o.organization_id = p_organization AND o.deleted_at IS NULL
            UNION ALL
            SELECT 2, a.id, a.name, a.version, a.as_file FROM skypanel.config_vars a WHERE a.app_id = p_app AND a.deleted_at IS NULL
            UNION ALL
            SELECT 3, e.id, e.name, e.version, e.as_file FROM skypanel.config_vars e
             WHERE e.environment_id = p_environment AND e.deleted_at IS NULL) v
     ORDER BY v.name COLLATE "C", v.place DESC;
END;
COMMENT ON FUNCTION skypanel.config_of IS 'The config vars that count for an environment of that app and organization, one a name: of the latest layer that sets it.';
REVOKE EXECUTE ON FUNCTION skypanel.config_of FROM PUBLIC;

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
               'config', (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                                     'digest', md5(string_agg(concat_ws(',', v.name, v.id, v.version, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                                     'variables', count(*),
                                     'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]')) END
                            FROM skypanel.config_of(a.organization_id, a.id, e.id) v),
               'resolved', (SELECT jsonb_build_object('reference', f.reference, 'pinned', f.pinned, 'architecture', f.architecture,
                                                      'entrypoint', f.entrypoint, 'cmd', f.cmd, 'healthcheck', f.healthcheck, 'shell', f.shell)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND f.reference = e.image_ref),
               -- One more than the reader takes of each: it sees that there are too many, and not how many.
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
