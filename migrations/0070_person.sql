-- A user of the panel is looked up with each call: by statements that are planned once a session, as 0069 did by one that was planned each time.
--
-- No table is locked in this file.

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
        SELECT jsonb_build_object('id', o.id, 'slug', o.slug) INTO asked FROM skypanel.owners o WHERE o.id::text = p_organization OR o.slug = p_organization LIMIT 1;
        who := who || jsonb_build_object('asked', asked);
    END IF;
    RETURN who;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'users of the panel cannot be looked up: %', SQLERRM
        USING ERRCODE = 'insufficient_privilege', HINT = 'docs/access.md lists what the owner of the panel''s tables grants.';
END
$$;
DROP FUNCTION IF EXISTS skypanel.seen_column(text, text, text, text[]);
