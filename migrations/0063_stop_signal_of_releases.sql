-- The newest release says what its image wants to be asked to stop with, as it was found when the release was made: what is found of the
-- same content later restarts nothing.

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
