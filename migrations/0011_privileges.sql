-- Privileges: what the three roles may do outside the declared tables (which CALL skypanel.declare_table each).
--
--   skypanel_panel       writes spec, reads status
--   skypanel_controller  reads spec, writes status and its own state
--   skypanel_reader      reads everything but secrets

-- Status records in public: the controller writes, the others read.
REVOKE ALL ON public.paas_releases, public.paas_containers, public.paas_usage, public.caas_exec_audit
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON public.paas_releases, public.paas_containers, public.paas_usage, public.caas_exec_audit
    TO skypanel_panel, skypanel_controller, skypanel_reader;
GRANT INSERT, UPDATE, DELETE ON public.paas_containers, public.paas_usage TO skypanel_controller;
GRANT INSERT, DELETE, UPDATE (is_primary) ON public.paas_releases TO skypanel_controller;
GRANT INSERT, UPDATE (duration_ms, status) ON public.caas_exec_audit TO skypanel_controller;

-- The controller's own state.
REVOKE ALL ON ALL TABLES IN SCHEMA skypanel FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    skypanel.change_log, skypanel.inventory, skypanel.lease, skypanel.subnets, skypanel.fuse,
    skypanel.object_status, skypanel.events TO skypanel_controller;
GRANT SELECT ON skypanel.config_vars, skypanel.gitops_sources TO skypanel_controller;
GRANT SELECT ON skypanel.objects, skypanel.snapshot_organization, skypanel.snapshot_environment, skypanel.dependents
    TO skypanel_controller, skypanel_reader;
REVOKE EXECUTE ON FUNCTION skypanel.allocate_subnet, skypanel.release_subnet FROM PUBLIC;
GRANT EXECUTE ON FUNCTION skypanel.allocate_subnet, skypanel.release_subnet TO skypanel_controller;

GRANT SELECT ON skypanel.object_status, skypanel.events TO skypanel_panel;
GRANT SELECT ON
    skypanel.change_log, skypanel.inventory, skypanel.lease, skypanel.subnets, skypanel.fuse,
    skypanel.object_status, skypanel.events TO skypanel_reader;

-- Config vars can be written by the panel, and their values be read by the controller alone.
GRANT DELETE,
      SELECT (id, environment_id, name, key_id, version, deleted_at, generation, created_at, updated_at),
      INSERT (id, environment_id, name, ciphertext, key_id, deleted_at, created_at, updated_at),
      UPDATE (environment_id, name, ciphertext, key_id, deleted_at, updated_at)
    ON skypanel.config_vars TO skypanel_panel;
GRANT SELECT (id, environment_id, name, key_id, version, deleted_at, generation, created_at, updated_at)
    ON skypanel.config_vars TO skypanel_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON skypanel.gitops_sources TO skypanel_panel;
GRANT SELECT (id, organization_id, name, repo_url, branch, path, interval_seconds, suspended, deleted_at, generation, created_at, updated_at)
    ON skypanel.gitops_sources TO skypanel_reader;

-- The panel's tables. Only their owner can grant on them; where that is someone else, he says how (see HINT).
DO $$
BEGIN
    IF (SELECT bool_and(pg_has_role(current_user, relowner, 'USAGE')) FROM pg_class
         WHERE oid IN ('public.users'::regclass, 'public.organizations'::regclass, 'public.organization_members'::regclass)) THEN
        GRANT SELECT ON public.organizations, public.organization_members TO skypanel_panel, skypanel_reader;
        GRANT SELECT (id, email, name, role, created_at, updated_at) ON public.users TO skypanel_panel, skypanel_reader;
        GRANT INSERT, UPDATE, DELETE ON public.organizations, public.organization_members TO skypanel_panel;
        GRANT INSERT (id, email, password_hash, name, role) ON public.users TO skypanel_panel;
        GRANT SELECT (id, name, slug) ON public.organizations TO skypanel_controller;
    ELSE
        RAISE NOTICE 'users, organizations and organization_members belong to another role: no rights on them were given'
            USING HINT = 'The docs (reference/schema.md) list the GRANT statements for their owner.';
    END IF;
END
$$;
