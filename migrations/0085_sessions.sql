-- Sessions of browsers (docs/access.md), and what is made with a token ends with it at the latest.
--
-- No table that readers join already is locked in this file, but role_bindings for a column.

CREATE TABLE IF NOT EXISTS skypanel.api_sessions (
    id         text        PRIMARY KEY CONSTRAINT api_sessions_id_form CHECK (id ~ '^[0-9A-Za-z]{12}$'),
    hash       bytea       NOT NULL CONSTRAINT api_sessions_hash_length CHECK (octet_length(hash) = 32),
    whose      text        NOT NULL,
    token_hash bytea,
    user_id    uuid,
    admin_id   uuid,
    issuer     text,
    claims     jsonb,
    actor      text        NOT NULL,
    address    text,
    made_at    timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT api_sessions_made_of_one CHECK (num_nonnulls(token_hash, user_id, issuer) = 1),
    CONSTRAINT api_sessions_claims_of_an_issuer CHECK ((issuer IS NULL) = (claims IS NULL)),
    CONSTRAINT api_sessions_admin_for_a_user CHECK (admin_id IS NULL OR user_id IS NOT NULL),
    CONSTRAINT api_sessions_expire CHECK (expires_at <= made_at + interval '7 days')
);
CREATE UNIQUE INDEX IF NOT EXISTS api_sessions_hash ON skypanel.api_sessions (hash);
CREATE INDEX IF NOT EXISTS api_sessions_whose ON skypanel.api_sessions (whose, made_at);
CREATE INDEX IF NOT EXISTS api_sessions_expires_at ON skypanel.api_sessions (expires_at);
COMMENT ON TABLE skypanel.api_sessions IS 'Sessions of browsers: the SHA-256 of each cookie, what it was made of, until when. Functions alone read and write it.';
COMMENT ON COLUMN skypanel.api_sessions.whose IS 'Who they are whose sessions are counted, and ended, together.';
COMMENT ON COLUMN skypanel.api_sessions.token_hash IS 'Of the API token that it was made of, which is looked up with each request; else user_id of a panel''s token, or issuer and claims of an issued one.';
CALL skypanel.bound_table('skypanel.api_sessions');

-- Rights that have an end cannot give away any without one.

ALTER TABLE skypanel.role_bindings ADD COLUMN IF NOT EXISTS expires_at timestamptz;
COMMENT ON COLUMN skypanel.role_bindings.expires_at IS 'When it ends: that of the token that it was made with. NULL: when it is removed.';
CALL skypanel.bound_table('skypanel.role_bindings');

-- As in 0082, and until when it is good.

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
         WHERE o.id::text = lower(p_organization) OR o.name = p_organization ORDER BY o.id::text <> lower(p_organization) LIMIT 1;
    END IF;
    RETURN jsonb_build_object(
        'id', t.id, 'name', t.name, 'user_id', t.user_id, 'role', t.role, 'apps', t.apps, 'verbs', t.verbs, 'of_platform', t.organization_id IS NULL,
        'place', place,
        'until', extract(epoch FROM CASE WHEN t.hash = p_hash THEN t.expires_at ELSE least(t.expires_at, t.previous_until) END),
        'state', CASE WHEN t.revoked_at IS NOT NULL OR t.hash <> p_hash AND coalesce(t.previous_until <= now(), true) THEN 'revoked'
                      WHEN t.expires_at <= now() THEN 'expired' ELSE 'good' END,
        'used', (SELECT u.used_at > now() - interval '1 minute' FROM skypanel.api_token_uses u WHERE u.token_id = t.id),
        'person', CASE WHEN t.user_id IS NOT NULL THEN skypanel.person_of(t.user_id) END);
END
$$;

-- As in 0082, without those that have ended.

CREATE OR REPLACE FUNCTION skypanel.bindings_of(p_issuer text, p_claims jsonb, p_organization text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pairs  text[] := skypanel.claim_pairs(p_claims);
    tenant uuid   := nullif(current_setting('skypanel.organization', true), ''); -- who calls is asked before there is one
    asked  jsonb;
BEGIN
    IF p_organization IS NOT NULL THEN
        SELECT jsonb_build_object('id', o.id, 'slug', o.name) INTO asked FROM skypanel.organization_names o
         WHERE o.id::text = lower(p_organization) OR o.name = p_organization ORDER BY o.id::text <> lower(p_organization) LIMIT 1;
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'name', b.name, 'role', b.role, 'apps', b.apps, 'verbs', b.verbs, 'of_platform', b.organization_id IS NULL,
                       'place', CASE WHEN b.organization_id IS NULL THEN asked ELSE jsonb_build_object('id', o.id, 'slug', o.name) END) ORDER BY b.name, b.id), '[]')
              FROM skypanel.role_bindings b LEFT JOIN skypanel.organization_names o ON o.id = b.organization_id
             WHERE b.anchor && pairs AND b.issuer = p_issuer AND (tenant IS NULL OR b.organization_id = tenant) AND (b.organization_id IS NULL OR o.id IS NOT NULL)
               AND (b.expires_at IS NULL OR b.expires_at > now())
               AND NOT EXISTS (SELECT FROM jsonb_each(b.claims) AS c WHERE NOT skypanel.claim_pairs(jsonb_build_object(c.key, c.value)) && pairs));
END
$$;

CREATE OR REPLACE FUNCTION skypanel.session_of(p_hash bytea, p_organization text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s skypanel.api_sessions;
BEGIN
    SELECT * INTO s FROM skypanel.api_sessions WHERE hash = p_hash AND expires_at > now() AND used_at > now() - interval '12 hours';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object(
        'id', s.id, 'actor', s.actor, 'until', extract(epoch FROM s.expires_at), 'used', s.used_at > now() - interval '5 minutes',
        'about', CASE WHEN s.token_hash IS NOT NULL THEN 'token' WHEN s.issuer IS NOT NULL THEN 'bindings' ELSE 'person' END,
        'found', CASE WHEN s.token_hash IS NOT NULL THEN skypanel.token_of(s.token_hash, p_organization)
                      WHEN s.issuer IS NOT NULL THEN skypanel.bindings_of(s.issuer, s.claims, p_organization)
                      ELSE jsonb_build_object('person', skypanel.person_of(s.user_id, p_organization),
                                              'admin', CASE WHEN s.admin_id IS NOT NULL THEN skypanel.person_of(s.admin_id) END) END,
        'acts', s.admin_id IS NOT NULL);
END
$$;
COMMENT ON FUNCTION skypanel.session_of IS 'One session by the SHA-256 of its cookie, and what it was made of, as that is now. NULL: there is none that is good.';

CREATE OR REPLACE FUNCTION skypanel.session_audited(p_did text, p_id text, p_message text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO skypanel.audit_unsealed (entry)
    VALUES (jsonb_strip_nulls(skypanel.audit_author() || jsonb_build_object(
        'did', p_did, 'kind', 'api_sessions', 'table', 'skypanel.api_sessions', 'id', p_id, 'path', p_id, 'message', p_message,
        'organization', nullif(current_setting('skypanel.organization', true), ''))))
$$;
COMMENT ON FUNCTION skypanel.session_audited IS 'An entry of the audit: a session began, or was ended. That its time is over is none.';

CREATE OR REPLACE FUNCTION skypanel.session_begins(
    p_id text, p_hash bytea, p_whose text, p_token_hash bytea, p_user uuid, p_admin uuid, p_issuer text, p_claims jsonb, p_actor text,
    p_until timestamptz, p_address text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Nobody waits for anybody: whoever logs in twice in one moment may have one more, until he logs in again.
DECLARE
    until timestamptz;
    one   text;
BEGIN
    INSERT INTO skypanel.api_sessions (id, hash, whose, token_hash, user_id, admin_id, issuer, claims, actor, address, expires_at)
    VALUES (p_id, p_hash, p_whose, p_token_hash, p_user, p_admin, p_issuer, p_claims, p_actor, left(p_address, 64), least(p_until, now() + interval '7 days'))
    RETURNING expires_at INTO until;
    PERFORM skypanel.session_audited('created', p_id, 'logged in, until ' || to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'));
    DELETE FROM skypanel.api_sessions WHERE id IN (
        SELECT d.id FROM skypanel.api_sessions d WHERE d.expires_at <= now() OR d.used_at <= now() - interval '12 hours' ORDER BY d.expires_at LIMIT 100
           FOR UPDATE SKIP LOCKED);
    FOR one IN DELETE FROM skypanel.api_sessions WHERE id IN (
                   SELECT o.id FROM skypanel.api_sessions o WHERE o.whose = p_whose ORDER BY o.made_at DESC, o.id OFFSET 10) RETURNING id LOOP
        PERFORM skypanel.session_audited('deleted', one, 'ended: ten newer ones of the same person');
    END LOOP;
    RETURN until;
END
$$;
COMMENT ON FUNCTION skypanel.session_begins IS 'Makes a session, of an API token, a user, or the claims of an issued token; until when it is good at most. Of one person the newest ten stay.';

CREATE OR REPLACE FUNCTION skypanel.session_used(p_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE skypanel.api_sessions SET used_at = now()
     WHERE id = (SELECT s.id FROM skypanel.api_sessions s WHERE s.hash = p_hash AND s.used_at <= now() - interval '5 minutes' FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION skypanel.session_used IS 'Notes that a session was used, at most every five minutes; nobody waits.';

CREATE OR REPLACE FUNCTION skypanel.session_ends(p_hash bytea, p_why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
BEGIN
    DELETE FROM skypanel.api_sessions WHERE hash = p_hash RETURNING id INTO one;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM skypanel.session_audited('deleted', one, 'ended: ' || left(p_why, 200));
    RETURN true;
END
$$;
COMMENT ON FUNCTION skypanel.session_ends IS 'Ends a session, by the SHA-256 of its cookie; whether there was one.';

CREATE OR REPLACE FUNCTION skypanel.sessions_end(p_whose text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one   text;
    ended text[] := '{}';
BEGIN
    FOR one IN DELETE FROM skypanel.api_sessions WHERE whose = p_whose RETURNING id LOOP
        PERFORM skypanel.session_audited('deleted', one, 'ended: all of one person');
        ended := ended || one;
    END LOOP;
    RETURN ended;
END
$$;
COMMENT ON FUNCTION skypanel.sessions_end IS 'Ends all sessions of somebody; their ids.';

REVOKE EXECUTE ON FUNCTION skypanel.session_of, skypanel.session_audited, skypanel.session_begins, skypanel.session_used, skypanel.session_ends, skypanel.sessions_end FROM PUBLIC;
