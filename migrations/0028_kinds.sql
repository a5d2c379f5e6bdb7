-- Kinds: one row a kind, written by one CALL; the views that tell objects, parts, names and dependents follow from them.
--
--   CALL skypanel.declare_kind('thing', 'paas_things', parent => 'organization', parent_column => 'organization_id',
--                              reconciled => true, wakes_on => '{organization}', status => '{status}');
--
-- A kind with a reconciler brings the view skypanel.snapshot_<kind> (id, organization_id, generation, deleted, doc), made before the
-- call. One whose services serve people brings skypanel.serving_<kind> (id, runs, name) as well: its processes that shall run, and
-- (where runs is false) the host names that shall lead to one. The views here name nothing else of a kind.

CREATE TABLE IF NOT EXISTS skypanel.kinds (
    kind          text    PRIMARY KEY CONSTRAINT kinds_kind_form CHECK (kind ~ '^[a-z][a-z0-9]{0,62}$'),
    table_name    text    NOT NULL CONSTRAINT kinds_table_name_unique UNIQUE,
    key           text    NOT NULL,
    name_table    text    NOT NULL,
    name_key      text    NOT NULL,
    name_column   text    NOT NULL,
    parent        text    CONSTRAINT kinds_parent_fkey REFERENCES skypanel.kinds (kind),
    parent_column text,
    reconciled    boolean NOT NULL,
    part          boolean NOT NULL,
    wakes_on      text[]  NOT NULL,
    refers        jsonb   NOT NULL,
    depth         integer NOT NULL,
    CONSTRAINT kinds_parent_column_given CHECK ((parent IS NULL) = (parent_column IS NULL)),
    CONSTRAINT kinds_root_has_the_name CHECK (parent IS NULL OR name_table = table_name),
    CONSTRAINT kinds_part_of_its_parent CHECK (NOT part OR (parent IS NOT NULL AND NOT reconciled))
);
CREATE INDEX IF NOT EXISTS kinds_parent ON skypanel.kinds (parent);
COMMENT ON TABLE skypanel.kinds IS 'The kinds that can be declared. Written by skypanel.declare_kind only; the views of objects follow from it.';
COMMENT ON COLUMN skypanel.kinds.key IS 'The column of its table with the id.';
COMMENT ON COLUMN skypanel.kinds.name_table IS 'Where its name is: its own table, or one of another system.';
COMMENT ON COLUMN skypanel.kinds.parent_column IS 'The column of its table with the id of its owner.';
COMMENT ON COLUMN skypanel.kinds.reconciled IS 'It has a reconciler, and so a view skypanel.snapshot_<kind>.';
COMMENT ON COLUMN skypanel.kinds.part IS 'Its owner''s reconciler speaks of it.';
COMMENT ON COLUMN skypanel.kinds.wakes_on IS 'Owners, or kinds that it refers to: when one changes, its objects are looked at again.';
COMMENT ON COLUMN skypanel.kinds.refers IS 'Kind to column: rows of other kinds that it uses without being owned by them.';
COMMENT ON COLUMN skypanel.kinds.depth IS 'How many owners its objects have: lower ones come first.';

CREATE OR REPLACE FUNCTION skypanel.has_column(p_table text, p_column text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = p_table::regclass AND attname = p_column AND NOT attisdropped)
$$;

CREATE OR REPLACE FUNCTION skypanel.line_of(p_kind text) RETURNS TABLE (step integer, kind text, table_name text, key text,
    name_table text, name_key text, name_column text, parent_column text, below_column text, reconciled boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE line AS (
        SELECT 0 AS step, k AS up, NULL::text AS below_column FROM skypanel.kinds k WHERE k.kind = p_kind
        UNION ALL
        SELECT step + 1, k, (up).parent_column FROM line JOIN skypanel.kinds k ON k.kind = (line.up).parent
    )
    SELECT step, (up).kind, (up).table_name, (up).key, (up).name_table, (up).name_key, (up).name_column, (up).parent_column,
           below_column, (up).reconciled
      FROM line ORDER BY step
$$;
COMMENT ON FUNCTION skypanel.line_of IS 'A kind and its owners'' kinds, the kind first; below_column: of the step before, with the id of this one.';

CREATE TABLE IF NOT EXISTS skypanel.kind_views (
    name       text PRIMARY KEY,
    definition text NOT NULL
);
COMMENT ON TABLE skypanel.kind_views IS 'What the views that follow from skypanel.kinds were last made of: one that would be the same is not made again.';
DELETE FROM skypanel.kind_views; -- run again by hand after the files before this one: they are as those left them

CREATE OR REPLACE FUNCTION skypanel.kind_view_definitions() RETURNS TABLE (name text, definition text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
-- Rows of a kind are c0, those of its owners c1, c2 ..., joined by their ids.
DECLARE
    k          skypanel.kinds;
    up         record;
    sources    text;   -- FROM, up to the outermost owner
    below      text;   -- FROM, up to the owner before
    named      text;   -- FROM of names, which owners may have in another table
    path       text;
    tenant     text;
    deleted    text;
    own        text;   -- whether it is marked itself
    nearest    boolean;
    referred   record;
    objects    text[] := '{}';
    present    text[] := '{}';
    parts      text[] := '{}';
    names      text[] := '{}';
    dependents text[] := '{}';
    concerns   text[] := '{}';
    served     text[] := '{}';
BEGIN
    FOR k IN SELECT * FROM skypanel.kinds ORDER BY kinds.depth, kinds.kind LOOP
        own := CASE WHEN skypanel.has_column(k.table_name, 'deleted_at') THEN 'c0.deleted_at IS NOT NULL' ELSE 'false' END;
        tenant := NULL;
        deleted := NULL;
        nearest := NOT (k.reconciled OR k.part);
        FOR up IN SELECT * FROM skypanel.line_of(k.kind) LOOP
            IF up.step = 0 THEN
                sources := format('%s c0', up.table_name);
                named := CASE WHEN up.name_table = up.table_name THEN sources
                              ELSE format('%s n0 LEFT JOIN %s ON c0.%I = n0.%I', up.name_table, sources, up.key, up.name_key) END;
                path := format('%s.%I', CASE WHEN up.name_table = up.table_name THEN 'c0' ELSE 'n0' END, up.name_column);
            ELSE
                below := sources;
                sources := format('%s JOIN %s c%s ON c%3$s.%I = c%s.%I', sources, up.table_name, up.step, up.key, up.step - 1, up.below_column);
                named := format('%s JOIN %s c%s ON c%3$s.%I = c%s.%I', named, up.name_table, up.step,
                                CASE WHEN up.name_table = up.table_name THEN up.key ELSE up.name_key END, up.step - 1, up.below_column);
                path := format('c%s.%I, %s', up.step, up.name_column, path);
                IF k.reconciled THEN
                    concerns := concerns || format('SELECT %L::text AS kind, c%s.%I AS id, %L::text AS object_kind, c0.%I AS object_id, false AS always, %s AS deleted FROM %s',
                                                   up.kind, up.step - 1, up.below_column, k.kind, k.key, own, below);
                    IF up.kind = ANY (k.wakes_on) THEN
                        dependents := dependents || format('SELECT %L::text AS kind, c%s.%I AS id, %L::text AS dependent_kind, c0.%I AS dependent_id FROM %s',
                                                           up.kind, up.step - 1, up.below_column, k.kind, k.key, below);
                    END IF;
                ELSIF nearest AND up.reconciled THEN -- it is an input of the owner alone
                    concerns := concerns || format('SELECT %L::text AS kind, c0.%I AS id, %L::text AS object_kind, c%s.%I AS object_id, false AS always, false AS deleted FROM %s WHERE NOT (%s)',
                                                   k.kind, k.key, up.kind, up.step - 1, up.below_column, below, own);
                    nearest := false;
                END IF;
            END IF;
            IF tenant IS NULL AND skypanel.has_column(up.table_name, 'organization_id') THEN
                tenant := CASE WHEN up.step > 0 AND up.key = 'organization_id' THEN format('c%s.%I', up.step - 1, up.below_column)
                               ELSE format('c%s.organization_id', up.step) END;
            END IF;
            IF skypanel.has_column(up.table_name, 'deleted_at') THEN
                deleted := concat_ws(' OR ', deleted, format('c%s.deleted_at IS NOT NULL', up.step));
            END IF;
        END LOOP;
        tenant := coalesce(tenant, 'NULL::uuid');
        deleted := coalesce(deleted, 'false');

        IF k.name_table = k.table_name THEN
            names := names || format('SELECT %L::text AS kind, c0.%I AS id, concat_ws(''/'', %s) AS path, %s AS organization_id, c0.generation, %s AS deleted FROM %s',
                                     k.kind, k.key, path, tenant, own, named);
        ELSE
            names := names || format('SELECT %L::text AS kind, n0.%I AS id, concat_ws(''/'', %s) AS path, %s AS organization_id, c0.generation, %s AS deleted FROM %s',
                                     k.kind, k.name_key, path,
                                     CASE k.key WHEN 'organization_id' THEN format('n0.%I', k.name_key) ELSE tenant END, own, named);
        END IF;
        IF k.reconciled THEN
            objects := objects || format('SELECT %L::text AS kind, c0.%I AS id, %s AS organization_id, c0.generation, %s AS deleted FROM %s',
                                         k.kind, k.key, tenant, deleted, sources);
            present := present || (objects[cardinality(objects)]
                                   || CASE WHEN skypanel.has_column(k.table_name, 'removed_at') THEN ' WHERE c0.deleted_at IS NULL OR c0.removed_at IS NULL' ELSE '' END);
            IF to_regclass('skypanel.serving_' || k.kind) IS NOT NULL THEN
                served := served || format('SELECT %L::text AS kind, s.id, s.runs, s.name FROM skypanel.%I s', k.kind, 'serving_' || k.kind);
            END IF;
        ELSIF k.part THEN
            parts := parts || format('SELECT %L::text AS kind, c0.%I AS id, %L::text AS parent_kind, c0.%I AS parent_id, %s AS organization_id, c0.generation, %s AS deleted FROM %s',
                                     k.kind, k.key, k.parent, k.parent_column, tenant, deleted, sources);
            concerns := concerns || format('SELECT %L::text AS kind, c0.%I AS id, %L::text AS object_kind, c0.%I AS object_id, true AS always, false AS deleted FROM %s c0',
                                           k.kind, k.key, k.parent, k.parent_column, k.table_name);
        END IF;
        FOR referred IN SELECT r.key AS kind, r.value AS col FROM jsonb_each_text(k.refers) r WHERE k.reconciled ORDER BY 1 LOOP
            concerns := concerns || format('SELECT %L::text AS kind, c0.%I AS id, %L::text AS object_kind, c0.%I AS object_id, false AS always, false AS deleted FROM %s c0 WHERE NOT (%s)',
                                           referred.kind, referred.col, k.kind, k.key, k.table_name, own);
            IF referred.kind = ANY (k.wakes_on) THEN
                dependents := dependents || format('SELECT %L::text AS kind, c0.%I AS id, %L::text AS dependent_kind, c0.%I AS dependent_id FROM %s c0 WHERE c0.%2$I IS NOT NULL',
                                                   referred.kind, referred.col, k.kind, k.key, k.table_name);
            END IF;
        END LOOP;
    END LOOP;
    -- Statements that read two of them read objects last, mostly: so it is taken last. What has no kind yet keeps its form.
    RETURN QUERY SELECT v.name, array_to_string(v.selects, ' UNION ALL ')
                   FROM (VALUES (1, 'names', names), (2, 'concerns', concerns), (3, 'served', served), (4, 'dependents', dependents),
                                (5, 'parts', parts), (6, 'present', present), (7, 'objects', objects)) AS v(place, name, selects)
                  WHERE cardinality(v.selects) > 0 ORDER BY v.place;
END
$$;
COMMENT ON FUNCTION skypanel.kind_view_definitions IS 'The views objects, present, parts, names, dependents, concerns and served, as skypanel.kinds is now.';

CREATE OR REPLACE PROCEDURE skypanel.make_kind_views()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed record;
BEGIN
    FOR changed IN SELECT d.name, d.definition FROM skypanel.kind_view_definitions() WITH ORDINALITY AS d(name, definition, place)
                    WHERE NOT EXISTS (SELECT FROM skypanel.kind_views v WHERE (v.name, v.definition) = (d.name, d.definition))
                    ORDER BY d.place LOOP
        EXECUTE format('CREATE OR REPLACE VIEW skypanel.%I AS %s', changed.name, changed.definition);
        INSERT INTO skypanel.kind_views VALUES (changed.name, changed.definition)
        ON CONFLICT ON CONSTRAINT kind_views_pkey DO UPDATE SET definition = excluded.definition;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE skypanel.make_kind_views IS 'Makes those of the views anew that would be others.';

CREATE OR REPLACE FUNCTION skypanel.remake_kind_views() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- Once, at the end of a transaction. A statement that reads two of the views may hold one of them and wait for the other: whoever
-- replaces them gives up soon, lets go of all, and begins again. So nobody waits for each other, and everybody goes on meanwhile.
DECLARE
    wanted   text := (SELECT md5(string_agg(k::text, ';' ORDER BY k.kind)) FROM skypanel.kinds k);
    patience text := current_setting('lock_timeout');
BEGIN
    IF current_setting('skypanel.kinds_made', true) IS NOT DISTINCT FROM wanted THEN
        RETURN NULL; -- by the row before
    END IF;
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR attempt IN 1 .. 100 LOOP
        BEGIN
            CALL skypanel.make_kind_views();
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF attempt = 100 THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(0.02 + 0.08 * random());
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true), set_config('skypanel.kinds_made', wanted, true);
    RETURN NULL;
END
$$;
DROP TRIGGER IF EXISTS kinds_make_views ON skypanel.kinds;
CREATE CONSTRAINT TRIGGER kinds_make_views AFTER INSERT OR UPDATE ON skypanel.kinds DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION skypanel.remake_kind_views();

-- An owner that is made of parts: a changed part raises the owner's generation through its inputs_version. Where a part's trigger
-- takes the owner as soon as it has the row, no statement of another transaction comes between the two.

CREATE OR REPLACE FUNCTION skypanel.lock_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: the owners' table, its key, the column here with the owner's id.
BEGIN
    EXECUTE format('SELECT FROM %s WHERE %I IN ($1, $2) ORDER BY %2$I FOR NO KEY UPDATE', TG_ARGV[0], TG_ARGV[1])
      USING (to_jsonb(OLD) ->> TG_ARGV[2])::uuid, (to_jsonb(NEW) ->> TG_ARGV[2])::uuid;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.touch_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments as of lock_owner.
BEGIN
    EXECUTE format('UPDATE %s SET inputs_version = inputs_version %% 9223372036854775807 + 1 WHERE %I IN ($1, $2)', TG_ARGV[0], TG_ARGV[1])
      USING (to_jsonb(OLD) ->> TG_ARGV[2])::uuid, (to_jsonb(NEW) ->> TG_ARGV[2])::uuid;
    RETURN NULL;
END
$$;

CREATE OR REPLACE PROCEDURE skypanel.declare_input(p_table text, p_owners text, p_owners_key text, p_column text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := p_table::regclass;
    bare     text := (SELECT relname FROM pg_class WHERE oid = relation);
    given    text := format('(%L, %L, %L)', p_owners, p_owners_key, p_column);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.lock_owner%s',
                   bare || '_first_lock', relation, given);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.touch_owner%s',
                   bare || '_touch', relation, given);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_owner%s',
                   bare || '_spec_touch', relation, given);
END
$$;
COMMENT ON PROCEDURE skypanel.declare_input IS 'A changed row of this table changes what its owner should be, which has a column inputs_version.';

-- The organization of a row whose own table does not say it, through its owners. What declares a kind is read; no kind is known.

CREATE OR REPLACE FUNCTION skypanel.tenant_of(p_kind text, p_row jsonb) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind   skypanel.kinds := (SELECT k FROM skypanel.kinds k WHERE k.kind = p_kind);
    owner  skypanel.kinds;
    owners jsonb;
BEGIN
    IF p_row ? 'organization_id' OR kind.parent IS NULL THEN
        RETURN p_row ->> 'organization_id';
    END IF;
    owner := (SELECT k FROM skypanel.kinds k WHERE k.kind = kind.parent);
    EXECUTE format('SELECT to_jsonb(t) FROM %s t WHERE t.%I = $1', owner.table_name, owner.key)
       INTO owners USING (p_row ->> kind.parent_column)::uuid;
    RETURN skypanel.tenant_of(owner.kind, owners);
END
$$;
COMMENT ON FUNCTION skypanel.tenant_of IS 'The organization of a row of a kind, through its owners; NULL where a cascade has removed the way to it.';

CREATE OR REPLACE FUNCTION skypanel.log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: kind, key column. Only what has a reconciler leaves something behind that a tombstone could speak of.
DECLARE
    changed jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    object  uuid  := (changed ->> TG_ARGV[1])::uuid;
    tenant  uuid  := coalesce(skypanel.organization_of(changed), skypanel.tenant_of(TG_ARGV[0], changed));
BEGIN
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    VALUES (TG_ARGV[0], object, tenant, CASE WHEN TG_OP = 'DELETE' THEN 'D' ELSE 'U' END);
    IF TG_OP = 'UPDATE' OR to_regclass('skypanel.snapshot_' || TG_ARGV[0]) IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO skypanel.tombstones (kind, id, organization_id) VALUES (TG_ARGV[0], object, tenant)
        ON CONFLICT (kind, id) DO UPDATE SET deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by;
    ELSE
        DELETE FROM skypanel.tombstones t WHERE t.kind = TG_ARGV[0] AND t.id = object;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE PROCEDURE skypanel.declare_kind(
    p_kind text, p_table text, key text DEFAULT 'id', name text DEFAULT 'name', name_table text DEFAULT NULL, name_key text DEFAULT 'id',
    parent text DEFAULT NULL, parent_column text DEFAULT NULL, reconciled boolean DEFAULT false, part boolean DEFAULT false,
    wakes_on text[] DEFAULT '{}', refers jsonb DEFAULT '{}',
    status text[] DEFAULT '{}', derived text[] DEFAULT '{}', secret text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := CASE WHEN p_table LIKE '%.%' THEN p_table ELSE 'public.' || p_table END;
    naming    text := CASE WHEN declare_kind.name_table IS NULL THEN qualified ELSE 'public.' || declare_kind.name_table END;
    owner     skypanel.kinds := (SELECT k FROM skypanel.kinds k WHERE k.kind = declare_kind.parent);
    unknown   text;
BEGIN
    IF declare_kind.parent IS NOT NULL AND owner IS NULL THEN
        RAISE EXCEPTION 'declare_kind: % belongs to %, which is no kind', p_kind, declare_kind.parent USING HINT = 'Declare the owner''s kind first.';
    END IF;
    IF declare_kind.reconciled AND to_regclass('skypanel.snapshot_' || p_kind) IS NULL THEN
        RAISE EXCEPTION 'declare_kind: there is no view skypanel.snapshot_%', p_kind
            USING HINT = 'A kind with a reconciler has one, with id, organization_id, generation, deleted and doc; make it first.';
    END IF;
    IF declare_kind.part AND NOT owner.reconciled THEN
        RAISE EXCEPTION 'declare_kind: % is a part of %, which has no reconciler', p_kind, declare_kind.parent;
    END IF;
    SELECT col INTO unknown FROM (VALUES (qualified, declare_kind.parent_column), (naming, declare_kind.name)) AS c(of, col)
     WHERE col IS NOT NULL AND NOT skypanel.has_column(of, col);
    IF FOUND THEN
        RAISE EXCEPTION 'declare_kind: the table of % has no column %', p_kind, unknown;
    END IF;
    SELECT w INTO unknown FROM unnest(declare_kind.wakes_on) AS w
     WHERE NOT (declare_kind.refers ? w OR w IN (SELECT l.kind FROM skypanel.line_of(declare_kind.parent) l));
    IF FOUND THEN
        RAISE EXCEPTION 'declare_kind: % is woken by %, which it neither belongs nor refers to', p_kind, unknown;
    END IF;
    INSERT INTO skypanel.kinds AS k
    VALUES (p_kind, qualified, declare_kind.key, naming,
            CASE WHEN declare_kind.name_table IS NULL THEN declare_kind.key ELSE declare_kind.name_key END, declare_kind.name,
            declare_kind.parent, declare_kind.parent_column, declare_kind.reconciled, declare_kind.part,
            declare_kind.wakes_on, declare_kind.refers, coalesce(owner.depth + 1, 0))
    ON CONFLICT ON CONSTRAINT kinds_pkey DO UPDATE
       SET table_name = excluded.table_name, key = excluded.key, name_table = excluded.name_table, name_key = excluded.name_key,
           name_column = excluded.name_column, parent = excluded.parent, parent_column = excluded.parent_column,
           reconciled = excluded.reconciled, part = excluded.part, wakes_on = excluded.wakes_on, refers = excluded.refers,
           depth = excluded.depth;
    IF NOT EXISTS (SELECT FROM skypanel.declared_tables d WHERE (d.name, d.kind, d.key, d.status, d.derived, d.secret) IS NOT DISTINCT FROM
                   (qualified, p_kind, declare_kind.key, declare_kind.status, declare_kind.derived, declare_kind.secret)) THEN
        CALL skypanel.declare_table(qualified, p_kind, declare_kind.key, declare_kind.status, declare_kind.derived, declare_kind.secret);
    END IF;
    IF declare_kind.part AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                                          WHERE t.tgrelid = qualified::regclass AND t.tgname LIKE '%\_first\_lock' AND f.proname <> 'lock_owner') THEN
        CALL skypanel.declare_input(qualified, owner.table_name, owner.key, declare_kind.parent_column);
    END IF;
    CALL skypanel.grant_kind(p_kind);
END
$$;
COMMENT ON PROCEDURE skypanel.declare_kind IS
    'Makes a table one of a kind: a row of skypanel.kinds, what declare_table gives, its privileges, and, when the transaction ends, its place in the views of objects. Can be called again.';

CREATE OR REPLACE PROCEDURE skypanel.grant_kind(p_kind text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['skypanel.snapshot_' || p_kind, 'skypanel.serving_' || p_kind] LOOP
        CONTINUE WHEN to_regclass(made) IS NULL;
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader', to_regclass(made));
        EXECUTE format('GRANT SELECT ON %s TO skypanel_controller, skypanel_reader', to_regclass(made));
    END LOOP;
END
$$;
COMMENT ON PROCEDURE skypanel.grant_kind IS 'Gives the three groups their rights on the views that a kind brings; declare_table gives those on its table.';

-- The kinds that there are.

CREATE OR REPLACE VIEW skypanel.serving_environment AS
    SELECT environment_id AS id, what = 'process' AS runs, name FROM skypanel.serving;
COMMENT ON VIEW skypanel.serving_environment IS 'What of environments shall serve: see skypanel.serving.';

CALL skypanel.declare_kind('plan', 'paas_plans');
CALL skypanel.declare_kind('organization', 'paas_organizations', key => 'organization_id', name => 'slug', name_table => 'organizations',
                           reconciled => true, derived => '{removed_at}');
CALL skypanel.declare_kind('app', 'paas_apps', name => 'slug', parent => 'organization', parent_column => 'organization_id');
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}', derived => '{swarm_name,removed_at}');
CALL skypanel.declare_kind('process', 'paas_processes', name => 'type', parent => 'environment', parent_column => 'environment_id', part => true);
CALL skypanel.declare_kind('domain', 'paas_domains', name => 'hostname', parent => 'environment', parent_column => 'environment_id', part => true,
                           status => '{dns_verify_status,tls_status}');

-- Those that were written by hand give the same rows of these kinds: they stay as they are, and nobody waits for them.
INSERT INTO skypanel.kind_views SELECT d.name, d.definition FROM skypanel.kind_view_definitions() d
 WHERE d.name IN ('objects', 'present', 'parts', 'dependents')
ON CONFLICT ON CONSTRAINT kind_views_pkey DO NOTHING;
SET CONSTRAINTS skypanel.kinds_make_views IMMEDIATE;
COMMENT ON VIEW skypanel.names IS
    'Every declared object by its names, from the outermost owner''s down to its own. generation is NULL where another system has the name and it is not declared; deleted: it is marked itself.';
COMMENT ON VIEW skypanel.concerns IS
    'Which objects with a reconciler a written row concerns. always: also when nothing was changed; deleted: the object is marked deleted.';
COMMENT ON VIEW skypanel.served IS 'What shall serve, by owner: what runs, and (where runs is false) the host names that lead to one. What is live and not here is about to be lost.';

CREATE OR REPLACE VIEW skypanel.kept AS
    SELECT 'organization'::text AS kind, organization_id AS id FROM skypanel.subnets WHERE state = 'allocated';
COMMENT ON VIEW skypanel.kept IS 'What is kept for an object beside what is in the inventory: it is given back when the object is gone.';

REVOKE EXECUTE ON PROCEDURE skypanel.make_kind_views, skypanel.declare_input, skypanel.declare_kind, skypanel.grant_kind FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION skypanel.has_column, skypanel.line_of, skypanel.kind_view_definitions, skypanel.remake_kind_views, skypanel.lock_owner, skypanel.touch_owner,
    skypanel.tenant_of FROM PUBLIC;
