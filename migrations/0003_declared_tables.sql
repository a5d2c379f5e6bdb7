-- What makes a table "declared": updated_at, generation, change log and privileges, given by one CALL a table.
--
--   CALL skypanel.declare_table('paas_domains', kind => 'domain', status => '{dns_verify_status,tls_status}');
--
-- Columns are of three sorts. `status` columns are written by the controller and never raise `generation`.
-- `derived` columns are computed by triggers. Every other column is spec: a changed value raises `generation` by one.

CREATE TABLE IF NOT EXISTS skypanel.change_log (
    seq             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text        NOT NULL,
    id              uuid        NOT NULL,
    organization_id uuid,
    op              "char"      NOT NULL CONSTRAINT change_log_op_known CHECK (op IN ('U', 'D')),
    logged_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE skypanel.change_log IS
    'What changed and has not been looked at yet. The controller takes rows out with DELETE ... RETURNING: it keeps no position, so a transaction that commits late is not passed over.';
COMMENT ON COLUMN skypanel.change_log.seq IS 'Order of writing, which is not the order of commits.';
COMMENT ON COLUMN skypanel.change_log.organization_id IS 'NULL where a cascade had already removed the way to it.';
COMMENT ON COLUMN skypanel.change_log.op IS 'U: insert or changed spec (also a request to delete). D: the row is gone.';

CREATE OR REPLACE FUNCTION skypanel.notify_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- No payload: equal notifications of one transaction become one, and the log says what changed.
    NOTIFY skypanel_changes;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER change_log_notify AFTER INSERT ON skypanel.change_log
    FOR EACH STATEMENT EXECUTE FUNCTION skypanel.notify_changes();

CREATE OR REPLACE FUNCTION skypanel.raise_generation() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: the columns that are not spec.
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.generation := 1;
    ELSIF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
        NEW.generation := OLD.generation + 1;
    ELSE
        NEW.generation := OLD.generation;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.raise_generation IS
    'Keeps generation: 1 for a new row, one more for a changed spec, whatever the writer says.';

CREATE OR REPLACE FUNCTION skypanel.organization_of(p_row jsonb) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_row ? 'organization_id' THEN
        RETURN p_row ->> 'organization_id';
    ELSIF p_row ? 'app_id' THEN
        RETURN (SELECT organization_id FROM public.paas_apps WHERE id = (p_row ->> 'app_id')::uuid);
    ELSIF p_row ? 'environment_id' THEN
        RETURN (SELECT a.organization_id FROM public.paas_environments e JOIN public.paas_apps a ON a.id = e.app_id
                 WHERE e.id = (p_row ->> 'environment_id')::uuid);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.organization_of IS 'The organization of any declared row, by the parent column it has.';

CREATE OR REPLACE FUNCTION skypanel.log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: kind, key column.
DECLARE
    changed jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
BEGIN
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    VALUES (TG_ARGV[0], (changed ->> TG_ARGV[1])::uuid, skypanel.organization_of(changed),
            CASE WHEN TG_OP = 'DELETE' THEN 'D' ELSE 'U' END);
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION skypanel.notify_changes, skypanel.log_change, skypanel.organization_of FROM PUBLIC;

CREATE OR REPLACE PROCEDURE skypanel.declare_table(
    p_table text, kind text DEFAULT NULL, key text DEFAULT 'id',
    status text[] DEFAULT '{}', derived text[] DEFAULT '{}', secret text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := format('public.%I', p_table)::regclass;
    kept     text[] := '{generation,created_at,updated_at}'; -- kept by triggers and defaults
    columns  text[] := (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
                         WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped);
    writable text;
    readable text;
    stray    text;
BEGIN
    SELECT name INTO stray FROM unnest(status || derived || secret || kept || key) AS name WHERE name <> ALL (columns);
    IF FOUND THEN
        RAISE EXCEPTION 'declare_table: % has no column %', relation, stray;
    END IF;

    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column()',
                   'update_' || p_table || '_updated_at', relation);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.raise_generation(%s)',
                   p_table || '_generation', relation,
                   (SELECT string_agg(quote_literal(name), ', ') FROM unnest(status || derived || kept) AS name));
    IF kind IS NOT NULL THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.log_change(%L, %L)',
                       p_table || '_logged', relation, kind, key);
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.log_change(%L, %L)',
                       p_table || '_spec_logged', relation, kind, key);
    END IF;

    -- The panel writes spec and only spec; the controller writes status and only status; the reader sees no secret.
    SELECT string_agg(quote_ident(name), ', ') INTO writable FROM unnest(columns) AS name
     WHERE name <> ALL (status || derived || '{generation}'::text[]);
    SELECT string_agg(quote_ident(name), ', ') INTO readable FROM unnest(columns) AS name WHERE name <> ALL (secret);
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader', relation);
    EXECUTE format('GRANT SELECT, DELETE, INSERT (%s), UPDATE (%1$s) ON %s TO skypanel_panel', writable, relation);
    EXECUTE format('GRANT SELECT ON %s TO skypanel_controller', relation);
    EXECUTE format('GRANT SELECT (%s) ON %s TO skypanel_reader', readable, relation);
    IF cardinality(status) > 0 THEN
        EXECUTE format('GRANT UPDATE (%s) ON %s TO skypanel_controller',
                       (SELECT string_agg(quote_ident(name), ', ') FROM unnest(status) AS name), relation);
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.declare_table IS
    'Gives a table in public its triggers and privileges. kind: log its changes under this name. Can be called again.';
REVOKE EXECUTE ON PROCEDURE skypanel.declare_table FROM PUBLIC;
