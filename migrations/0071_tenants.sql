-- Tenants in the database: who has skypanel_api sees and writes rows of one organization, that of the transaction's settings.
--
--   SELECT set_config('skypanel.organization', '<uuid>', true);  rows of this one, and what belongs to no organization
--   SELECT set_config('skypanel.platform', 'on', true);          all rows, as whoever runs the platform
--
-- Nothing set: nothing is seen. Every table has a policy that lets everybody through (a constant, which costs nothing) and one that
-- restricts the roles of skypanel.isolated_roles. It asks whether the row that this one belongs to is seen, by its key, up to the
-- organization. declare_table makes both, so every kind has them, an installed package's too. docs/tenants.md says the rest.

DO $$
BEGIN
    IF to_regrole('skypanel_api') IS NULL THEN
        CREATE ROLE skypanel_api NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN -- another database's migration made it
    NULL;
END
$$;

CREATE TABLE IF NOT EXISTS skypanel.isolated_roles (
    role text PRIMARY KEY CONSTRAINT isolated_roles_known CHECK (role IN ('skypanel_api', 'skypanel_panel'))
);
COMMENT ON TABLE skypanel.isolated_roles IS 'Whose members see rows of one organization only. skypanel.isolate_panel writes it.';
INSERT INTO skypanel.isolated_roles VALUES ('skypanel_api') ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS skypanel.isolated_tables (
    name       text    PRIMARY KEY,
    of_tenants boolean NOT NULL,
    given      text[]  NOT NULL,
    made_of    text    NOT NULL
);
COMMENT ON TABLE skypanel.isolated_tables IS 'Tables with policies, and what those were last made of: one that would be the same is not made again.';
COMMENT ON COLUMN skypanel.isolated_tables.of_tenants IS 'Its rows belong to organizations; else everybody reads them, and the platform writes them.';
COMMENT ON COLUMN skypanel.isolated_tables.given IS 'Conditions of reading and of writing that do not follow from its columns.';

CREATE OR REPLACE VIEW skypanel.caller AS
    SELECT NOT r.isolated OR s.platform AS everything, NOT r.isolated OR s.platform OR s.organization IS NOT NULL AS anything, s.organization
      FROM (SELECT coalesce(current_setting('skypanel.platform', true) = 'on', false) AS platform,
                   nullif(current_setting('skypanel.organization', true), '')::uuid AS organization) s
     CROSS JOIN (SELECT EXISTS (SELECT FROM pg_roles me JOIN skypanel.isolated_roles i ON NOT (me.rolsuper OR me.rolbypassrls)
                                  JOIN pg_roles g ON g.rolname = i.role AND pg_has_role(me.oid, g.oid, 'USAGE')
                                 WHERE me.rolname = current_user) AS isolated) r;
COMMENT ON VIEW skypanel.caller IS 'What whoever asks may see: everything, anything at all, and of which organization. For views, which policies do not reach.';

-- Where the organization of a row is. What is declared (an owner's kind, kinds that it refers to) comes before keys of one column.

CREATE OR REPLACE FUNCTION skypanel.tenant_links(p_table regclass) RETURNS TABLE (column_name text, above regclass, above_key text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT ON (l.column_name) l.column_name, l.above, l.above_key
      FROM (SELECT 0 AS rank, k.parent_column AS column_name, p.table_name::regclass AS above, p.key AS above_key
              FROM skypanel.kinds k JOIN skypanel.kinds p ON p.kind = k.parent WHERE k.table_name::regclass = p_table
            UNION ALL
            SELECT 1, r.value, p.table_name::regclass, p.key
              FROM skypanel.kinds k CROSS JOIN jsonb_each_text(k.refers) r JOIN skypanel.kinds p ON p.kind = r.key WHERE k.table_name::regclass = p_table
            UNION ALL
            SELECT 2, a.attname::text, c.confrelid::regclass, f.attname::text
              FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
              JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
             WHERE c.contype = 'f' AND c.conrelid = p_table AND cardinality(c.conkey) = 1) l
      JOIN skypanel.isolated_tables i ON to_regclass(i.name) = l.above AND i.of_tenants
     WHERE l.above <> p_table AND l.column_name <> 'organization_id'
     ORDER BY l.column_name, l.rank
$$;
COMMENT ON FUNCTION skypanel.tenant_links IS 'Columns of a table with ids of rows of organizations, beside organization_id; those tables are isolated before.';

CREATE OR REPLACE PROCEDURE skypanel.isolate_table(p_table text, p_read text DEFAULT NULL, p_write text DEFAULT NULL)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    qualified text := CASE WHEN p_table LIKE '%.%' THEN p_table ELSE 'public.' || p_table END;
    relation  regclass := qualified::regclass;
    before    skypanel.isolated_tables := (SELECT i FROM skypanel.isolated_tables i WHERE i.name = qualified);
    given     text[] := coalesce(CASE WHEN p_read IS NOT NULL THEN ARRAY[p_read, coalesce(p_write, p_read)] END, before.given, '{}');
    platform  text := '(SELECT current_setting(''skypanel.platform'', true) = ''on'')';
    tenant    text := '(SELECT nullif(current_setting(''skypanel.organization'', true), '''')::uuid)';
    columns   text[] := '{}'; -- that lead to an organization
    belongs   text[] := '{}'; -- to the one that is asked for
    roles     text := (SELECT string_agg(quote_ident(r.role), ', ' ORDER BY r.role) FROM skypanel.isolated_roles r);
    role_ids  oid[] := ARRAY(SELECT g.oid FROM skypanel.isolated_roles r JOIN pg_roles g ON g.rolname = r.role ORDER BY g.oid);
    link      record;
    reading   text;
    writing   text;
    made      text;
    old       name;
BEGIN
    IF skypanel.has_column(qualified, 'organization_id') THEN
        columns := columns || 'organization_id'::text;
        belongs := belongs || format('this.organization_id = %s', tenant);
    END IF;
    FOR link IN SELECT * FROM skypanel.tenant_links(relation) LOOP
        columns := columns || link.column_name;
        belongs := belongs || format('EXISTS (SELECT FROM %s above WHERE above.%I = this.%I)', link.above, link.above_key, link.column_name);
    END LOOP;
    IF cardinality(given) > 0 THEN
        reading := given[1];
        writing := given[2];
    ELSIF cardinality(columns) = 1 THEN
        reading := belongs[1];
        writing := belongs[1];
    ELSIF cardinality(columns) > 1 THEN -- of several ways to an organization one is given, and those that are lead to it
        reading := (SELECT format('(coalesce(%s) IS NOT NULL AND %s)', string_agg(format('this.%I', w.given), ', '),
                                  string_agg(format('(this.%I IS NULL OR %s)', w.given, w.condition), ' AND '))
                      FROM unnest(columns, belongs) AS w(given, condition));
        writing := reading;
    ELSE
        reading := format('%s IS NOT NULL', tenant);
        writing := 'false';
    END IF;
    reading := format('%s OR %s', platform, reading);
    writing := format('%s OR %s', platform, writing);
    reading := replace(reading, 'this.', relation::text || '.');
    writing := replace(writing, 'this.', relation::text || '.');
    made := concat_ws(E'\n', roles, reading, writing);

    -- Nobody waits for what is there already; what a restore without the roles has left out is not.
    IF before.made_of IS NOT DISTINCT FROM made
       AND (SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = relation)
       AND (SELECT string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive), ', ' ORDER BY p.polname)
                   = 'skypanel_delete d f, skypanel_everybody * t, skypanel_insert a f, skypanel_select r f, skypanel_update w f'
                   AND bool_and(p.polpermissive OR ARRAY(SELECT unnest(p.polroles) ORDER BY 1) = role_ids)
              FROM pg_policy p WHERE p.polrelid = relation) THEN
        RETURN;
    END IF;
    INSERT INTO skypanel.isolated_tables VALUES (qualified, cardinality(columns) > 0, given, made)
    ON CONFLICT ON CONSTRAINT isolated_tables_pkey DO UPDATE SET of_tenants = excluded.of_tenants, given = excluded.given, made_of = excluded.made_of;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relation);
    FOR old IN SELECT polname FROM pg_policy WHERE polrelid = relation AND polname LIKE 'skypanel\_%' LOOP
        EXECUTE format('DROP POLICY %I ON %s', old, relation);
    END LOOP;
    EXECUTE format('CREATE POLICY skypanel_everybody ON %s TO PUBLIC USING (true) WITH CHECK (true)', relation);
    EXECUTE format('CREATE POLICY skypanel_select ON %s AS RESTRICTIVE FOR SELECT TO %s USING (%s)', relation, roles, reading);
    EXECUTE format('CREATE POLICY skypanel_insert ON %s AS RESTRICTIVE FOR INSERT TO %s WITH CHECK (%s)', relation, roles, writing);
    EXECUTE format('CREATE POLICY skypanel_update ON %s AS RESTRICTIVE FOR UPDATE TO %s USING (%s)', relation, roles, writing);
    EXECUTE format('CREATE POLICY skypanel_delete ON %s AS RESTRICTIVE FOR DELETE TO %s USING (%s)', relation, roles, writing);
    CALL skypanel.grant_isolated(qualified);
END
$$;
COMMENT ON PROCEDURE skypanel.isolate_table IS
    'Makes the policies of a table. Its rows belong to the organization of its column organization_id and of the rows that its keys name, or to none. p_read, p_write: where it is otherwise, with the table''s columns as this.<column>. declare_table calls it.';

-- What skypanel_api may do with a table or view is what skypanel_panel may: there is one list.

CREATE OR REPLACE PROCEDURE skypanel.grant_isolated(p_relation text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := p_relation::regclass;
    wanted   record;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM skypanel_api', relation);
    IF p_relation IN ('skypanel.inventory', 'skypanel.subnets') THEN -- which whoever runs the panel reads as skypanel_reader, to explain
        EXECUTE format('GRANT SELECT ON %s TO skypanel_api', relation);
    ELSIF p_relation = 'skypanel.api_idempotency' THEN -- which nobody else has a use for
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO skypanel_api', relation);
    END IF;
    FOR wanted IN SELECT a.privilege_type AS what, NULL::name AS of_column
                    FROM pg_class c CROSS JOIN aclexplode(c.relacl) a WHERE c.oid = relation AND a.grantee = 'skypanel_panel'::regrole
                  UNION ALL
                  SELECT a.privilege_type, t.attname
                    FROM pg_attribute t CROSS JOIN aclexplode(t.attacl) a WHERE t.attrelid = relation AND NOT t.attisdropped AND a.grantee = 'skypanel_panel'::regrole LOOP
        EXECUTE format('GRANT %s %s ON %s TO skypanel_api', wanted.what, coalesce('(' || quote_ident(wanted.of_column) || ')', ''), relation);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE skypanel.grant_isolated IS 'Gives skypanel_api the rights that skypanel_panel has on a table or view, and takes all others from it.';

-- As in 0067, and what is declared is isolated.

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
    CALL skypanel.audit_table(qualified, kind, key, status || derived, secret);
    CALL skypanel.isolate_table(qualified);
    CALL skypanel.grant_declared_table(qualified);
    CALL skypanel.grant_isolated(qualified);
END
$$;

-- Documents of objects, as plan and explain read them: a view of its own for each, as those that the controller reads have nobody to hide from.

CREATE OR REPLACE PROCEDURE skypanel.grant_kind(p_kind text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made text;
BEGIN
    IF to_regclass('skypanel.snapshot_' || p_kind) IS NOT NULL AND to_regclass('skypanel.document_' || p_kind) IS NULL THEN
        EXECUTE format('CREATE VIEW skypanel.%I WITH (security_barrier) AS SELECT s.id, s.organization_id, s.generation, s.deleted, s.doc FROM skypanel.%I s
                         WHERE (SELECT c.everything FROM skypanel.caller c) OR s.organization_id = (SELECT c.organization FROM skypanel.caller c)',
                       'document_' || p_kind, 'snapshot_' || p_kind);
        EXECUTE format('COMMENT ON VIEW skypanel.%I IS %L', 'document_' || p_kind, format('skypanel.snapshot_%s, of the organizations that whoever asks may see.', p_kind));
    END IF;
    FOREACH made IN ARRAY ARRAY['skypanel.snapshot_' || p_kind, 'skypanel.serving_' || p_kind, 'skypanel.document_' || p_kind] LOOP
        CONTINUE WHEN to_regclass(made) IS NULL;
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader, skypanel_api', to_regclass(made));
        EXECUTE format('GRANT SELECT ON %s TO skypanel_controller, skypanel_reader', to_regclass(made));
    END LOOP;
    IF to_regclass('skypanel.document_' || p_kind) IS NOT NULL THEN
        EXECUTE format('GRANT SELECT ON skypanel.%I TO skypanel_api', 'document_' || p_kind);
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.grant_kind IS 'Gives the groups their rights on the views that a kind brings; declare_table gives those on its table.';

-- Views that show rows of all organizations, to whoever may see them. A file that replaces one calls isolate_view after that.

CREATE OR REPLACE FUNCTION skypanel.isolated_view(p_view text, p_definition text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT v.* FROM (%s) v WHERE (SELECT c.everything FROM skypanel.caller c) OR %s', rtrim(p_definition, '; '),
        CASE p_view
            WHEN 'names' THEN 'v.organization_id = (SELECT c.organization FROM skypanel.caller c)'
                           || ' OR (v.organization_id IS NULL AND (SELECT c.anything FROM skypanel.caller c))'
            WHEN 'concerns' THEN 'EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = v.object_kind AND o.id = v.object_id'
                              || ' AND o.organization_id = (SELECT c.organization FROM skypanel.caller c))'
            ELSE 'v.organization_id = (SELECT c.organization FROM skypanel.caller c)' END)
$$;
COMMENT ON FUNCTION skypanel.isolated_view IS 'The definition of a view with what hides rows of others.';

CREATE OR REPLACE PROCEDURE skypanel.isolate_view(p_view text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    definition text := pg_get_viewdef(format('skypanel.%I', p_view)::regclass);
BEGIN
    IF definition NOT LIKE '%skypanel.caller c%' THEN
        EXECUTE format('CREATE OR REPLACE VIEW skypanel.%I AS %s', p_view, skypanel.isolated_view(p_view, definition));
        CALL skypanel.grant_isolated('skypanel.' || p_view);
        IF p_view = 'audit' THEN -- which this one reads
            CALL skypanel.grant_isolated('skypanel.activity');
        END IF;
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.isolate_view IS 'Has a view of the schema, with a column organization_id, show what whoever asks may see.';

CREATE OR REPLACE PROCEDURE skypanel.make_kind_views()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed record;
BEGIN
    FOR changed IN SELECT d.name, d.definition FROM skypanel.kind_view_definitions() WITH ORDINALITY AS d(name, definition, place)
                    WHERE NOT EXISTS (SELECT FROM skypanel.kind_views v WHERE (v.name, v.definition) = (d.name, d.definition))
                    ORDER BY d.place LOOP
        EXECUTE format('CREATE OR REPLACE VIEW skypanel.%I AS %s', changed.name,
                       CASE WHEN changed.name IN ('names', 'concerns') THEN skypanel.isolated_view(changed.name, changed.definition) ELSE changed.definition END);
        INSERT INTO skypanel.kind_views VALUES (changed.name, changed.definition)
        ON CONFLICT ON CONSTRAINT kind_views_pkey DO UPDATE SET definition = excluded.definition;
    END LOOP;
END
$$;

-- The panel's tables are not ours to restrict: of them, who is isolated gets a view and a function.

CREATE OR REPLACE VIEW skypanel.seen_organizations WITH (security_barrier) AS
    SELECT o.id, o.name, o.slug, o.owner_id FROM public.organizations o
     WHERE (SELECT c.everything FROM skypanel.caller c) OR o.id = (SELECT c.organization FROM skypanel.caller c);
COMMENT ON VIEW skypanel.seen_organizations IS 'Organizations that whoever asks may see.';

CREATE OR REPLACE FUNCTION skypanel.seen_email(p_user uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
-- As person_of: the panel's table is held by a view, its column is looked for, and a policy of the panel's is an error. current_user is the owner here,
-- so it is the settings that are asked.
DECLARE
    tenant uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
    email  text;
BEGIN
    IF EXISTS (SELECT FROM pg_attribute shown JOIN pg_type t ON t.oid = shown.atttypid JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attname = 'email'
                WHERE shown.attrelid = to_regclass('skypanel.people') AND shown.attname = 'person' AND NOT a.attisdropped
                  AND a.atttypid IN ('text'::regtype, 'varchar'::regtype))
       AND (current_setting('skypanel.platform', true) = 'on' OR EXISTS (SELECT FROM skypanel.owners o WHERE o.owner_id = p_user AND o.id = tenant)
            OR EXISTS (SELECT FROM skypanel.memberships m WHERE m.user_id = p_user AND m.organization_id = tenant)) THEN
        EXECUTE 'SELECT (p.person).email::text FROM skypanel.people p WHERE p.id = $1' INTO email USING p_user;
    END IF;
    RETURN email;
EXCEPTION WHEN insufficient_privilege THEN -- the panel's owner has not granted it to the owner of this
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.seen_email IS 'The address of a user who owns or is a member of the organization that the transaction names; else NULL.';

-- Whose code may run as the owner of our views and functions: policies of others', which are refused, not applied. Ours let him through.

CREATE OR REPLACE VIEW skypanel.hidden_tables AS
    SELECT DISTINCT t.oid::regclass::text AS table_name, v.relowner::regrole::text AS view_owner
      FROM pg_class v
      JOIN pg_rewrite w ON w.ev_class = v.oid
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class t ON t.oid = d.refobjid AND t.relrowsecurity
      JOIN pg_roles r ON r.oid = v.relowner
     WHERE v.relnamespace = 'skypanel'::regnamespace AND v.relkind = 'v' AND NOT r.rolsuper AND NOT r.rolbypassrls
       AND (t.relforcerowsecurity OR NOT pg_has_role(v.relowner, t.relowner, 'USAGE'))
       AND NOT (EXISTS (SELECT FROM skypanel.isolated_tables i WHERE to_regclass(i.name) = t.oid)
                AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
                                                      AND pg_get_expr(p.polqual, p.polrelid) = 'true')
                AND NOT EXISTS (SELECT FROM pg_policy p CROSS JOIN unnest(p.polroles) AS g(role)
                                 WHERE p.polrelid = t.oid AND NOT p.polpermissive AND (g.role = 0 OR pg_has_role(v.relowner, g.role, 'USAGE'))));

CREATE OR REPLACE FUNCTION skypanel.slug_form_of(p_organization uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
-- A policy on the panel's table is not applied but refused: it is code of somebody else.
BEGIN
    RETURN (SELECT s.slug FROM skypanel.organization_slugs s WHERE s.id = p_organization);
END
$$;
COMMENT ON FUNCTION skypanel.slug_form_of IS 'The slug form of an organization, for triggers.';

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
    NEW.swarm_name := concat_ws('-', skypanel.slug_form_of(app.organization_id), app.slug, NEW.name);
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.check_quotas(p_organization uuid, p_raised text[], p_table text, p_row uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- p_raised: what the row has raised, by names of quotas. Nothing changes between the rows of one commit, so the first one counts, and
-- the others find what it found, in a setting of the transaction: the organization, then the quotas that are exceeded.
DECLARE
    found_before text[] := string_to_array(current_setting('skypanel.quotas_checked', true), ' ');
    exceeded     text[];
BEGIN
    IF found_before[1] = p_organization::text THEN
        exceeded := found_before[2:];
    ELSIF EXISTS (SELECT FROM public.paas_organizations o CROSS JOIN unnest(p_raised) AS raised
                   WHERE o.organization_id = p_organization AND to_jsonb(o) ->> ('quota_' || raised) IS NOT NULL) THEN
        INSERT INTO skypanel.quota_checks AS c (organization_id) VALUES (p_organization)
        ON CONFLICT ON CONSTRAINT quota_checks_pkey DO UPDATE SET checks = c.checks % 9223372036854775807 + 1;
        exceeded := ARRAY(SELECT q.quota FROM skypanel.quotas q WHERE q.organization_id = p_organization AND q.used > q.allowed);
        PERFORM set_config('skypanel.quotas_checked', array_to_string(p_organization::text || exceeded, ' '), true);
    END IF;
    IF exceeded && p_raised THEN
        RAISE EXCEPTION 'organization % may have %',
            coalesce(skypanel.slug_form_of(p_organization), p_organization::text),
            (SELECT string_agg(format('%s %s, this would be %s', q.allowed, CASE WHEN q.allowed = 1 THEN regexp_replace(n.noun, 's$', '') ELSE n.noun END,
                                      trim_scale(q.used)), '; ')
               FROM skypanel.quotas q
               CROSS JOIN LATERAL (SELECT CASE q.quota WHEN 'memory_mb' THEN 'MiB of memory' ELSE replace(q.quota, '_', ' ') END AS noun) n
              WHERE q.organization_id = p_organization AND q.used > q.allowed AND q.quota = ANY (p_raised))
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_organizations_quota', SCHEMA = split_part(p_table, '.', 1),
                  TABLE = split_part(p_table, '.', 2), DETAIL = format('Row %s of %s raises it.', p_row, p_table),
                  HINT = 'Lower or remove something of the organization in the same transaction or before, or raise its quota in paas_organizations.';
    END IF;
END
$$;

-- As in 0067: who has skypanel_api is believed as who has skypanel_interface is, and what is refused him is in his own organization's audit.

CREATE OR REPLACE FUNCTION skypanel.audit_author() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor    text := nullif(current_setting('skypanel.actor', true), '');
    means    text := nullif(current_setting('skypanel.means', true), '');
    address  text := nullif(current_setting('skypanel.address', true), '');
    request  text := nullif(current_setting('skypanel.request', true), '');
    reason   text := nullif(current_setting('skypanel.reason', true), '');
    commit   text := nullif(current_setting('skypanel.commit', true), '');
    said     jsonb;
    believed boolean := means IS NOT NULL AND (coalesce(pg_has_role(session_user, to_regrole('skypanel_interface'), 'USAGE'), false)
                                               OR coalesce(pg_has_role(session_user, to_regrole('skypanel_api'), 'USAGE'), false));
BEGIN
    IF coalesce(actor, means, address, request, reason, commit) IS NOT NULL THEN
        said := skypanel.audited_value(jsonb_strip_nulls(jsonb_build_object(
            'actor', left(actor, 255), 'means', left(means, 255), 'address', left(address, 255), 'request', left(request, 255),
            'reason', left(reason, 1024), 'commit', left(commit, 255))));
    END IF;
    RETURN jsonb_build_object(
        'at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'transaction', pg_current_xact_id()::text::bigint,
        'actor', CASE WHEN believed AND said ? 'actor' THEN said ->> 'actor' ELSE session_user END,
        'means', CASE WHEN believed THEN said ->> 'means' ELSE 'sql' END,
        'session_user', session_user,
        'role', nullif(nullif(current_setting('role', true), 'none'), session_user::text),
        'address', CASE WHEN believed AND said ? 'address' THEN said ->> 'address' ELSE host(inet_client_addr()) END,
        'said', said);
END
$$;

CREATE OR REPLACE FUNCTION skypanel.record_refusal(p_tried text, p_kind text, p_path text, p_message text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Where the transaction is an organization's, it is of that one, whatever path was tried: nobody writes into another one's audit.
DECLARE
    tenant uuid := CASE WHEN current_setting('skypanel.platform', true) IS DISTINCT FROM 'on'
                        THEN nullif(current_setting('skypanel.organization', true), '')::uuid END;
BEGIN
    INSERT INTO skypanel.audit_unsealed (entry)
    VALUES (jsonb_strip_nulls(skypanel.audit_author() || jsonb_build_object(
        'did', 'refused', 'tried', left(p_tried, 63), 'kind', left(nullif(p_kind, ''), 63), 'path', left(nullif(p_path, ''), 1024),
        'message', skypanel.audited_value(to_jsonb(left(p_message, 2048))),
        'organization', coalesce(tenant, (SELECT s.id FROM skypanel.organization_names s JOIN public.paas_organizations o ON o.organization_id = s.id
                          WHERE s.name = split_part(p_path, '/', 1)
                            AND EXISTS (SELECT FROM skypanel.line_of(p_kind) l WHERE l.kind = 'organization') LIMIT 1)))));
END
$$;

-- A policy needs its table for itself, for a moment. So `skypanel migrate` does these when all files are applied, each in a transaction of
-- its own: who reads two tables never waits for himself. What is as it should be is left alone, and what is not is mended.

CREATE OR REPLACE PROCEDURE skypanel.isolate_kind_views()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (pg_get_viewdef('skypanel.names'::regclass) LIKE '%skypanel.caller c%' AND pg_get_viewdef('skypanel.concerns'::regclass) LIKE '%skypanel.caller c%') THEN
        DELETE FROM skypanel.kind_views WHERE name IN ('names', 'concerns');
        CALL skypanel.make_kind_views();
        CALL skypanel.grant_isolated('skypanel.names');
        CALL skypanel.grant_isolated('skypanel.concerns');
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.isolate_kind_views IS 'As isolate_view, of those that follow from skypanel.kinds.';

CREATE OR REPLACE FUNCTION skypanel.isolations() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.statement FROM (
        SELECT 1 AS place, 0 AS depth, format('CALL skypanel.isolate_view(%L)', v) AS statement FROM unnest(ARRAY['status', 'sizes', 'quotas', 'audit']) AS v
        UNION ALL
        SELECT 2, 0, 'CALL skypanel.isolate_kind_views()'
        UNION ALL -- owners first; what a key leads to that comes later is known in the second round
        SELECT 3 + round, coalesce(k.depth, 99), format('CALL skypanel.isolate_table(%L)', d.name)
          FROM generate_series(0, 1) AS round CROSS JOIN skypanel.declared_tables d LEFT JOIN skypanel.kinds k ON k.table_name = d.name
         WHERE d.name <> 'public.paas_nodes'
        UNION ALL
        SELECT 5, 0, format('CALL skypanel.isolate_table(%L)', t)
          FROM unnest(ARRAY['public.paas_releases', 'public.paas_containers', 'public.paas_usage', 'public.caas_exec_audit', 'public.paas_image_facts',
                            'public.caas_image_verdicts', 'skypanel.object_status', 'skypanel.events', 'skypanel.config_history', 'skypanel.data_keys',
                            'skypanel.inventory', 'skypanel.subnets']) AS t
        UNION ALL -- machines are the platform's, and reports tell what images there are
        SELECT 6, 0, format('CALL skypanel.isolate_table(%L, %L)', t, 'false') FROM unnest(ARRAY['public.paas_nodes', 'public.caas_image_reports']) AS t
        UNION ALL
        SELECT 7, 0, format('CALL skypanel.isolate_table(%L, %L, %L)', 'skypanel.reconcile_controls', 'this.scope = ''installation'' OR ' || c, c)
          FROM (VALUES ('EXISTS (SELECT FROM skypanel.names n WHERE n.kind = this.kind AND n.id = this.id AND n.organization_id IS NOT NULL)')) AS s(c)) w
     ORDER BY w.place, w.depth, w.statement
$$;
COMMENT ON FUNCTION skypanel.isolations IS 'The statements that make every policy and filter that is not as it should be. skypanel migrate runs them, each in a transaction of its own.';

-- The panel's own role, where the operator asks for it.

CREATE OR REPLACE PROCEDURE skypanel.isolate_panel(p_isolated boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder text;
BEGIN
    IF p_isolated THEN
        SELECT r.rolname INTO holder FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
         WHERE c.oid = 'skypanel.names'::regclass AND NOT (r.rolsuper OR r.rolbypassrls) AND pg_has_role(r.oid, 'skypanel_panel', 'USAGE');
        IF FOUND THEN
            RAISE EXCEPTION 'role % owns the schema and has skypanel_panel: everything would be hidden from the controller, too', holder
                USING HINT = format('REVOKE skypanel_panel FROM %I; first.', holder);
        END IF;
        INSERT INTO skypanel.isolated_roles VALUES ('skypanel_panel') ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM skypanel.isolated_roles WHERE role = 'skypanel_panel';
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.isolate_panel IS
    'true: who has skypanel_panel sees what the settings of the transaction name, as who has skypanel_api does; false: everything. The schema''s owner calls it, and runs skypanel migrate then.';

REVOKE EXECUTE ON PROCEDURE skypanel.isolate_table, skypanel.grant_isolated, skypanel.declare_table, skypanel.grant_kind, skypanel.isolate_view, skypanel.make_kind_views,
    skypanel.isolate_kind_views, skypanel.isolate_panel FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION skypanel.tenant_links, skypanel.isolated_view, skypanel.isolations, skypanel.slug_form_of,
    skypanel.seen_email FROM PUBLIC;

DO $$
DECLARE
    declared text;
BEGIN
    FOR declared IN SELECT kind FROM skypanel.kinds ORDER BY kind LOOP
        CALL skypanel.grant_kind(declared);
    END LOOP;
END
$$;
