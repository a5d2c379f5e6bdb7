-- Snapshots: what the controller reads. One row an object, one JSON document a row, fast by WHERE id = ANY($1).
-- The views run with their owner's rights: nobody needs rights on the panel's tables to read them.

CREATE OR REPLACE VIEW skypanel.objects AS
    SELECT 'organization'::text AS kind, organization_id AS id, organization_id, generation, deleted_at IS NOT NULL AS deleted
      FROM public.paas_organizations
    UNION ALL
    SELECT 'environment', e.id, a.organization_id, e.generation,
           e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR o.deleted_at IS NOT NULL
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations o ON o.organization_id = a.organization_id;
COMMENT ON VIEW skypanel.objects IS 'Every object that has a reconciler. deleted: its own deleted_at or a parent''s is set.';

CREATE OR REPLACE VIEW skypanel.snapshot_organization AS
    SELECT p.organization_id AS id, p.organization_id, p.generation, p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', p.organization_id, 'slug', o.slug, 'name', o.name,
               'suspended', p.suspended, 'network_prefix', p.network_prefix) AS doc
      FROM public.paas_organizations p
      JOIN public.organizations o ON o.id = p.organization_id;
COMMENT ON VIEW skypanel.snapshot_organization IS 'What an organization should be.';

CREATE OR REPLACE VIEW skypanel.snapshot_environment AS
    SELECT e.id, a.organization_id, e.generation,
           e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', e.id, 'name', e.name, 'swarm_name', e.swarm_name,
               'suspended', e.suspended OR a.suspended OR p.suspended,
               'organization', jsonb_build_object('id', o.id, 'slug', o.slug),
               'app', jsonb_build_object('id', a.id, 'slug', a.slug),
               'deploy_mode', e.deploy_mode, 'image_ref', e.image_ref, 'entrypoint', e.entrypoint, 'cmd', e.cmd,
               'instances', e.instances, 'cpu_limit', e.cpu_limit, 'memory_mb', e.memory_mb,
               'port', e.port, 'ports', e.ports, 'volumes', e.volumes, 'healthcheck', e.healthcheck,
               'stop_grace_seconds', e.stop_grace_seconds, 'read_only_root', e.read_only_root,
               'tmpfs_paths', e.tmpfs_paths, 'run_as', e.run_as, 'region', e.region,
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit,
                                                  'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = e.plan_id),
               'processes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                        'id', c.id, 'type', c.type, 'command', c.command, 'args', c.args,
                                        'instances', c.instances, 'port', c.port, 'healthcheck', c.healthcheck,
                                        'stop_grace_seconds', c.stop_grace_seconds, 'generation', c.generation)
                                        ORDER BY c.type), '[]')
                               FROM public.paas_processes c WHERE c.environment_id = e.id AND c.deleted_at IS NULL),
               'domains', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'id', d.id, 'hostname', d.hostname, 'process_type', d.process_type,
                                      'generation', d.generation) ORDER BY d.hostname), '[]')
                             FROM public.paas_domains d WHERE d.environment_id = e.id AND d.deleted_at IS NULL)) AS doc
      -- Subqueries for the rest, not joins: a document asks for a few rows by index, and planning nine tables takes longer.
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations p ON p.organization_id = a.organization_id
      JOIN public.organizations o ON o.id = a.organization_id;
COMMENT ON VIEW skypanel.snapshot_environment IS 'What an environment should be: its row, its plan, its processes by type and its domains by host name.';

CREATE OR REPLACE VIEW skypanel.dependents AS
    SELECT 'organization'::text AS kind, a.organization_id AS id, 'environment'::text AS dependent_kind, e.id AS dependent_id
      FROM public.paas_apps a JOIN public.paas_environments e ON e.app_id = a.id;
COMMENT ON VIEW skypanel.dependents IS 'Which objects have to be looked at again when the state of another has changed.';
