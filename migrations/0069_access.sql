-- Access: who calls. API tokens, of which only a hash is kept; and users of the panel, looked up one by one.
--
-- No table that readers join already is locked in this file.

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'skypanel_api') THEN
        BEGIN
            CREATE ROLE skypanel_api NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
END
$$;

-- API tokens.

CREATE TABLE IF NOT EXISTS skypanel.api_tokens (
    id              text        PRIMARY KEY CONSTRAINT api_tokens_id_form CHECK (id ~ '^[0-9A-Za-z]{12}$'),
    name            text        NOT NULL CONSTRAINT api_tokens_name_form CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$'),
    hash            bytea       NOT NULL CONSTRAINT api_tokens_hash_length CHECK (octet_length(hash) = 32),
    previous_hash   bytea,
    previous_until  timestamptz,
    user_id         uuid,
    organization_id uuid        REFERENCES public.organizations (id) ON DELETE CASCADE,
    role            text        NOT NULL,
    apps            text[],
    verbs           text[],
    made_at         timestamptz NOT NULL DEFAULT now(),
    made_by         text        NOT NULL DEFAULT coalesce(nullif(current_setting('skypanel.actor', true), ''), session_user),
    issued_at       timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    revoked_by      text,
    CONSTRAINT api_tokens_role_of_its_place CHECK (role = ANY (CASE WHEN organization_id IS NULL
        THEN '{platform-admin,platform-viewer}'::text[] ELSE '{owner,admin,member,viewer}'::text[] END)),
    CONSTRAINT api_tokens_apps_of_an_organization CHECK (apps IS NULL OR organization_id IS NOT NULL AND cardinality(apps) BETWEEN 1 AND 100),
    CONSTRAINT api_tokens_verbs_some CHECK (verbs IS NULL OR cardinality(verbs) BETWEEN 1 AND 32),
    CONSTRAINT api_tokens_expire CHECK (expires_at <= issued_at + interval '366 days')
);
CREATE UNIQUE INDEX IF NOT EXISTS api_tokens_hash ON skypanel.api_tokens (hash);
CREATE INDEX IF NOT EXISTS api_tokens_previous_hash ON skypanel.api_tokens (previous_hash) WHERE previous_hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS api_tokens_organization ON skypanel.api_tokens (organization_id);
CREATE INDEX IF NOT EXISTS api_tokens_user ON skypanel.api_tokens (user_id);
COMMENT ON TABLE skypanel.api_tokens IS 'API tokens: the SHA-256 of each, what it is limited to, until when. `skypanel tokens` writes them.';
COMMENT ON COLUMN skypanel.api_tokens.user_id IS 'Whose rights it has a part of, as they are when it is used; NULL: it is a machine''s, and has its role.';
COMMENT ON COLUMN skypanel.api_tokens.role IS 'The most that it may be; of a user''s token his own role counts where that is less.';
COMMENT ON COLUMN skypanel.api_tokens.apps IS 'Slugs of the apps that it reaches, with what is below them; NULL: all.';
COMMENT ON COLUMN skypanel.api_tokens.previous_hash IS 'Of the one that it replaced, which is good until previous_until.';

CREATE TABLE IF NOT EXISTS skypanel.api_token_uses (
    token_id text        PRIMARY KEY REFERENCES skypanel.api_tokens (id) ON DELETE CASCADE,
    used_at  timestamptz NOT NULL,
    address  text
);
COMMENT ON TABLE skypanel.api_token_uses IS 'When each token was used last, to the minute, and from where. Apart from the token, so that its row is not written for it.';

CREATE OR REPLACE FUNCTION skypanel.keep_api_token() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'token % was revoked, and stays so', OLD.id USING ERRCODE = 'check_violation', HINT = 'Make another one.';
    END IF;
    IF NEW.hash <> OLD.hash THEN
        NEW.previous_hash := OLD.hash;
        NEW.issued_at := now();
    END IF;
    IF NEW.revoked_at IS NOT NULL THEN
        NEW.revoked_at := now();
        NEW.revoked_by := coalesce(nullif(current_setting('skypanel.actor', true), ''), session_user);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_api_token IS 'A revoked token stays revoked; one with another hash keeps the one before, for as long as previous_until says.';
CREATE OR REPLACE TRIGGER api_tokens_keep BEFORE UPDATE ON skypanel.api_tokens FOR EACH ROW EXECUTE FUNCTION skypanel.keep_api_token();
CALL skypanel.bound_table('skypanel.api_tokens');
CALL skypanel.audit_table('skypanel.api_tokens', NULL, 'id', '{made_at,made_by,issued_at,revoked_by}', '{hash,previous_hash}', 'OLD IS DISTINCT FROM NEW');

-- The panel's tables. They are held by these views, and not by their names. Their columns vary with the panel's age, so the rows are taken as they are,
-- and a column is looked for when it is needed: no statement of the panel's on its own tables is refused for it.

CREATE OR REPLACE PROCEDURE skypanel.see_people()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CREATE OR REPLACE VIEW skypanel.people AS SELECT u.id, u AS person FROM ONLY public.users u;
    COMMENT ON VIEW skypanel.people IS 'The panel''s users, as they are, for skypanel.person_of.';
    CREATE OR REPLACE VIEW skypanel.memberships AS SELECT m.user_id, m.organization_id, m AS membership FROM ONLY public.organization_members m;
    COMMENT ON VIEW skypanel.memberships IS 'The panel''s members of organizations, as they are, for skypanel.person_of.';
    CREATE OR REPLACE VIEW skypanel.owners AS SELECT o.id, o.slug::text AS slug, o.owner_id FROM ONLY public.organizations o;
    COMMENT ON VIEW skypanel.owners IS 'Who owns each organization, for skypanel.person_of.';
    IF to_regclass('public.organization_roles') IS NOT NULL THEN
        CREATE OR REPLACE VIEW skypanel.role_names AS SELECT r.id, r AS named FROM ONLY public.organization_roles r;
        COMMENT ON VIEW skypanel.role_names IS 'What today''s panel calls the roles of members, for skypanel.person_of.';
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.see_people IS 'Makes the views of the panel''s tables that people are looked up in. Each `skypanel migrate` ends with it.';
CALL skypanel.see_people();

CREATE OR REPLACE FUNCTION skypanel.seen_column(p_view text, p_row text, p_column text, p_types text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_attribute shown JOIN pg_type t ON t.oid = shown.atttypid JOIN pg_attribute a ON a.attrelid = t.typrelid
         WHERE shown.attrelid = to_regclass('skypanel.' || p_view) AND shown.attname = p_row
           AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = ANY (p_types::regtype[]))
$$;
COMMENT ON FUNCTION skypanel.seen_column IS 'Whether a table of the panel''s has a column now, of one of these types: what is of another one has code of others, and is not read.';

CREATE OR REPLACE FUNCTION skypanel.person_of(p_user uuid, p_organization text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
-- With row_security off a policy of the panel's is an error, and is not run with our rights.
DECLARE
    words  text[] := '{text,varchar}';
    role   text   := 'NULL';
    active text   := 'NULL';
    status text   := 'NULL';
    named  text   := 'NULL';
    found  jsonb;
    asked  jsonb;
BEGIN
    IF NOT (skypanel.seen_column('people', 'person', 'id', '{uuid}') AND skypanel.seen_column('people', 'person', 'email', words)
            AND skypanel.seen_column('people', 'person', 'role', words) AND skypanel.seen_column('memberships', 'membership', 'user_id', '{uuid}')
            AND skypanel.seen_column('memberships', 'membership', 'organization_id', '{uuid}')) THEN
        RAISE EXCEPTION 'users or organization_members have other columns than the panel''s' USING ERRCODE = 'datatype_mismatch';
    END IF;
    IF skypanel.seen_column('people', 'person', 'status', words) THEN
        status := '(p.person).status::text';
    END IF;
    IF skypanel.seen_column('people', 'person', 'active_organization_id', '{uuid}') THEN
        active := '(p.person).active_organization_id';
    END IF;
    IF skypanel.seen_column('memberships', 'membership', 'role', words) THEN
        role := '(m.membership).role::text';
    END IF;
    IF skypanel.seen_column('memberships', 'membership', 'role_id', '{uuid}') THEN
        -- Today's panel: this one counts. What it calls otherwise than we do is the least that there is.
        named := '''viewer''';
        IF skypanel.seen_column('role_names', 'named', 'id', '{uuid}') AND skypanel.seen_column('role_names', 'named', 'name', words) THEN
            named := '(SELECT (r.named).name::text FROM skypanel.role_names r WHERE r.id = (m.membership).role_id)';
        END IF;
        role := format('CASE WHEN (m.membership).role_id IS NULL THEN %s ELSE coalesce(%s, ''viewer'') END', role, named);
    END IF;
    EXECUTE format(
        'SELECT jsonb_build_object(''id'', p.id, ''email'', (p.person).email::text, ''role'', (p.person).role::text, ''status'', %s, ''active'', %s,
                ''memberships'', (SELECT coalesce(jsonb_agg(jsonb_build_object(''id'', o.id, ''slug'', o.slug, ''role'', x.role)), ''[]'')
                   FROM (SELECT y.id, CASE WHEN bool_or(y.role = ''owner'') THEN ''owner'' ELSE min(y.role) END AS role
                           FROM (SELECT w.id, ''owner'' AS role FROM skypanel.owners w WHERE w.owner_id = $1
                                 UNION ALL SELECT m.organization_id, coalesce(%s, ''viewer'') FROM skypanel.memberships m WHERE m.user_id = $1) y
                          GROUP BY y.id) x
                   JOIN skypanel.owners o ON o.id = x.id))
           FROM skypanel.people p WHERE p.id = $1', status, active, role)
      INTO found USING p_user;
    IF found ->> 'role' = 'admin' AND p_organization IS NOT NULL THEN
        SELECT jsonb_build_object('id', o.id, 'slug', o.slug) INTO asked FROM skypanel.owners o WHERE o.id::text = p_organization OR o.slug = p_organization LIMIT 1;
        found := found || jsonb_build_object('asked', asked);
    END IF;
    RETURN found;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'users of the panel cannot be looked up: %', SQLERRM
        USING ERRCODE = 'insufficient_privilege', HINT = 'docs/access.md lists what the owner of the panel''s tables grants.';
END
$$;
COMMENT ON FUNCTION skypanel.person_of IS
    'One user of the panel: address, role, status, the organizations that he is a member or the owner of; for an administrator the organization that he asks for. NULL: there is none.';

CREATE OR REPLACE FUNCTION skypanel.token_of(p_hash bytea, p_organization text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t     skypanel.api_tokens;
    place jsonb;
BEGIN
    SELECT * INTO t FROM skypanel.api_tokens WHERE hash = p_hash OR previous_hash = p_hash;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF t.organization_id IS NOT NULL THEN
        SELECT jsonb_build_object('id', o.id, 'slug', o.name) INTO place FROM skypanel.organization_names o WHERE o.id = t.organization_id;
    ELSIF p_organization IS NOT NULL THEN
        SELECT jsonb_build_object('id', o.id, 'slug', o.name) INTO place FROM skypanel.organization_names o
         WHERE o.id::text = p_organization OR o.name = p_organization LIMIT 1;
    END IF;
    RETURN jsonb_build_object(
        'id', t.id, 'name', t.name, 'user_id', t.user_id, 'role', t.role, 'apps', t.apps, 'verbs', t.verbs, 'of_platform', t.organization_id IS NULL,
        'place', place,
        'state', CASE WHEN t.revoked_at IS NOT NULL OR t.hash <> p_hash AND coalesce(t.previous_until <= now(), true) THEN 'revoked'
                      WHEN t.expires_at <= now() THEN 'expired' ELSE 'good' END,
        'used', (SELECT u.used_at > now() - interval '1 minute' FROM skypanel.api_token_uses u WHERE u.token_id = t.id),
        'person', CASE WHEN t.user_id IS NOT NULL THEN skypanel.person_of(t.user_id) END);
END
$$;
COMMENT ON FUNCTION skypanel.token_of IS 'One API token by its SHA-256: its limits, whether it is good, and its user as he is now. NULL: there is none.';

CREATE OR REPLACE FUNCTION skypanel.token_used(p_id text, p_address text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Whoever finds the row taken leaves it to who has it: nobody waits.
BEGIN
    PERFORM FROM skypanel.api_token_uses WHERE token_id = p_id;
    IF NOT FOUND THEN
        INSERT INTO skypanel.api_token_uses (token_id, used_at, address) SELECT t.id, now(), left(p_address, 64) FROM skypanel.api_tokens t WHERE t.id = p_id
        ON CONFLICT DO NOTHING;
        RETURN;
    END IF;
    UPDATE skypanel.api_token_uses SET used_at = now(), address = left(p_address, 64)
     WHERE token_id = (SELECT u.token_id FROM skypanel.api_token_uses u
                        WHERE u.token_id = p_id AND u.used_at <= now() - interval '1 minute' FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION skypanel.token_used IS 'Notes that a token was used, at most once a minute.';

REVOKE EXECUTE ON FUNCTION skypanel.keep_api_token, skypanel.seen_column, skypanel.person_of, skypanel.token_of, skypanel.token_used FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE skypanel.see_people FROM PUBLIC;
