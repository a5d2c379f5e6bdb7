-- What the images of those releases go by that may serve while something else is asked for: from the last one that all tasks ran on. Who
-- has signed the index of one, and a report that names only that, count for it as for what is asked for.
-- One table that readers join already is locked in this file: paas_releases.

CREATE INDEX IF NOT EXISTS paas_releases_digests ON public.paas_releases USING gin ((resolved -> 'digests')) WITH (fastupdate = off)
 WHERE deployed_at IS NOT NULL; -- each is asked for with every report

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
                                                     'stop_signal', r.resolved ->> 'stop_signal'::text,
                                                     'images', CASE WHEN r.deployed_at IS NOT NULL
                                                         THEN jsonb_build_array(jsonb_build_object('image', r.image_ref, 'digests', r.resolved -> 'digests'::text))
                                                         ELSE (SELECT jsonb_agg(jsonb_build_object('image', s.image_ref, 'digests', s.resolved -> 'digests'::text) ORDER BY s.version DESC)
                                                                 FROM (SELECT n.version, n.image_ref, n.resolved FROM public.paas_releases n
                                                                        WHERE n.environment_id = e.id
                                                                          AND n.version >= coalesce((SELECT max(d.version) FROM public.paas_releases d
                                                                                                      WHERE d.environment_id = e.id AND d.deployed_at IS NOT NULL), 0)
                                                                        ORDER BY n.deployed_at IS NULL, n.version DESC LIMIT 10) s) END,
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

CREATE OR REPLACE FUNCTION skypanel.look_again_when_scanned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Who runs this content, or wants to, is looked at again; where the report says the same as before, only those with whom something is
-- amiss. Nothing that is declared has changed, so no generation does.
DECLARE
    same boolean := TG_OP = 'UPDATE';
BEGIN
    IF same THEN
        same := (OLD.found, OLD.fixable) = (NEW.found, NEW.fixable) AND OLD.digests @> NEW.digests;
    END IF;
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    SELECT 'environment', e.id, a.organization_id, 'U'
      FROM (SELECT f.environment_id FROM public.paas_image_facts f
             WHERE f.digests && NEW.digests OR (f.digests = '{}' AND split_part(f.pinned, '@', 2) = ANY (NEW.digests))
             UNION
            SELECT v.id FROM public.paas_environments v JOIN public.paas_releases r ON (r.environment_id, r.version) = (v.id, v.release)
             WHERE r.resolved -> 'digests' ?| NEW.digests OR split_part(r.resolved ->> 'pinned', '@', 2) = ANY (NEW.digests)
             UNION
            SELECT r.environment_id FROM public.paas_releases r
             WHERE r.deployed_at IS NOT NULL AND (split_part(r.image_ref, '@', 2) = ANY (NEW.digests) OR r.resolved -> 'digests' ?| NEW.digests)
               AND r.version = (SELECT max(n.version) FROM public.paas_releases n
                                 WHERE n.environment_id = r.environment_id AND n.deployed_at IS NOT NULL)) concerned
      JOIN public.paas_environments e ON e.id = concerned.environment_id AND e.deleted_at IS NULL
      JOIN public.paas_apps a ON a.id = e.app_id
     WHERE NOT same OR 'allowed' IS DISTINCT FROM (SELECT v.verdict FROM public.caas_image_verdicts v
                                                    WHERE v.environment_id = e.id ORDER BY v.updated_at DESC LIMIT 1);
    RETURN NULL;
END
$$;
