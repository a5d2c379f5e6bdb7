-- Who may do what: every right of the three groups, given again at the end of each `skypanel migrate`.
--
--   skypanel_panel       writes spec, reads status
--   skypanel_controller  reads spec, writes status and its own state
--   skypanel_reader      reads everything but secrets
--
-- A dump of one database has no roles, and a restore without them has no rights: this gives them back. Roles belong to
-- the whole server, so another database's migration may be making them at the same moment.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['skypanel_panel', 'skypanel_controller', 'skypanel_reader'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA skypanel FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT USAGE ON SCHEMA skypanel TO skypanel_panel, skypanel_controller, skypanel_reader;

-- What is asked for.
DO $$
DECLARE
    declared text;
BEGIN
    FOR declared IN SELECT name FROM skypanel.declared_tables ORDER BY name LOOP
        CALL skypanel.grant_declared_table(declared);
    END LOOP;
    FOR declared IN SELECT kind FROM skypanel.kinds ORDER BY kind LOOP
        CALL skypanel.grant_kind(declared);
    END LOOP;
END
$$;

-- Records of what was done.
REVOKE ALL ON public.paas_releases, public.paas_containers, public.paas_usage, public.caas_exec_audit, public.paas_image_facts
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON public.paas_releases, public.paas_containers, public.paas_usage, public.caas_exec_audit, public.paas_image_facts
    TO skypanel_panel, skypanel_controller, skypanel_reader;
GRANT INSERT, UPDATE, DELETE ON public.paas_containers, public.paas_usage, public.paas_image_facts TO skypanel_controller;
GRANT INSERT, DELETE, UPDATE (is_primary, deployed_at) ON public.paas_releases TO skypanel_controller;
GRANT INSERT, UPDATE (duration_ms, status) ON public.caas_exec_audit TO skypanel_controller;

-- Data keys: whoever seals a value needs its organization's, which the key of his own process opens.
REVOKE ALL ON skypanel.data_keys FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT, INSERT (id, organization_id, kek_id, wrapped), UPDATE (kek_id, wrapped) ON skypanel.data_keys TO skypanel_panel;
GRANT SELECT ON skypanel.data_keys TO skypanel_controller;
GRANT SELECT (id, organization_id, kek_id, created_at, updated_at) ON skypanel.data_keys TO skypanel_reader;

-- The controller's own state.
REVOKE ALL ON skypanel.config_history FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON skypanel.config_history TO skypanel_controller;
REVOKE ALL ON skypanel.pinned_processes FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON skypanel.pinned_processes TO skypanel_controller, skypanel_reader;
GRANT SELECT (revision, id, organization_id, layer, owner_id, name, version, key_id, replaced_at) ON skypanel.config_history TO skypanel_panel, skypanel_reader;
REVOKE ALL ON
    skypanel.schema_migrations, skypanel.package_migrations, skypanel.declared_tables, skypanel.change_log, skypanel.inventory, skypanel.lease, skypanel.subnets,
    skypanel.fuse, skypanel.fuse_losses, skypanel.object_status, skypanel.events, skypanel.reconcile_controls, skypanel.tombstones,
    skypanel.serving, skypanel.hidden_tables, skypanel.identity,
    skypanel.objects, skypanel.present, skypanel.parts, skypanel.status, skypanel.leader, skypanel.dependents, skypanel.organization_slugs,
    skypanel.kinds, skypanel.kind_views, skypanel.names, skypanel.concerns, skypanel.served, skypanel.kept,
    skypanel.sizes, skypanel.quotas, skypanel.quota_checks
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON
    skypanel.schema_migrations, skypanel.package_migrations, skypanel.object_status, skypanel.events, skypanel.reconcile_controls, skypanel.status, skypanel.leader,
    skypanel.kinds, skypanel.names, skypanel.concerns, skypanel.sizes, skypanel.quotas
    TO skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON
    skypanel.change_log, skypanel.inventory, skypanel.lease, skypanel.subnets, skypanel.fuse, skypanel.fuse_losses, skypanel.tombstones,
    skypanel.serving, skypanel.hidden_tables, skypanel.identity, skypanel.declared_tables,
    skypanel.objects, skypanel.present, skypanel.parts, skypanel.served, skypanel.kept, skypanel.kind_views, skypanel.dependents, skypanel.organization_slugs,
    skypanel.quota_checks
    TO skypanel_controller, skypanel_reader;
GRANT INSERT, UPDATE, DELETE ON
    skypanel.change_log, skypanel.inventory, skypanel.lease, skypanel.subnets, skypanel.fuse, skypanel.fuse_losses,
    skypanel.object_status, skypanel.events TO skypanel_controller;
GRANT DELETE ON skypanel.tombstones TO skypanel_controller;
GRANT INSERT, UPDATE ON skypanel.identity TO skypanel_controller;
GRANT DELETE,
      INSERT (scope, kind, id, paused, paused_reason, paused_by, reconcile_token),
      UPDATE (paused, paused_reason, paused_by, reconcile_token)
    ON skypanel.reconcile_controls TO skypanel_panel;

-- Functions: the forms that checks use are for whoever writes. They are bound when they are made and read nothing.
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA skypanel FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
DO $$
DECLARE
    form regprocedure;
BEGIN
    FOR form IN SELECT oid FROM pg_proc
                 WHERE pronamespace = 'skypanel'::regnamespace AND prosqlbody IS NOT NULL AND provolatile = 'i' ORDER BY oid LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', form);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION skypanel.allocate_subnet, skypanel.release_subnet, skypanel.adopt_subnet, skypanel.lowest_free_subnet TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.prune, skypanel.sealed_config_of, skypanel.sealed_registry_of TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.make_release, skypanel.release_deployed, skypanel.sealed_release_of, skypanel.prune_releases TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.pause_of, skypanel.config_of, skypanel.config_now TO skypanel_panel, skypanel_controller, skypanel_reader;

-- The panel's tables. Only their owner can grant on them; where that is someone else, the docs list what he grants.
DO $$
BEGIN
    IF (SELECT bool_and(pg_has_role(current_user, relowner, 'USAGE')) FROM pg_class
         WHERE oid IN ('public.users'::regclass, 'public.organizations'::regclass, 'public.organization_members'::regclass)) THEN
        GRANT SELECT ON public.organizations, public.organization_members TO skypanel_panel, skypanel_reader;
        GRANT SELECT (id, email, name, role, created_at, updated_at) ON public.users TO skypanel_panel, skypanel_reader;
        GRANT INSERT, UPDATE, DELETE ON public.organizations, public.organization_members TO skypanel_panel;
        GRANT INSERT (id, email, password_hash, name, role) ON public.users TO skypanel_panel;
        GRANT SELECT (id, name, slug) ON public.organizations TO skypanel_controller;
    END IF;
END
$$;
