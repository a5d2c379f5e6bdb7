-- Guarded code: nothing that another role owns runs in our triggers, checks and functions, and no lock of ours is anybody's.
--
-- The panel's database belongs to the panel. What its owner can replace (a function, an operator, a policy, a table's
-- name) must not run with the rights of the schema's owner or of the controller, so:
--
--   names are bound when a function is made (SQL bodies), or looked up in pg_catalog alone (search_path)
--   our triggers call functions of this schema
--   the panel's tables are read through views, which hold them by identity and not by name, and never through a policy

-- Forms, as in 0001. A body in SQL is bound to its operators when it is made, under the search_path of `skypanel migrate`, and
-- can still be put into the statement that checks.

CREATE OR REPLACE FUNCTION skypanel.is_slug(p_text text, p_longest integer DEFAULT 63) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_text ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'
       AND length(p_text) <= p_longest;

CREATE OR REPLACE FUNCTION skypanel.slug_of(p_text text, p_fallback uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(trim(BOTH '-' FROM regexp_replace(lower(p_text), '[^a-z0-9]+', '-', 'g')), ''),
                left(p_fallback::text, 8));

CREATE OR REPLACE FUNCTION skypanel.is_hostname(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(p_text) <= 253
       AND p_text ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$';

CREATE OR REPLACE FUNCTION skypanel.is_argv(p_words text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(p_words) > 0
       AND array_ndims(p_words) = 1
       AND array_position(p_words, NULL::text) IS NULL;

CREATE OR REPLACE FUNCTION skypanel.are_absolute_paths(p_paths text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((SELECT bool_and(path IS NOT NULL AND path ~ '^(/[^/:,]+)+$'
                                            AND path !~ '(^|/)\.\.?(/|$)')
                   FROM unnest(p_paths) AS path), true);

CREATE OR REPLACE FUNCTION skypanel.is_healthcheck(p_check jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(p_check) IS DISTINCT FROM 'object' THEN false
    WHEN jsonb_typeof(p_check -> 'command'::text) IS DISTINCT FROM 'array' THEN false
    WHEN jsonb_array_length(p_check -> 'command'::text) = 0 THEN false
    ELSE NOT jsonb_path_exists(p_check, 'strict $.command[*] ? (@.type() != "string")')
END;

-- What a declared table gets. Its columns are of four sorts: `status` is written by the controller and never raises
-- `generation`; `derived` is computed by triggers; `secret` is spec that the panel writes and the controller alone reads;
-- every other column is spec. `inputs_version`, where there is one, is derived, and raises `generation`.

CREATE TABLE IF NOT EXISTS skypanel.declared_tables (
    name    text   PRIMARY KEY,
    kind    text,
    key     text   NOT NULL,
    status  text[] NOT NULL,
    derived text[] NOT NULL,
    secret  text[] NOT NULL
);
COMMENT ON TABLE skypanel.declared_tables IS
    'The tables that hold what is asked for, with the sorts of their columns. Written by skypanel.declare_table; privileges are given by it.';

CREATE OR REPLACE FUNCTION skypanel.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.touch_updated_at IS 'Keeps updated_at. The panel has one of its own, which may run on its own tables only.';

CREATE OR REPLACE PROCEDURE skypanel.grant_declared_table(p_table text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- The panel writes spec and only spec, never the key of a row that is there; the controller writes status and only
-- status; nobody but the controller reads a secret.
DECLARE
    declared   skypanel.declared_tables := (SELECT t FROM skypanel.declared_tables t WHERE name = p_table);
    relation   regclass := p_table::regclass;
    columns    text[] := (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
                           WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped);
    insertable text;
    updatable  text;
    reading    text := 'SELECT';
BEGIN
    SELECT string_agg(quote_ident(name), ', '), string_agg(quote_ident(name), ', ') FILTER (WHERE name NOT IN (declared.key, 'created_at'))
      INTO insertable, updatable FROM unnest(columns) AS name
     WHERE name <> ALL (declared.status || declared.derived || '{generation,inputs_version}'::text[]);
    IF cardinality(declared.secret) > 0 THEN
        SELECT format('SELECT (%s)', string_agg(quote_ident(name), ', ')) INTO reading FROM unnest(columns) AS name WHERE name <> ALL (declared.secret);
    END IF;
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader', relation);
    EXECUTE format('GRANT DELETE, %s, INSERT (%s), UPDATE (%s) ON %s TO skypanel_panel', reading, insertable, updatable, relation);
    EXECUTE format('GRANT SELECT ON %s TO skypanel_controller', relation);
    EXECUTE format('GRANT %s ON %s TO skypanel_reader', reading, relation);
    IF cardinality(declared.status) > 0 THEN
        EXECUTE format('GRANT UPDATE (%s) ON %s TO skypanel_controller',
                       (SELECT string_agg(quote_ident(name), ', ') FROM unnest(declared.status) AS name), relation);
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.grant_declared_table IS 'Gives the three groups their rights on a declared table; all others are taken from them.';

CREATE OR REPLACE PROCEDURE skypanel.declare_table(
    p_table text, kind text DEFAULT NULL, key text DEFAULT 'id',
    status text[] DEFAULT '{}', derived text[] DEFAULT '{}', secret text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := CASE WHEN p_table LIKE '%.%' THEN p_table ELSE 'public.' || p_table END;
    relation  regclass := qualified::regclass;
    bare      text := (SELECT relname FROM pg_class WHERE oid = relation);
    kept      text[] := '{generation,created_at,updated_at}'; -- kept by triggers and defaults
    columns   text[] := (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
                          WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped);
    stray     text;
BEGIN
    SELECT name INTO stray FROM unnest(status || derived || secret || kept || key) AS name WHERE name <> ALL (columns);
    IF FOUND THEN
        RAISE EXCEPTION 'declare_table: % has no column %', relation, stray;
    END IF;
    INSERT INTO skypanel.declared_tables VALUES (qualified, kind, key, status, derived, secret)
    ON CONFLICT ON CONSTRAINT declared_tables_pkey DO UPDATE
       SET kind = excluded.kind, key = excluded.key, status = excluded.status, derived = excluded.derived, secret = excluded.secret;

    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at()',
                   'update_' || bare || '_updated_at', relation);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.raise_generation(%s)',
                   bare || '_generation', relation,
                   (SELECT string_agg(quote_literal(name), ', ') FROM unnest(status || derived || kept) AS name));
    IF kind IS NOT NULL THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.log_change(%L, %L)',
                       bare || '_logged', relation, kind, key);
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.log_change(%L, %L)',
                       bare || '_spec_logged', relation, kind, key);
    END IF;
    CALL skypanel.grant_declared_table(qualified);
END
$$;
COMMENT ON PROCEDURE skypanel.declare_table IS
    'Gives a table (in public unless the name says otherwise) its triggers and privileges. kind: log its changes under this name. Can be called again.';

CALL skypanel.declare_table('paas_plans', kind => 'plan');
CALL skypanel.declare_table('paas_stacks');
CALL skypanel.declare_table('paas_buildpacks');
CALL skypanel.declare_table('paas_stack_buildpacks');
CALL skypanel.declare_table('paas_addon_plans');
CALL skypanel.declare_table('paas_templates');
CALL skypanel.declare_table('paas_nodes', status => '{status,engine_node_id,capacity,tls_meta,last_seen_at}');
CALL skypanel.declare_table('paas_organizations', kind => 'organization', key => 'organization_id');
CALL skypanel.declare_table('paas_apps', kind => 'app');
CALL skypanel.declare_table('paas_environments', kind => 'environment', derived => '{swarm_name}');
CALL skypanel.declare_table('paas_processes', kind => 'process');
CALL skypanel.declare_table('paas_domains', kind => 'domain', status => '{dns_verify_status,tls_status}');
CALL skypanel.declare_table('paas_volumes', status => '{status}');
CALL skypanel.declare_table('paas_addons', status => '{status}');
CALL skypanel.declare_table('paas_webhooks', secret => '{secret}');
CALL skypanel.declare_table('paas_deployments', status => '{status,logs_ref,started_at,completed_at}');
CALL skypanel.declare_table('paas_runs', status => '{status,logs_ref,started_at,finished_at}');
CALL skypanel.declare_table('caas_image_policies');
CALL skypanel.declare_table('caas_registry_credentials', secret => '{secret_ref}');
CALL skypanel.declare_table('caas_network_policies');
CALL skypanel.declare_table('caas_volume_snapshots', status => '{snapshot_id,storage_url,size_bytes,status}');
CALL skypanel.declare_table('skypanel.config_vars', derived => '{version}', secret => '{ciphertext}');
CALL skypanel.declare_table('skypanel.gitops_sources', secret => '{credentials_secret_ref}');

CREATE OR REPLACE TRIGGER update_inventory_updated_at BEFORE UPDATE ON skypanel.inventory
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at();
CREATE OR REPLACE TRIGGER update_object_status_updated_at BEFORE UPDATE ON skypanel.object_status
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at();

-- Propagation, as in 0009. A version that has come to its end begins again: it only has to change.

CREATE OR REPLACE FUNCTION skypanel.touch_environment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments SET inputs_version = inputs_version % 9223372036854775807 + 1
     WHERE id IN (OLD.environment_id, NEW.environment_id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_environments_of_plan() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments SET inputs_version = inputs_version % 9223372036854775807 + 1 WHERE plan_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_environments_of_app() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_environments
       SET inputs_version = inputs_version % 9223372036854775807 + 1,
           deleted_at = CASE WHEN deleted_at IS NOT DISTINCT FROM OLD.deleted_at THEN NEW.deleted_at ELSE deleted_at END
     WHERE app_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_environments_of_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.deleted_at IS DISTINCT FROM NEW.deleted_at THEN
        UPDATE public.paas_apps SET deleted_at = NEW.deleted_at
         WHERE organization_id = NEW.organization_id AND deleted_at IS NOT DISTINCT FROM OLD.deleted_at;
    END IF;
    UPDATE public.paas_environments SET inputs_version = inputs_version % 9223372036854775807 + 1
     WHERE app_id IN (SELECT id FROM public.paas_apps WHERE organization_id = NEW.organization_id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- On the panel's table: a column of another type, with a cast of its own, must not be compared here.
BEGIN
    IF pg_typeof(NEW.id) <> 'pg_catalog.uuid'::regtype THEN
        RAISE EXCEPTION 'organizations.id is no uuid any more' USING ERRCODE = 'datatype_mismatch';
    END IF;
    UPDATE public.paas_organizations SET inputs_version = inputs_version % 9223372036854775807 + 1 WHERE organization_id = NEW.id;
    RETURN NULL;
END
$$;

-- A child's row and its environment are locked by both sides: a change of the child raises the environment's generation,
-- a soft delete of the environment is passed on to its domains. The child's trigger takes the environment as soon as it
-- has the row, whatever changes, so that no statement of another transaction comes between the two.

CREATE OR REPLACE FUNCTION skypanel.lock_environment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM 1 FROM public.paas_environments WHERE id IN (OLD.environment_id, NEW.environment_id) ORDER BY id FOR NO KEY UPDATE;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE PROCEDURE skypanel.declare_environment_input(p_table regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bare text := (SELECT relname FROM pg_class WHERE oid = p_table);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.lock_environment()',
                   bare || '_first_lock', p_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_touch', p_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_spec_touch', p_table);
END
$$;
CALL skypanel.declare_environment_input('public.paas_processes');
CALL skypanel.declare_environment_input('public.paas_domains');
CALL skypanel.declare_environment_input('skypanel.config_vars');

CREATE OR REPLACE VIEW skypanel.organization_slugs AS
    SELECT id, skypanel.slug_of(slug, id) AS slug FROM public.organizations;
COMMENT ON VIEW skypanel.organization_slugs IS 'The slug form of each organization, for triggers: a view holds the table itself, not its name.';

CREATE OR REPLACE FUNCTION skypanel.prepare_environment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
-- Keeps swarm_name. A new row locks its parents, so that a rename in another transaction either is seen here or
-- sees the row. An existing row must not lock them: that rename, once it has the parent, waits for the row.
-- A policy on the panel's table is not applied but refused: it is code of somebody else.
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
    NEW.swarm_name := concat_ws('-', (SELECT slug FROM skypanel.organization_slugs WHERE id = app.organization_id), app.slug, NEW.name);
    RETURN NEW;
END
$$;

-- The address plan is kept by a lock on its table, which nobody takes who may not write it.

CREATE OR REPLACE FUNCTION skypanel.allocate_subnet(
    p_organization uuid, p_pool cidr, p_prefix integer, p_excluded cidr[], p_quarantine interval) RETURNS cidr
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen cidr;
BEGIN
    IF family(p_pool) <> 4 OR p_prefix NOT BETWEEN masklen(p_pool) AND 30 THEN
        RAISE EXCEPTION 'a /% network does not fit into the pool %', p_prefix, p_pool
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The pool is an IPv4 network at least as large as one organization''s, which is at most /30.';
    END IF;
    LOCK TABLE skypanel.subnets IN SHARE ROW EXCLUSIVE MODE;

    SELECT subnet INTO chosen FROM skypanel.subnets WHERE organization_id = p_organization;
    IF FOUND THEN
        IF NOT EXISTS (SELECT FROM unnest(coalesce(p_excluded, '{}')) AS excluded WHERE excluded && chosen) THEN
            RETURN chosen;
        END IF;
        UPDATE skypanel.subnets
           SET state = 'quarantined', organization_id = NULL, released_at = clock_timestamp(), reason = 'another network uses it'
         WHERE organization_id = p_organization;
    END IF;

    chosen := skypanel.lowest_free_subnet(p_pool, p_prefix, coalesce(p_excluded, '{}') || coalesce((
        SELECT array_agg(subnet) FROM skypanel.subnets
         WHERE subnet && p_pool AND NOT (state = 'quarantined' AND released_at <= clock_timestamp() - p_quarantine)), '{}'));
    IF chosen IS NULL THEN
        RETURN NULL;
    END IF;
    DELETE FROM skypanel.subnets WHERE subnet && chosen; -- only ones whose quarantine is over can overlap it
    INSERT INTO skypanel.subnets (subnet, organization_id, state) VALUES (chosen, p_organization, 'allocated');
    RETURN chosen;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.pause_of(p_kind text, p_id uuid, p_organization uuid)
RETURNS TABLE (scope text, reason text, paused_by text, paused_at timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    -- No search_path, as its names are bound: the planner can then put this into the query that asks.
    SELECT c.scope, c.paused_reason, c.paused_by, c.paused_at
      FROM skypanel.reconcile_controls c
     WHERE c.paused
       AND (c.scope = 'installation'
            OR (c.scope = 'organization' AND c.id = p_organization)
            OR (c.scope = 'object' AND c.kind = p_kind AND c.id = p_id))
     ORDER BY c.scope <> 'installation', c.scope <> 'organization'
     LIMIT 1;
END;

REVOKE EXECUTE ON PROCEDURE skypanel.grant_declared_table FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION skypanel.lock_environment FROM PUBLIC;
