-- Who may do what: every right of the groups, given again at the end of each `skypanel migrate`.
--
--   skypanel_panel       writes spec, reads status
--   skypanel_controller  reads spec, writes status and its own state
--   skypanel_reader      reads everything but secrets
--   skypanel_scanner     hands in vulnerability reports, and reads nothing of anybody
--   skypanel_interface   no right to any of it: whom a session of it says that it acts for, the audit takes at its word
--   skypanel_api         as skypanel_panel, on rows of the organization that the transaction names (docs/tenants.md); looks up who calls: one token, one user
--
-- A dump of one database has no roles, and a restore without them has no rights: this gives them back. Roles belong to
-- the whole server, so another database's migration may be making them at the same moment.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['skypanel_panel', 'skypanel_controller', 'skypanel_reader', 'skypanel_scanner', 'skypanel_interface', 'skypanel_api'] LOOP
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

REVOKE ALL ON SCHEMA skypanel FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;
GRANT USAGE ON SCHEMA skypanel TO skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;

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
REVOKE ALL ON public.paas_releases, public.paas_containers, public.paas_usage, public.caas_exec_audit, public.paas_image_facts, public.caas_image_verdicts,
    public.caas_image_reports
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner;
GRANT SELECT ON public.paas_releases, public.paas_containers, public.paas_usage, public.caas_exec_audit, public.paas_image_facts, public.caas_image_verdicts,
    public.caas_image_reports
    TO skypanel_panel, skypanel_controller, skypanel_reader;
GRANT INSERT, UPDATE, DELETE ON public.paas_containers, public.paas_usage, public.paas_image_facts, public.caas_image_verdicts TO skypanel_controller;
GRANT INSERT, DELETE, UPDATE (is_primary, deployed_at) ON public.paas_releases TO skypanel_controller;
REVOKE ALL ON public.paas_run_records FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON public.paas_run_records TO skypanel_panel, skypanel_reader;
GRANT SELECT, INSERT, UPDATE ON public.paas_run_records TO skypanel_controller;
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
    skypanel.objects, skypanel.present, skypanel.parts, skypanel.status, skypanel.leader, skypanel.dependents, skypanel.organization_slugs, skypanel.organization_names,
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
    skypanel.objects, skypanel.present, skypanel.parts, skypanel.served, skypanel.kept, skypanel.kind_views, skypanel.dependents, skypanel.organization_slugs, skypanel.organization_names,
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

-- The audit: the database writes it; `skypanel audit verify` reads the chain itself.
REVOKE ALL ON skypanel.audit_unsealed, skypanel.audit_log, skypanel.audit_head, skypanel.audit, skypanel.activity
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface;
GRANT SELECT ON skypanel.audit, skypanel.activity TO skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON skypanel.audit_unsealed, skypanel.audit_log, skypanel.audit_head TO skypanel_controller, skypanel_reader;

-- What sources have declared, and wait for: skypanel.source_applied, source_configured, source_claimed and source_wanted write it.
REVOKE ALL ON skypanel.source_commits, skypanel.source_objects, skypanel.source_claims, skypanel.source_variables FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner;
GRANT SELECT ON skypanel.source_commits, skypanel.source_objects, skypanel.source_claims, skypanel.source_variables TO skypanel_panel, skypanel_controller, skypanel_reader;

-- Webhooks of sources: skypanel.hook_of gives secrets to who looks at signatures, and nobody else reads one.
REVOKE ALL ON skypanel.source_hooks, skypanel.source_deliveries FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner;
GRANT SELECT (id, source_id, organization_id, key_id, made_at, good_until) ON skypanel.source_hooks TO skypanel_panel, skypanel_reader;
GRANT DELETE, INSERT (id, source_id, key_id, ciphertext), UPDATE (good_until) ON skypanel.source_hooks TO skypanel_panel;
GRANT SELECT ON skypanel.source_deliveries TO skypanel_reader;

-- Statuses of commits: who sets a token does not read it, the controller does.
REVOKE ALL ON skypanel.source_forges, skypanel.source_statuses FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner;
GRANT SELECT (id, source_id, organization_id, forge, api, key_id, made_at) ON skypanel.source_forges TO skypanel_panel, skypanel_reader;
GRANT DELETE, INSERT (id, source_id, forge, api, key_id, ciphertext) ON skypanel.source_forges TO skypanel_panel;
GRANT SELECT ON skypanel.source_forges TO skypanel_controller;
GRANT SELECT ON skypanel.source_statuses TO skypanel_controller, skypanel_reader;
GRANT INSERT, UPDATE ON skypanel.source_statuses TO skypanel_controller;

-- Keys of requests to the HTTP API, and its answers: skypanel.grant_isolated gives them to skypanel_api, and nobody else reads one.
REVOKE ALL ON skypanel.api_idempotency FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner;
GRANT SELECT (organization_id, status, made_at) ON skypanel.api_idempotency TO skypanel_reader;

-- How the controller is, and what its fuse holds back: both show nothing to who acts for an organization.
REVOKE ALL ON skypanel.fuse_waiting, skypanel.controller_state, skypanel.platform_numbers FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;
GRANT SELECT ON skypanel.fuse_waiting, skypanel.controller_state, skypanel.platform_numbers TO skypanel_controller, skypanel_reader, skypanel_api;

-- What streams are told: skypanel.stream_since reads it.
REVOKE ALL ON skypanel.stream_log FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;
GRANT SELECT ON skypanel.stream_log TO skypanel_reader;

-- API tokens, and who calls. Nobody reads a hash, and the panel's users are looked up one by one.
CALL skypanel.see_people();
REVOKE ALL ON skypanel.people, skypanel.memberships, skypanel.owners
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;
REVOKE ALL ON skypanel.api_tokens, skypanel.api_token_uses FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface;
GRANT SELECT (id, name, previous_until, user_id, organization_id, role, apps, verbs, made_at, made_by, issued_at, expires_at, revoked_at, revoked_by, made_with)
    ON skypanel.api_tokens TO skypanel_panel, skypanel_reader;
GRANT INSERT (id, name, hash, user_id, organization_id, role, apps, verbs, expires_at), UPDATE (hash, previous_until, expires_at, revoked_at)
    ON skypanel.api_tokens TO skypanel_panel;
GRANT SELECT ON skypanel.api_token_uses TO skypanel_panel, skypanel_reader;
REVOKE ALL ON skypanel.role_bindings FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface;
GRANT SELECT ON skypanel.role_bindings TO skypanel_panel, skypanel_reader;
GRANT DELETE, INSERT (name, organization_id, issuer, claims, role, apps, verbs, expires_at) ON skypanel.role_bindings TO skypanel_panel;

-- Sessions of browsers: functions read and write them, by what nobody can guess.
REVOKE ALL ON skypanel.api_sessions FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;
GRANT SELECT (id, whose, user_id, admin_id, issuer, actor, address, made_at, used_at, expires_at) ON skypanel.api_sessions TO skypanel_reader;

-- Functions: the forms that checks use are for whoever writes. They are bound when they are made and read nothing.
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA skypanel FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner, skypanel_interface, skypanel_api;
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
GRANT EXECUTE ON FUNCTION skypanel.sealed_source_of, skypanel.sealed_identities_of TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.source_applied, skypanel.source_claimed, skypanel.source_configured, skypanel.source_wanted, skypanel.hook_of, skypanel.hook_delivered TO skypanel_api;
GRANT EXECUTE ON FUNCTION skypanel.seal_of TO skypanel_panel;
GRANT EXECUTE ON FUNCTION skypanel.make_release, skypanel.release_deployed, skypanel.sealed_release_of, skypanel.prune_releases TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.prune_image_reports TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.seal_audit, skypanel.prune_audit TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.prune_stream, skypanel.prune_ended TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.stream_since, skypanel.confirm_losses TO skypanel_api;
GRANT EXECUTE ON FUNCTION skypanel.record_refusal TO skypanel_panel, skypanel_controller, skypanel_reader, skypanel_api;
GRANT EXECUTE ON FUNCTION skypanel.person_of, skypanel.token_of, skypanel.bindings_of TO skypanel_panel, skypanel_api;
GRANT EXECUTE ON FUNCTION skypanel.token_used, skypanel.seen_email TO skypanel_api;
GRANT EXECUTE ON FUNCTION skypanel.session_of, skypanel.session_begins, skypanel.session_used, skypanel.session_ends, skypanel.sessions_end TO skypanel_api;

-- Reports of images open a gate: who hands them in, does nothing else, and nobody else does.
REVOKE ALL ON skypanel.schema_migrations FROM skypanel_scanner;
GRANT SELECT ON skypanel.schema_migrations TO skypanel_scanner;
GRANT EXECUTE ON FUNCTION skypanel.report_image TO skypanel_scanner;
REVOKE ALL ON skypanel.report_limits FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_scanner;
GRANT SELECT ON skypanel.report_limits TO skypanel_controller, skypanel_reader;
GRANT EXECUTE ON FUNCTION skypanel.release_command_begins, skypanel.release_command_ended, skypanel.release_command_again TO skypanel_controller;
GRANT EXECUTE ON FUNCTION skypanel.pause_of, skypanel.config_of, skypanel.config_now, skypanel.built_image TO skypanel_panel, skypanel_controller, skypanel_reader, skypanel_api;

-- Tenants: the panel's rights, on what hides rows of others. What does not yet, gets them when it does.
REVOKE ALL ON skypanel.isolated_roles, skypanel.isolated_tables, skypanel.caller, skypanel.seen_organizations
    FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_api;
GRANT SELECT ON skypanel.isolated_roles, skypanel.isolated_tables TO skypanel_controller, skypanel_reader;
GRANT SELECT ON skypanel.caller, skypanel.seen_organizations TO skypanel_panel, skypanel_controller, skypanel_reader;
DO $$
DECLARE
    relation text;
    hides    boolean;
BEGIN
    FOR relation, hides IN
        SELECT i.name, EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = i.name::regclass AND p.polname = 'skypanel_select' AND 'skypanel_api'::regrole = ANY (p.polroles))
          FROM skypanel.isolated_tables i
        UNION ALL
        SELECT 'skypanel.' || v, pg_get_viewdef(('skypanel.' || CASE v WHEN 'activity' THEN 'audit' ELSE v END)::regclass) LIKE '%skypanel.caller c%'
          FROM unnest(ARRAY['status', 'names', 'concerns', 'sizes', 'quotas', 'audit', 'activity']) AS v
        UNION ALL
        SELECT 'skypanel.' || v, true FROM unnest(ARRAY['schema_migrations', 'package_migrations', 'kinds', 'leader', 'caller', 'seen_organizations']) AS v LOOP
        EXECUTE format('REVOKE ALL ON %s FROM skypanel_api', relation);
        IF hides THEN
            CALL skypanel.grant_isolated(relation);
        END IF;
    END LOOP;
END
$$;

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
