-- Role bindings: which tokens of an OpenID Connect issuer have which role (docs/access.md).
--
-- No table that readers join already is locked in this file.

CREATE OR REPLACE FUNCTION skypanel.claim_pairs(p_claims jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT coalesce(array_agg(c.key || '=' || v.value ORDER BY c.key, v.value), '{}')
      FROM jsonb_each(p_claims) AS c
     CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(c.value) = 'array' THEN c.value ELSE jsonb_build_array(c.value) END) AS v(value)
     WHERE strpos(c.key, '=') = 0
);
COMMENT ON FUNCTION skypanel.claim_pairs IS 'Claims as name=value, a pair for each value of a list.';

CREATE OR REPLACE FUNCTION skypanel.claims_anchor(p_claims jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT skypanel.claim_pairs(jsonb_build_object(c.key, c.value)) FROM jsonb_each(p_claims) AS c ORDER BY c.key <> 'sub', length(c.key) DESC, c.key LIMIT 1
);
COMMENT ON FUNCTION skypanel.claims_anchor IS 'One of the claims that a token has to have, as pairs: what bindings are found by.';

CREATE OR REPLACE FUNCTION skypanel.claims_form(p_claims jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
    jsonb_typeof(p_claims) = 'object'
       AND (SELECT count(*) BETWEEN 1 AND 8 AND bool_and(
                       c.key ~ '^[A-Za-z_][A-Za-z0-9_:./-]{0,127}$' AND c.key NOT IN ('iss', 'aud', 'exp', 'iat', 'nbf', 'jti')
                   AND CASE WHEN jsonb_typeof(c.value) = 'array' THEN jsonb_array_length(c.value) BETWEEN 1 AND 20
                            AND NOT jsonb_path_exists(c.value, 'strict $[*] ? (@.type() != "string" || @ == "")') ELSE false END)
              FROM jsonb_each(CASE WHEN jsonb_typeof(p_claims) = 'object' THEN p_claims ELSE '{}' END) AS c)
       AND length(p_claims::text) <= 4096;
COMMENT ON FUNCTION skypanel.claims_form IS 'One to eight claims, each with a list of values, one of which a token has to have.';

CREATE TABLE IF NOT EXISTS skypanel.role_bindings (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name            text        NOT NULL CONSTRAINT role_bindings_name_form CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$'),
    organization_id uuid        REFERENCES public.organizations (id) ON DELETE CASCADE,
    issuer          text        NOT NULL CONSTRAINT role_bindings_issuer_form CHECK (issuer ~ '^https?://[!-~]+$' AND length(issuer) <= 512),
    claims          jsonb       NOT NULL CONSTRAINT role_bindings_claims_form CHECK (skypanel.claims_form(claims)),
    anchor          text[]      GENERATED ALWAYS AS (skypanel.claims_anchor(claims)) STORED,
    role            text        NOT NULL,
    apps            text[],
    verbs           text[],
    made_at         timestamptz NOT NULL DEFAULT now(),
    made_by         text        NOT NULL DEFAULT coalesce(nullif(current_setting('skypanel.actor', true), ''), session_user),
    CONSTRAINT role_bindings_role_of_its_place CHECK (role = ANY (CASE WHEN organization_id IS NULL
        THEN '{platform-admin,platform-viewer}'::text[] ELSE '{owner,admin,member,viewer}'::text[] END)),
    CONSTRAINT role_bindings_apps_of_an_organization CHECK (apps IS NULL OR organization_id IS NOT NULL AND cardinality(apps) BETWEEN 1 AND 100),
    CONSTRAINT role_bindings_verbs_some CHECK (verbs IS NULL OR cardinality(verbs) BETWEEN 1 AND 32)
);
CREATE UNIQUE INDEX IF NOT EXISTS role_bindings_name ON skypanel.role_bindings (organization_id, name) WHERE organization_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS role_bindings_name_of_platform ON skypanel.role_bindings (name) WHERE organization_id IS NULL;
CREATE INDEX IF NOT EXISTS role_bindings_anchor ON skypanel.role_bindings USING gin (anchor);
COMMENT ON TABLE skypanel.role_bindings IS 'Which tokens of an OpenID Connect issuer have which role. `skypanel bindings` writes them; what one says is never changed: it goes, and another one comes.';
COMMENT ON COLUMN skypanel.role_bindings.claims IS 'What a token has to say: for each claim a list of values, one of which it has.';
COMMENT ON COLUMN skypanel.role_bindings.apps IS 'Slugs of the apps that it reaches, with what is below them; NULL: all.';
CALL skypanel.bound_table('skypanel.role_bindings');
CALL skypanel.audit_table('skypanel.role_bindings', NULL, 'name', '{made_at,made_by,anchor}', '{}', 'OLD IS DISTINCT FROM NEW');

CREATE OR REPLACE FUNCTION skypanel.bindings_of(p_issuer text, p_claims jsonb, p_organization text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pairs  text[] := skypanel.claim_pairs(p_claims);
    tenant uuid   := nullif(current_setting('skypanel.organization', true), ''); -- who calls is asked before there is one
    asked  jsonb;
BEGIN
    IF p_organization IS NOT NULL THEN
        SELECT jsonb_build_object('id', o.id, 'slug', o.name) INTO asked FROM skypanel.organization_names o
         WHERE o.id::text = p_organization OR o.name = p_organization LIMIT 1;
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'name', b.name, 'role', b.role, 'apps', b.apps, 'verbs', b.verbs, 'of_platform', b.organization_id IS NULL,
                       'place', CASE WHEN b.organization_id IS NULL THEN asked ELSE jsonb_build_object('id', o.id, 'slug', o.name) END) ORDER BY b.name, b.id), '[]')
              FROM skypanel.role_bindings b LEFT JOIN skypanel.organization_names o ON o.id = b.organization_id
             WHERE b.anchor && pairs AND b.issuer = p_issuer AND (tenant IS NULL OR b.organization_id = tenant) AND (b.organization_id IS NULL OR o.id IS NOT NULL)
               AND NOT EXISTS (SELECT FROM jsonb_each(b.claims) AS c WHERE NOT skypanel.claim_pairs(jsonb_build_object(c.key, c.value)) && pairs));
END
$$;
COMMENT ON FUNCTION skypanel.bindings_of IS 'The bindings that claims of a token fit, which somebody else has verified: role, limits and organization of each.';
REVOKE EXECUTE ON FUNCTION skypanel.claim_pairs, skypanel.claims_anchor, skypanel.claims_form, skypanel.bindings_of FROM PUBLIC;

-- As in 0076; what a later file isolates by itself is known by that.

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
                            'skypanel.inventory', 'skypanel.subnets', 'skypanel.api_idempotency', 'skypanel.api_tokens']) AS t
        UNION -- and what later files isolated by themselves
        SELECT 5, 0, format('CALL skypanel.isolate_table(%L)', i.name)
          FROM skypanel.isolated_tables i WHERE i.given = '{}' AND NOT EXISTS (SELECT FROM skypanel.declared_tables d WHERE d.name = i.name)
        UNION ALL -- machines are the platform's, and reports tell what images there are
        SELECT 6, 0, 'CALL skypanel.isolate_table(''skypanel.api_token_uses'')' -- by its token
        UNION ALL
        SELECT 6, 0, format('CALL skypanel.isolate_table(%L, %L)', t, 'false') FROM unnest(ARRAY['public.paas_nodes', 'public.caas_image_reports']) AS t
        UNION ALL
        SELECT 7, 0, format('CALL skypanel.isolate_table(%L, %L, %L)', 'skypanel.reconcile_controls', 'this.scope = ''installation'' OR ' || c, c)
          FROM (VALUES ('EXISTS (SELECT FROM skypanel.names n WHERE n.kind = this.kind AND n.id = this.id AND n.organization_id IS NOT NULL)')) AS s(c)) w
     ORDER BY w.place, w.depth, w.statement
$$;
CALL skypanel.isolate_table('skypanel.role_bindings');
