-- A tag that is followed: what it means is asked for now and then, and where that is another content, it is another release. When it is
-- asked is no part of a release. Nor is who moved a tag anybody who changed the environment: its release says so.
-- One table that readers join already is locked in this file: paas_environments.

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS follow_seconds integer CONSTRAINT paas_environments_follow_seconds_bounded CHECK (follow_seconds BETWEEN 60 AND 86400);
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.follow_seconds IS 'spec: about so often it is asked what the tag of image_ref means, and another content is another release; NULL: what it meant when it was set runs';
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}',
                           derived => '{swarm_name,removed_at,changed_by,change_reason,change_commit}');

-- Who changed what runs is said of every column, but for those that are said here: of what is no part of a release. So a migration that
-- adds a column says nothing, unless that is none either.
CREATE OR REPLACE TRIGGER paas_environments_who_changed BEFORE UPDATE ON public.paas_environments
    FOR EACH ROW WHEN (OLD.inputs_version IS DISTINCT FROM NEW.inputs_version OR
        to_jsonb(OLD) - '{name,swarm_name,app_id,plan_id,instances,cpu_limit,memory_mb,region,pool,spread,suspended,restart_token,canary,follow_seconds,generation,created_at,updated_at,deleted_at,removed_at,changed_by,change_reason,change_commit}'::text[]
        IS DISTINCT FROM
        to_jsonb(NEW) - '{name,swarm_name,app_id,plan_id,instances,cpu_limit,memory_mb,region,pool,spread,suspended,restart_token,canary,follow_seconds,generation,created_at,updated_at,deleted_at,removed_at,changed_by,change_reason,change_commit}'::text[])
    EXECUTE FUNCTION skypanel.say_who_changed();

CREATE OR REPLACE FUNCTION skypanel.without_scale(p_processes jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(jsonb_agg(p - 'instances'::text ORDER BY p ->> 'type'::text COLLATE "C"), '[]'::jsonb) FROM jsonb_array_elements(p_processes) p);
COMMENT ON FUNCTION skypanel.without_scale IS 'Processes of a release, by what they run.';

-- Nothing but the content of the image that is declared is another one: then nobody has changed the environment.
CREATE OR REPLACE FUNCTION skypanel.make_release(
    p_environment uuid, p_generation bigint, p_digest text, p_config_digest text, p_image text,
    p_settings jsonb, p_processes jsonb, p_resolved jsonb, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e       record;
    newest  record;
    config  jsonb;
    made    integer;
    moved   boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- what is lost with a crash is made once more, under the same number
    SELECT r.version, r.digest, r.image_ref, r.settings, r.processes, r.config, r.content_of INTO newest
      FROM public.paas_releases r WHERE r.environment_id = p_environment AND r.is_primary;
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
    moved := coalesce(e.release IS NULL AND newest.content_of IS NULL
                      AND newest.image_ref LIKE '%@%' AND p_image LIKE '%@%' AND newest.image_ref <> p_image
                      AND newest.settings -> 'image_ref'::text = p_settings -> 'image_ref'::text
                      AND newest.settings - 'port_check'::text = p_settings - 'port_check'::text
                      AND skypanel.without_scale(newest.processes) = skypanel.without_scale(p_processes)
                      AND newest.config ->> 'digest'::text IS NOT DISTINCT FROM p_config_digest, false);
    UPDATE public.paas_releases SET is_primary = false WHERE environment_id = p_environment AND is_primary;
    INSERT INTO public.paas_releases AS r
           (environment_id, version, image_ref, processes, settings, resolved, digest, config, config_snapshot, config_revisions,
            is_primary, content_of, made_by, reason, source_commit)
    SELECT p_environment, coalesce((SELECT max(version) FROM public.paas_releases WHERE environment_id = p_environment), 0) + 1,
           p_image, p_processes, p_settings, p_resolved, p_digest, config,
           coalesce((SELECT jsonb_object_agg(v ->> 'name', v -> 'version') FROM jsonb_array_elements(config -> 'vars') v), '{}'),
           ARRAY(SELECT (v ->> 'revision')::uuid FROM jsonb_array_elements(coalesce(config -> 'vars', '[]')) v),
           true, e.release,
           CASE WHEN moved THEN 'registry' ELSE e.changed_by END,
           CASE WHEN moved THEN format('%s moved from %s to %s', p_settings ->> 'image_ref'::text,
                                       left(split_part(newest.image_ref, '@', 2), 19), left(split_part(p_image, '@', 2), 19))
                ELSE e.change_reason END,
           CASE WHEN NOT moved THEN e.change_commit END
    RETURNING r.version INTO made;
    DELETE FROM public.paas_releases
     WHERE environment_id = p_environment AND version <= made - p_most AND version IS DISTINCT FROM e.release
       AND version IS DISTINCT FROM (SELECT max(version) FROM public.paas_releases
                                      WHERE environment_id = p_environment AND deployed_at IS NOT NULL);
    RETURN made;
END
$$;

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
                                                      'entrypoint', f.entrypoint, 'cmd', f.cmd, 'healthcheck', f.healthcheck, 'shell', f.shell,
                                                      'digests', f.digests, 'stop_signal', f.stop_signal)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND f.reference = CASE e.deploy_mode WHEN 'buildpack' THEN skypanel.built_image(e.id, e.image_ref) ELSE e.image_ref END),
               'followed', (SELECT jsonb_build_object('moved_from', f.follow_from, 'reason', f.follow_reason, 'message', f.follow_message, 'since', f.follow_since)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND coalesce(f.follow_reason, f.follow_from) IS NOT NULL AND (e.deploy_mode = 'buildpack' OR f.reference = e.image_ref)),
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
