-- Propagation: everything that an environment depends on raises the environment's generation, and so logs its change.
--
-- Locks are taken from parent to child (organization, app, environment), so that these triggers do not deadlock with
-- each other. A soft delete is passed on to the apps, environments and domains below that are not deleted themselves,
-- with the same deleted_at: it frees their names, and taking it back brings back exactly those.

CREATE OR REPLACE FUNCTION skypanel.touch_environment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments SET inputs_version = inputs_version + 1
     WHERE id IN (OLD.environment_id, NEW.environment_id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE PROCEDURE skypanel.declare_environment_input(p_table regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bare text := (SELECT relname FROM pg_class WHERE oid = p_table);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_touch', p_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_spec_touch', p_table);
END
$$;
COMMENT ON PROCEDURE skypanel.declare_environment_input IS
    'A changed row of this table (with environment_id and generation) changes what its environment should be.';
CALL skypanel.declare_environment_input('public.paas_processes');
CALL skypanel.declare_environment_input('public.paas_domains');
CALL skypanel.declare_environment_input('skypanel.config_vars');

CREATE OR REPLACE FUNCTION skypanel.touch_environments_of_plan() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments SET inputs_version = inputs_version + 1 WHERE plan_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER paas_plans_touch AFTER UPDATE ON public.paas_plans FOR EACH ROW
    WHEN ((OLD.cpu_limit, OLD.memory_mb, OLD.pids_limit) IS DISTINCT FROM (NEW.cpu_limit, NEW.memory_mb, NEW.pids_limit))
    EXECUTE FUNCTION skypanel.touch_environments_of_plan();

-- A plan that environments use cannot go; those that are being deleted, or were, do not use it any more.
CREATE OR REPLACE FUNCTION skypanel.leave_plan() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments SET plan_id = NULL WHERE plan_id = OLD.id AND deleted_at IS NOT NULL;
    RETURN OLD;
END
$$;
CREATE OR REPLACE TRIGGER paas_plans_leave BEFORE DELETE ON public.paas_plans FOR EACH ROW
    EXECUTE FUNCTION skypanel.leave_plan();

CREATE OR REPLACE FUNCTION skypanel.touch_environments_of_app() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments
       SET inputs_version = inputs_version + 1,
           deleted_at = CASE WHEN deleted_at IS NOT DISTINCT FROM OLD.deleted_at THEN NEW.deleted_at ELSE deleted_at END
     WHERE app_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER paas_apps_touch AFTER UPDATE ON public.paas_apps FOR EACH ROW
    WHEN ((OLD.organization_id, OLD.slug, OLD.suspended, OLD.deleted_at) IS DISTINCT FROM (NEW.organization_id, NEW.slug, NEW.suspended, NEW.deleted_at))
    EXECUTE FUNCTION skypanel.touch_environments_of_app();

CREATE OR REPLACE FUNCTION skypanel.touch_environments_of_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.deleted_at IS DISTINCT FROM NEW.deleted_at THEN
        UPDATE public.paas_apps SET deleted_at = NEW.deleted_at
         WHERE organization_id = NEW.organization_id AND deleted_at IS NOT DISTINCT FROM OLD.deleted_at;
    END IF;
    UPDATE public.paas_environments SET inputs_version = inputs_version + 1
     WHERE app_id IN (SELECT id FROM public.paas_apps WHERE organization_id = NEW.organization_id);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER paas_organizations_touch AFTER UPDATE ON public.paas_organizations FOR EACH ROW
    WHEN ((OLD.suspended, OLD.inputs_version, OLD.deleted_at) IS DISTINCT FROM (NEW.suspended, NEW.inputs_version, NEW.deleted_at))
    EXECUTE FUNCTION skypanel.touch_environments_of_organization();

CREATE OR REPLACE FUNCTION skypanel.touch_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_organizations SET inputs_version = inputs_version + 1 WHERE organization_id = NEW.id;
    RETURN NULL;
END
$$;
-- The only thing that is added to a table of the panel.
CREATE OR REPLACE TRIGGER skypanel_slug_changed AFTER UPDATE ON public.organizations FOR EACH ROW
    WHEN (OLD.slug IS DISTINCT FROM NEW.slug) EXECUTE FUNCTION skypanel.touch_organization();

CREATE OR REPLACE FUNCTION skypanel.pass_on_delete_to_domains() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_domains SET deleted_at = NEW.deleted_at
     WHERE environment_id = NEW.id AND deleted_at IS NOT DISTINCT FROM OLD.deleted_at;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER paas_environments_pass_on_delete AFTER UPDATE ON public.paas_environments FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at) EXECUTE FUNCTION skypanel.pass_on_delete_to_domains();

CREATE OR REPLACE FUNCTION skypanel.prepare_app() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- The first app of an organization makes it one that uses the platform.
BEGIN
    NEW.slug := coalesce(NEW.slug, skypanel.slug_of(NEW.name, NEW.id));
    INSERT INTO public.paas_organizations (organization_id) VALUES (NEW.organization_id) ON CONFLICT DO NOTHING;
    IF NEW.deleted_at IS NULL AND EXISTS (SELECT 1 FROM public.paas_organizations
                                           WHERE organization_id = NEW.organization_id AND deleted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'organization % is being removed from the platform', NEW.organization_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_apps_organization_not_deleted',
                  TABLE = 'paas_apps', SCHEMA = 'public',
                  HINT = 'Set paas_organizations.deleted_at to NULL to use it again.';
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER paas_apps_prepare BEFORE INSERT ON public.paas_apps
    FOR EACH ROW EXECUTE FUNCTION skypanel.prepare_app();

CREATE OR REPLACE FUNCTION skypanel.prepare_environment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Keeps swarm_name. A new row locks its parents, so that a rename in another transaction either is seen here or
-- sees the row. An existing row must not lock them: that rename, once it has the parent, waits for the row.
DECLARE
    app   public.paas_apps;
    joins boolean := TG_OP = 'INSERT' OR NEW.app_id IS DISTINCT FROM OLD.app_id;
BEGIN
    IF joins THEN
        PERFORM 1 FROM public.paas_organizations
          WHERE organization_id = (SELECT organization_id FROM public.paas_apps WHERE id = NEW.app_id) FOR SHARE;
        PERFORM 1 FROM public.paas_apps WHERE id = NEW.app_id FOR SHARE;
    END IF;
    SELECT * INTO app FROM public.paas_apps WHERE id = NEW.app_id;
    IF joins AND app.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL THEN
        RAISE EXCEPTION 'app % is being deleted', NEW.app_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_environments_app_not_deleted',
                  TABLE = 'paas_environments', SCHEMA = 'public',
                  HINT = 'Set paas_apps.deleted_at to NULL to use it again.';
    END IF;
    -- An app that does not exist is refused by the foreign key, after this.
    NEW.swarm_name := concat_ws('-', (SELECT skypanel.slug_of(slug, id) FROM public.organizations WHERE id = app.organization_id),
                                app.slug, NEW.name);
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER paas_environments_prepare
    BEFORE INSERT OR UPDATE OF app_id, name, swarm_name, inputs_version ON public.paas_environments
    FOR EACH ROW EXECUTE FUNCTION skypanel.prepare_environment();

REVOKE EXECUTE ON PROCEDURE skypanel.declare_environment_input FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION
    skypanel.touch_environment, skypanel.touch_environments_of_plan, skypanel.leave_plan, skypanel.touch_environments_of_app,
    skypanel.touch_environments_of_organization, skypanel.touch_organization, skypanel.pass_on_delete_to_domains,
    skypanel.prepare_app, skypanel.prepare_environment FROM PUBLIC;
