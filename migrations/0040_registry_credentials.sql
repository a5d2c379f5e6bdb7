-- Users of registries, with their passwords as ciphertext: a kind of its own, which says whether the registry takes them.
--
-- A ciphertext is bound to organization, row, registry, user and version; one in the panel's form is bound to nothing. What a panel wrote
-- into secret_ref stays: it names a password that is somewhere else, which nothing here can read.

ALTER TABLE public.caas_registry_credentials ALTER COLUMN secret_ref DROP NOT NULL;
ALTER TABLE public.caas_registry_credentials ADD COLUMN IF NOT EXISTS ciphertext bytea;
ALTER TABLE public.caas_registry_credentials ADD COLUMN IF NOT EXISTS key_id text;
ALTER TABLE public.caas_registry_credentials ADD COLUMN IF NOT EXISTS version integer NOT NULL DEFAULT 1;
ALTER TABLE public.caas_registry_credentials ADD COLUMN IF NOT EXISTS revision uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE public.caas_registry_credentials DROP CONSTRAINT IF EXISTS caas_registry_credentials_sealed_whole;
ALTER TABLE public.caas_registry_credentials ADD CONSTRAINT caas_registry_credentials_sealed_whole
    CHECK ((ciphertext IS NULL) = (key_id IS NULL));
CALL skypanel.bound_table('public.caas_registry_credentials');
COMMENT ON TABLE public.caas_registry_credentials IS
    'Users of registries, one an organization and registry: its images are looked up and pulled with them. Passwords are ciphertext only.';
COMMENT ON COLUMN public.caas_registry_credentials.registry IS 'spec: its host as image references have it, with its port where it has one; docker.io is Docker Hub';
COMMENT ON COLUMN public.caas_registry_credentials.username IS 'spec: who asks; another one needs its password set anew, as the ciphertext says whose it is';
COMMENT ON COLUMN public.caas_registry_credentials.secret_ref IS 'spec: a name that a panel gave the password elsewhere; kept, and not read: without ciphertext there is no password';
COMMENT ON COLUMN public.caas_registry_credentials.ciphertext IS 'spec: the encrypted password; the key is not in the database. NULL: none is set yet';
COMMENT ON COLUMN public.caas_registry_credentials.key_id IS 'spec: dek:<id in data_keys>, or panel or panel-org: the panel''s own form, under its SSH_CRED_SECRET';
COMMENT ON COLUMN public.caas_registry_credentials.version IS 'derived: 1 for a new row, one more with every other password, user or registry; it is part of what the ciphertext is bound to';
COMMENT ON COLUMN public.caas_registry_credentials.revision IS 'derived: another one with each version, and never the same again';

CREATE OR REPLACE FUNCTION skypanel.keep_registry_credential() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
        NEW.revision := gen_random_uuid();
    ELSIF (NEW.organization_id, NEW.registry, NEW.username, NEW.ciphertext, NEW.key_id)
          IS DISTINCT FROM (OLD.organization_id, OLD.registry, OLD.username, OLD.ciphertext, OLD.key_id) THEN
        NEW.version := OLD.version % 2147483647 + 1;
        NEW.revision := gen_random_uuid();
    ELSE
        NEW.version := OLD.version;
        NEW.revision := OLD.revision;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_registry_credential IS 'Keeps version and revision, whatever the writer says.';
CREATE OR REPLACE TRIGGER caas_registry_credentials_keep BEFORE INSERT OR UPDATE ON public.caas_registry_credentials
    FOR EACH ROW EXECUTE FUNCTION skypanel.keep_registry_credential();

-- Propagation, as of config vars of an organization: its row is taken, and those of its apps, before its environments are touched.

CREATE OR REPLACE FUNCTION skypanel.lock_registry_users() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM 1 FROM public.paas_organizations WHERE organization_id IN (OLD.organization_id, NEW.organization_id)
      ORDER BY organization_id FOR NO KEY UPDATE;
    PERFORM 1 FROM public.paas_apps WHERE organization_id IN (OLD.organization_id, NEW.organization_id) ORDER BY id FOR NO KEY UPDATE;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_registry_users() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments SET inputs_version = inputs_version % 9223372036854775807 + 1
     WHERE deleted_at IS NULL
       AND app_id = ANY (ARRAY(SELECT a.id FROM public.paas_apps a JOIN public.paas_organizations o USING (organization_id)
                                WHERE a.organization_id IN (OLD.organization_id, NEW.organization_id)));
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER caas_registry_credentials_first_lock BEFORE INSERT OR UPDATE OR DELETE ON public.caas_registry_credentials
    FOR EACH ROW EXECUTE FUNCTION skypanel.lock_registry_users();
CREATE OR REPLACE TRIGGER caas_registry_credentials_touch AFTER INSERT OR DELETE ON public.caas_registry_credentials
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_registry_users();
CREATE OR REPLACE TRIGGER caas_registry_credentials_spec_touch AFTER UPDATE ON public.caas_registry_credentials
    FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_registry_users();

-- What the controller opens, and what the documents say: no password, and no ciphertext.

CREATE OR REPLACE FUNCTION skypanel.sealed_registry_of(p_credential uuid)
RETURNS TABLE (organization_id uuid, id uuid, registry text, username text, version integer, revision uuid, key_id text, ciphertext bytea,
               data_key_id uuid, kek_id text, wrapped bytea)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT c.organization_id, c.id, c.registry, c.username, c.version, c.revision, c.key_id, c.ciphertext, k.id, k.kek_id, k.wrapped
      FROM public.caas_registry_credentials c
      LEFT JOIN skypanel.data_keys k ON k.organization_id = c.organization_id
     WHERE c.id = p_credential AND c.ciphertext IS NOT NULL;
END;
COMMENT ON FUNCTION skypanel.sealed_registry_of IS 'A user of a registry with the ciphertext of his password, and the data key that it is under.';

CREATE OR REPLACE VIEW skypanel.snapshot_registry AS
    SELECT c.id, c.organization_id, c.generation, p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object('id', c.id, 'registry', c.registry, 'username', c.username, 'revision', c.revision,
                              'sealed', c.ciphertext IS NOT NULL,
                              'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id))) AS doc
      FROM public.caas_registry_credentials c
      JOIN public.paas_organizations p ON p.organization_id = c.organization_id
      JOIN public.organizations o ON o.id = c.organization_id;

COMMENT ON VIEW skypanel.snapshot_registry IS 'What the registry reconciler works with; no password, and no ciphertext.';

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

REVOKE EXECUTE ON FUNCTION skypanel.keep_registry_credential, skypanel.lock_registry_users, skypanel.touch_registry_users,
    skypanel.sealed_registry_of FROM PUBLIC;
CALL skypanel.declare_kind('registry', 'caas_registry_credentials', name => 'registry', parent => 'organization',
                           parent_column => 'organization_id', reconciled => true, derived => '{version,revision}', secret => '{ciphertext,secret_ref}');
