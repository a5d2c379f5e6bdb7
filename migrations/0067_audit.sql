-- Audit: who changed what is declared, from where, and which fields. Triggers write it, in the transaction of the change, whoever makes it.
--
-- An entry is one document. It is written to audit_unsealed, which has nothing that two writers could wait for each other at, and moved
-- from there, once it is committed, to the end of audit_log: numbered without a gap, each with the hash of itself and of the one before.
-- No table that readers join already is locked in this file.

CREATE TABLE IF NOT EXISTS skypanel.audit_unsealed (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry jsonb  NOT NULL
);
COMMENT ON TABLE skypanel.audit_unsealed IS 'Entries of the audit that have no place in its chain yet. Triggers write it; skypanel.seal_audit takes them out.';

CREATE TABLE IF NOT EXISTS skypanel.audit_log (
    position bigint PRIMARY KEY,
    previous bytea  NOT NULL,
    hash     bytea  NOT NULL,
    entry    jsonb  NOT NULL
);
COMMENT ON TABLE skypanel.audit_log IS
    'The audit: positions have no gap, and hash is that of previous, position and entry. Nothing is changed or taken out, but for the oldest by skypanel.prune_audit.';
COMMENT ON COLUMN skypanel.audit_log.hash IS 'SHA-256 of the text "<previous in hex> <position> <entry>".';
CREATE INDEX IF NOT EXISTS audit_log_object ON skypanel.audit_log ((entry ->> 'id'::text), position);
CREATE INDEX IF NOT EXISTS audit_log_organization ON skypanel.audit_log (((entry ->> 'organization'::text)::uuid), position);
CREATE INDEX IF NOT EXISTS audit_log_at ON skypanel.audit_log ((entry ->> 'at'::text));

CREATE TABLE IF NOT EXISTS skypanel.audit_head (
    id        boolean     PRIMARY KEY DEFAULT true CONSTRAINT audit_head_one_row CHECK (id),
    position  bigint      NOT NULL,
    hash      bytea       NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE skypanel.audit_head IS 'One row: the last entry of skypanel.audit_log. Whoever seals locks it.';
INSERT INTO skypanel.audit_head (position, hash) VALUES (0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION skypanel.keep_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- Whoever has the rights of the schema's owner can take this trigger away; that the chain is then another one, `skypanel audit verify` says.
BEGIN
    IF current_setting('skypanel.audit_moves', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the audit is only added to: % of % is refused', lower(TG_OP), TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege', HINT = 'Old entries go by themselves, after SKYPANEL_AUDIT_DAYS.';
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON skypanel.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION skypanel.keep_audit();
CREATE OR REPLACE TRIGGER audit_unsealed_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON skypanel.audit_unsealed
    FOR EACH STATEMENT EXECUTE FUNCTION skypanel.keep_audit();

-- What an entry shows of a value. Columns that are secret show nothing; in all others, what looks like a password or a token is blanked.

CREATE OR REPLACE FUNCTION skypanel.audited_value(p_value jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shown text := p_value::text;
BEGIN
    IF length(shown) > 4096 THEN
        RETURN jsonb_build_object('length', length(shown), 'sha256', encode(sha256(convert_to(shown, 'UTF8')), 'hex'));
    ELSIF shown !~* '://|pass|secret|token|key' THEN
        RETURN p_value;
    END IF;
    BEGIN -- within a string of the document: up to its end, and never to the middle of one of its escapes
        shown := regexp_replace(shown, '(\m[a-z][a-z0-9+.-]*://[^\s:/@"\\]*:)(?:[^\s"\\]|\\.)+@', '\1***@', 'gi');
        shown := regexp_replace(shown, '(\m(?:https?|tcp)://)(?:[^\s/@"\\]|\\.)+@', '\1***@', 'gi');
        shown := regexp_replace(shown, '(\m(?:https?|tcp)://[^\s?"\\]*\?)(?:[^\s"\\]|\\.)+', '\1***', 'gi');
        shown := regexp_replace(shown, '((?:pass(?:word|wd|file|phrase)?|secret|token|key)\s*=\s*)(?:[^\s"\\]|\\.)+', '\1***', 'gi');
        shown := regexp_replace(shown, '("[^"\\]*(?:pass|secret|token|key)[^"\\]*": )"(?:[^"\\]|\\.)*"', '\1"***"', 'gi');
        RETURN shown::jsonb;
    EXCEPTION WHEN OTHERS THEN -- a change is never refused for how it looks here
        RETURN '"***"'::jsonb;
    END;
END
$$;
COMMENT ON FUNCTION skypanel.audited_value IS
    'A value as the audit shows it: without passwords of addresses and what is named as one; of a long one, its length and its SHA-256.';

-- Who. The session's role and address are known. What a session says of itself stands beside them (said), and is taken at its word
-- (actor, means) only where its role has skypanel_interface: anybody can set the settings that it is said by.

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
    believed boolean := means IS NOT NULL AND coalesce(pg_has_role(session_user, to_regrole('skypanel_interface'), 'USAGE'), false);
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
COMMENT ON FUNCTION skypanel.audit_author IS
    'When, who, from where and by what: of the session, and what it says of itself by SET LOCAL skypanel.actor, .means, .address, .request, .reason, .commit.';

-- What changed.

CREATE OR REPLACE VIEW skypanel.organization_names AS
    SELECT id, slug::text AS name FROM public.organizations;
COMMENT ON VIEW skypanel.organization_names IS 'What each organization is called in paths, for triggers: a view holds the table itself, not its name.';

CREATE OR REPLACE FUNCTION skypanel.audit_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: kind (empty: the table is of none), key column, columns that are not declared, columns that are secret.
DECLARE
    hidden   text[] := TG_ARGV[2]::text[];
    secret   text[] := TG_ARGV[3]::text[];
    before   jsonb  := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after    jsonb  := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    this     jsonb  := coalesce(after, before);
    object   text   := this ->> TG_ARGV[1];
    k        skypanel.kinds;
    changes  jsonb;
    above    text;
    above_id uuid;
    named    text;
    place    record;
    entry    jsonb;
BEGIN
    SELECT jsonb_object_agg(c.name, CASE WHEN c.name = ANY (secret) THEN
               jsonb_build_array(CASE WHEN c.old IS NOT NULL THEN '***' END, CASE WHEN c.new IS NOT NULL THEN '***' END)
               ELSE jsonb_build_array(skypanel.audited_value(c.old), skypanel.audited_value(c.new)) END)
      INTO changes
      FROM (SELECT f.name, nullif(CASE TG_OP WHEN 'DELETE' THEN f.value ELSE before -> f.name END, 'null') AS old,
                   nullif(CASE WHEN TG_OP <> 'DELETE' THEN f.value END, 'null') AS new
              FROM jsonb_each(this) AS f(name, value)
             WHERE CASE TG_OP WHEN 'UPDATE' THEN before -> f.name IS DISTINCT FROM f.value ELSE f.value <> 'null' END) c
     WHERE c.name <> ALL (hidden);
    IF changes IS NULL AND TG_OP = 'UPDATE' THEN
        RETURN NULL; -- what it depends on elsewhere has changed
    END IF;

    -- Its path and its organization: by its owner, as the row itself may be gone.
    SELECT * INTO k FROM skypanel.kinds WHERE kind = TG_ARGV[0];
    IF k.kind IS NULL THEN
        above := CASE WHEN this ? 'kind' AND this ? 'id' THEN this ->> 'kind' WHEN this ? 'owner_kind' THEN this ->> 'owner_kind' WHEN this ->> 'environment_id' IS NOT NULL THEN 'environment'
                      WHEN this ->> 'app_id' IS NOT NULL THEN 'app' WHEN this ->> 'organization_id' IS NOT NULL THEN 'organization' END;
        above_id := CASE WHEN this ? 'kind' AND this ? 'id' THEN this ->> 'id' ELSE coalesce(this ->> 'owner_id', this ->> 'environment_id', this ->> 'app_id', this ->> 'organization_id') END;
        named := coalesce(this ->> 'name', this ->> 'slug', this ->> 'version');
    ELSIF k.name_table <> k.table_name THEN
        above := k.kind;
        above_id := object;
    ELSE
        above := k.parent;
        above_id := this ->> k.parent_column;
        named := this ->> k.name_column;
    END IF;
    CASE above
    WHEN 'environment' THEN
        SELECT concat_ws('/', s.name, a.slug, e.name) AS path, a.organization_id::text AS organization_id INTO place
          FROM public.paas_environments e JOIN public.paas_apps a ON a.id = e.app_id LEFT JOIN skypanel.organization_names s ON s.id = a.organization_id
         WHERE e.id = above_id;
    WHEN 'app' THEN
        SELECT concat_ws('/', s.name, a.slug) AS path, a.organization_id::text AS organization_id INTO place
          FROM public.paas_apps a LEFT JOIN skypanel.organization_names s ON s.id = a.organization_id WHERE a.id = above_id;
    WHEN 'organization' THEN
        SELECT s.name AS path, s.id::text AS organization_id INTO place FROM skypanel.organization_names s WHERE s.id = above_id;
    ELSE -- of an installed kind: all are asked, which takes longer
        SELECT n.path, n.organization_id::text INTO place FROM skypanel.names n WHERE n.kind = above AND n.id = above_id;
    END CASE;
    IF place IS NULL AND TG_OP = 'DELETE' THEN -- with its owners: as it was known before
        SELECT l.entry ->> 'path' AS path, l.entry ->> 'organization' AS organization_id INTO place
          FROM (SELECT u.entry, 1 AS newer, u.id FROM (SELECT * FROM skypanel.audit_unsealed ORDER BY id DESC LIMIT 1000) u WHERE u.entry ->> 'id' = object
                UNION ALL SELECT a.entry, 0, a.position FROM skypanel.audit_log a WHERE a.entry ->> 'id' = object) l
         ORDER BY l.newer DESC, l.id DESC LIMIT 1;
        named := CASE WHEN place IS NULL THEN named END;
    END IF;

    entry := jsonb_strip_nulls(skypanel.audit_author() || jsonb_build_object(
        'did', CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'deleted' END,
        'kind', coalesce(k.kind, TG_TABLE_NAME), 'table', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, 'id', object,
        'path', nullif(concat_ws('/', place.path, named), ''),
        'organization', coalesce(place.organization_id, this ->> 'organization_id')));
    INSERT INTO skypanel.audit_unsealed (entry) VALUES (entry || jsonb_build_object('changes', coalesce(changes, '{}')));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.audit_change IS 'One entry of the audit for a row that was made, changed or deleted; none where nothing declared has changed.';

CREATE OR REPLACE PROCEDURE skypanel.audit_table(
    p_table text, p_kind text, p_key text, p_hidden text[], p_secret text[], p_when text DEFAULT 'OLD.generation IS DISTINCT FROM NEW.generation')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation  regclass := p_table::regclass;
    bare      text := (SELECT relname FROM pg_class WHERE oid = relation);
    arguments text := format('(%L, %L, %L, %L)', coalesce(p_kind, ''), p_key,
                             p_hidden || p_key || '{generation,inputs_version,created_at,updated_at}'::text[], p_secret);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.audit_change%s',
                   bare || '_audited', relation, arguments);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION skypanel.audit_change%s',
                   bare || '_change_audited', relation, p_when, arguments);
END
$$;
COMMENT ON PROCEDURE skypanel.audit_table IS 'Has every row that is made, changed or deleted in a table audited. declare_table calls it.';

-- As in 0015, and what is declared is audited.

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
    CALL skypanel.grant_declared_table(qualified);
END
$$;
COMMENT ON PROCEDURE skypanel.declare_table IS
    'Gives a table (in public unless the name says otherwise) its triggers and privileges. kind: log its changes under this name. Can be called again.';

-- An organization's slug is in the panel's table, and part of what runs.

CREATE OR REPLACE FUNCTION skypanel.touch_organization() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- On the panel's table: a column of another type, with a cast of its own, must not be compared here.
BEGIN
    IF pg_typeof(NEW.id) <> 'pg_catalog.uuid'::regtype THEN
        RAISE EXCEPTION 'organizations.id is no uuid any more' USING ERRCODE = 'datatype_mismatch';
    END IF;
    UPDATE public.paas_organizations SET inputs_version = inputs_version % 9223372036854775807 + 1 WHERE organization_id = NEW.id;
    IF FOUND AND pg_typeof(NEW.slug) IN ('pg_catalog.text'::regtype, 'pg_catalog.varchar'::regtype) THEN
        INSERT INTO skypanel.audit_unsealed (entry)
        VALUES (jsonb_strip_nulls(skypanel.audit_author()) || jsonb_build_object(
            'did', 'changed', 'kind', 'organization', 'table', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, 'id', NEW.id,
            'path', NEW.slug, 'organization', NEW.id,
            'changes', jsonb_build_object('slug', jsonb_build_array(OLD.slug, NEW.slug))));
    END IF;
    RETURN NULL;
END
$$;

-- What was refused. It was undone with its transaction, so whoever was refused says it in another one.

CREATE OR REPLACE FUNCTION skypanel.record_refusal(p_tried text, p_kind text, p_path text, p_message text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO skypanel.audit_unsealed (entry)
    VALUES (jsonb_strip_nulls(skypanel.audit_author() || jsonb_build_object(
        'did', 'refused', 'tried', left(p_tried, 63), 'kind', left(nullif(p_kind, ''), 63), 'path', left(nullif(p_path, ''), 1024),
        'message', skypanel.audited_value(to_jsonb(left(p_message, 2048))),
        'organization', (SELECT s.id FROM skypanel.organization_names s JOIN public.paas_organizations o ON o.organization_id = s.id
                          WHERE s.name = split_part(p_path, '/', 1)
                            AND EXISTS (SELECT FROM skypanel.line_of(p_kind) l WHERE l.kind = 'organization') LIMIT 1))));
END
$$;
COMMENT ON FUNCTION skypanel.record_refusal IS 'An entry of the audit for something that was tried and refused: what it was (apply, delete ...), of which kind and path, and why.';

-- The chain. An order is needed, and one lock for all writers would have them wait for each other: so entries get theirs when they are
-- committed, in pieces, by whoever has the row of audit_head.

CREATE OR REPLACE FUNCTION skypanel.seal_audit(p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head skypanel.audit_head;
    one  record;
    made bytea;
    done integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM skypanel.audit_unsealed) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('skypanel.audit_moves', 'on', true);
    SELECT * INTO head FROM skypanel.audit_head FOR UPDATE;
    FOR one IN WITH taken AS (
                   DELETE FROM skypanel.audit_unsealed WHERE id IN (SELECT id FROM skypanel.audit_unsealed ORDER BY id LIMIT p_most) RETURNING id, entry)
               SELECT id, entry FROM taken ORDER BY id LOOP
        made := sha256(convert_to(concat_ws(' ', encode(head.hash, 'hex'), head.position + 1, one.entry), 'UTF8'));
        INSERT INTO skypanel.audit_log (position, previous, hash, entry) VALUES (head.position + 1, head.hash, made, one.entry);
        head.position := head.position + 1;
        head.hash := made;
        done := done + 1;
    END LOOP;
    UPDATE skypanel.audit_head SET position = head.position, hash = head.hash, sealed_at = clock_timestamp();
    PERFORM set_config('skypanel.audit_moves', '', true);
    RETURN done;
END
$$;
COMMENT ON FUNCTION skypanel.seal_audit IS 'Gives so many committed entries their place at the end of the chain; how many there were. Two calls wait for each other, no writer waits for one.';

CREATE OR REPLACE FUNCTION skypanel.prune_audit(p_days integer, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- By whole days, so that a day leaves one entry that says what went, and not one an hour.
DECLARE
    before text := to_char(date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => p_days), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    head   skypanel.audit_head;
    last   record;
    gone   integer;
    made   bytea;
    entry  jsonb;
BEGIN
    PERFORM set_config('skypanel.audit_moves', 'on', true);
    SELECT * INTO head FROM skypanel.audit_head FOR UPDATE;
    SELECT a.position, a.hash INTO last
      FROM (SELECT p.position, p.hash, bool_and(p.entry ->> 'at' < before) OVER (ORDER BY p.position) AS old
              FROM (SELECT * FROM skypanel.audit_log ORDER BY position LIMIT p_most) p) a
     WHERE a.old ORDER BY a.position DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM set_config('skypanel.audit_moves', '', true);
        RETURN 0;
    END IF;
    DELETE FROM skypanel.audit_log WHERE position <= last.position;
    GET DIAGNOSTICS gone = ROW_COUNT;
    entry := jsonb_strip_nulls(skypanel.audit_author()) || jsonb_build_object('did', 'pruned', 'kind', 'audit',
        'pruned', jsonb_build_object('through', last.position, 'hash', encode(last.hash, 'hex'), 'entries', gone));
    made := sha256(convert_to(concat_ws(' ', encode(head.hash, 'hex'), head.position + 1, entry), 'UTF8'));
    INSERT INTO skypanel.audit_log (position, previous, hash, entry) VALUES (head.position + 1, head.hash, made, entry);
    UPDATE skypanel.audit_head SET position = head.position + 1, hash = made, sealed_at = clock_timestamp();
    PERFORM set_config('skypanel.audit_moves', '', true);
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune_audit IS
    'One piece of the entries that are older than so many days; how many. An entry at the end of the chain says up to where, and with which hash, the rest begins.';

CREATE OR REPLACE VIEW skypanel.audit AS
    SELECT a.position, (a.entry ->> 'at')::timestamptz AS at, a.entry ->> 'did' AS did, a.entry ->> 'kind' AS kind, (a.entry ->> 'id') AS object_id,
           a.entry ->> 'path' AS path, (a.entry ->> 'organization')::uuid AS organization_id, a.entry ->> 'actor' AS actor,
           a.entry ->> 'means' AS means, a.entry ->> 'session_user' AS session_role, a.entry ->> 'address' AS address,
           a.entry -> 'said' AS said, a.entry -> 'changes' AS changes, a.entry ->> 'message' AS message, a.entry
      FROM (SELECT position, entry FROM skypanel.audit_log UNION ALL SELECT NULL, entry FROM skypanel.audit_unsealed) a;
COMMENT ON VIEW skypanel.audit IS 'The audit with its fields as columns. position is NULL for what is not sealed yet.';

CREATE OR REPLACE VIEW skypanel.activity AS
    SELECT md5('skypanel.audit ' || a.position)::uuid AS id,
           CASE WHEN a.actor ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN a.actor::uuid END AS user_id, a.organization_id,
           left(CASE WHEN a.entry ->> 'table' LIKE '%.caas\_%' THEN 'caas.' ELSE 'paas.' END || a.kind || '.' || coalesce(a.entry ->> 'tried', a.did), 100)::varchar(100) AS event_type,
           CASE WHEN a.actor ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN left(a.kind, 100) ELSE 'system' END::varchar(100) AS entity_type,
           left(coalesce(a.object_id, a.path), 255)::varchar(255) AS entity_id,
           concat_ws(' ', coalesce(a.entry ->> 'tried', a.did), a.kind, a.path) || coalesce(': ' || a.message,
               CASE WHEN a.did = 'changed' THEN ': ' || (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(a.changes) k) END, '') AS message,
           CASE WHEN a.did = 'refused' THEN 'error' ELSE 'success' END::varchar(50) AS status, left(a.address, 64)::varchar(64) AS ip_address,
           NULL::text AS user_agent, a.entry AS metadata, false AS is_read, NULL::timestamptz AS read_at, a.at AS created_at
      FROM skypanel.audit a WHERE a.position IS NOT NULL AND a.did <> 'pruned';
COMMENT ON VIEW skypanel.activity IS
    'What is sealed of the audit, in the form of the panel''s activity_logs. user_id: of an actor that is a uuid; of others entity_type is system, as the panel wants it.';

REVOKE EXECUTE ON FUNCTION skypanel.keep_audit, skypanel.audited_value, skypanel.audit_author, skypanel.audit_change, skypanel.record_refusal,
    skypanel.seal_audit, skypanel.prune_audit FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE skypanel.audit_table, skypanel.declare_table FROM PUBLIC;
