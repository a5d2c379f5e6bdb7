-- An organization that is asked for by its id is that one, also where another one is called so; and bindings of one
-- organization are not so many that whoever has a token of the same issuer waits for them.

CREATE OR REPLACE FUNCTION skypanel.person_of(p_user uuid, p_organization text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
-- With row_security off a policy of the panel's is an error, and is not run with our rights. A statement is planned when it is first reached, so one that
-- names a column is behind the question whether there is one, of a type of PostgreSQL's own: what is of another one has code of others, and is not read.
DECLARE
    seen   text[];
    who    jsonb;
    status text;
    active uuid;
    roles  jsonb;
    asked  jsonb;
BEGIN
    SELECT array_agg(v.relname || '.' || a.attname || CASE WHEN a.atttypid = 'uuid'::regtype THEN ' uuid' ELSE '' END) INTO seen
      FROM pg_class v
      JOIN pg_attribute shown ON shown.attrelid = v.oid AND shown.attname IN ('person', 'membership', 'named')
      JOIN pg_type t ON t.oid = shown.atttypid
      JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE v.oid IN (to_regclass('skypanel.people'), to_regclass('skypanel.memberships'), to_regclass('skypanel.role_names'))
       AND a.attname IN ('id', 'email', 'role', 'status', 'active_organization_id', 'user_id', 'organization_id', 'role_id', 'name')
       AND a.atttypid IN ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype);
    IF NOT coalesce(seen @> '{people.id uuid,people.email,people.role,memberships.user_id uuid,memberships.organization_id uuid}', false) THEN
        RAISE EXCEPTION 'users or organization_members have other columns than the panel''s' USING ERRCODE = 'datatype_mismatch';
    END IF;

    SELECT jsonb_build_object('id', p.id, 'email', (p.person).email::text, 'role', (p.person).role::text) INTO who FROM skypanel.people p WHERE p.id = p_user;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF 'people.status' = ANY (seen) THEN
        SELECT coalesce((p.person).status::text, 'active') INTO status FROM skypanel.people p WHERE p.id = p_user;
    END IF;
    IF 'people.active_organization_id uuid' = ANY (seen) THEN
        SELECT (p.person).active_organization_id INTO active FROM skypanel.people p WHERE p.id = p_user;
    END IF;

    -- By the organization's id. Today's panel: role_id counts. What it calls otherwise than we do is the least that there is.
    IF seen @> '{memberships.role,memberships.role_id uuid,role_names.id uuid,role_names.name}' THEN
        SELECT jsonb_object_agg(m.organization_id, CASE WHEN (m.membership).role_id IS NULL THEN (m.membership).role::text ELSE (r.named).name::text END) INTO roles
          FROM skypanel.memberships m LEFT JOIN skypanel.role_names r ON r.id = (m.membership).role_id WHERE m.user_id = p_user;
    ELSIF seen @> '{memberships.role,memberships.role_id uuid}' THEN
        SELECT jsonb_object_agg(m.organization_id, CASE WHEN (m.membership).role_id IS NULL THEN (m.membership).role::text END) INTO roles
          FROM skypanel.memberships m WHERE m.user_id = p_user;
    ELSIF 'memberships.role' = ANY (seen) THEN
        SELECT jsonb_object_agg(m.organization_id, (m.membership).role::text) INTO roles FROM skypanel.memberships m WHERE m.user_id = p_user;
    ELSE
        SELECT jsonb_object_agg(m.organization_id, 'viewer') INTO roles FROM skypanel.memberships m WHERE m.user_id = p_user;
    END IF;
    SELECT who || jsonb_build_object('status', status, 'active', active, 'memberships', coalesce(jsonb_agg(jsonb_build_object(
               'id', o.id, 'slug', o.slug, 'role', CASE WHEN o.owner_id = p_user THEN 'owner' ELSE coalesce(roles ->> o.id::text, 'viewer') END)), '[]')) INTO who
      FROM skypanel.owners o WHERE o.owner_id = p_user OR o.id = ANY (ARRAY(SELECT k::uuid FROM jsonb_object_keys(coalesce(roles, '{}')) k));

    IF who ->> 'role' = 'admin' AND p_organization IS NOT NULL THEN
        SELECT jsonb_build_object('id', o.id, 'slug', o.slug) INTO asked FROM skypanel.owners o WHERE o.id::text = lower(p_organization) OR o.slug = p_organization
         ORDER BY o.id::text <> lower(p_organization) LIMIT 1;
        who := who || jsonb_build_object('asked', asked);
    END IF;
    RETURN who;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'users of the panel cannot be looked up: %', SQLERRM
        USING ERRCODE = 'insufficient_privilege', HINT = 'docs/access.md lists what the owner of the panel''s tables grants.';
END
$$;

-- As in 0069, but for the order.

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
        'state', CASE WHEN t.revoked_at IS NOT NULL OR t.hash <> p_hash AND coalesce(t.previous_until <= now(), true) THEN 'revoked'
                      WHEN t.expires_at <= now() THEN 'expired' ELSE 'good' END,
        'used', (SELECT u.used_at > now() - interval '1 minute' FROM skypanel.api_token_uses u WHERE u.token_id = t.id),
        'person', CASE WHEN t.user_id IS NOT NULL THEN skypanel.person_of(t.user_id) END);
END
$$;

-- As in 0079, but for the order.

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
               AND NOT EXISTS (SELECT FROM jsonb_each(b.claims) AS c WHERE NOT skypanel.claim_pairs(jsonb_build_object(c.key, c.value)) && pairs));
END
$$;

CREATE OR REPLACE FUNCTION skypanel.check_role_bindings() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- Nobody waits for anybody: some that are made in the same moment may be more than that.
BEGIN
    IF (SELECT count(*) FROM skypanel.role_bindings b WHERE b.organization_id = NEW.organization_id) >= 100 THEN
        RAISE EXCEPTION 'an organization has 100 role bindings at most'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'role_bindings_most', SCHEMA = 'skypanel', TABLE = 'role_bindings';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.check_role_bindings IS 'Keeps bindings of an organization to a hundred: each request with a token of the same issuer may have to look at all of them.';
REVOKE EXECUTE ON FUNCTION skypanel.check_role_bindings FROM PUBLIC;
CREATE OR REPLACE TRIGGER role_bindings_most BEFORE INSERT ON skypanel.role_bindings FOR EACH ROW
    WHEN (NEW.organization_id IS NOT NULL) EXECUTE FUNCTION skypanel.check_role_bindings();
