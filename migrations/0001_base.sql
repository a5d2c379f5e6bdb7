-- Base: our schema, and the panel's tables and trigger function where they are missing.
-- On the panel's own database nothing here changes anything that exists.

CREATE SCHEMA IF NOT EXISTS skypanel;
COMMENT ON SCHEMA skypanel IS
    'The controller''s own tables, views and functions. What should run is declared in public.paas_* and public.caas_*.';

DO $$
BEGIN
    IF to_regprocedure('public.update_updated_at_column()') IS NULL THEN
        CREATE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            NEW.updated_at = now();
            RETURN NEW;
        END
        $body$;
    END IF;
END
$$;

DO $$
BEGIN
    IF to_regclass('public.users') IS NULL THEN
        CREATE TABLE public.users (
            id            uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
            email         varchar(255) NOT NULL UNIQUE,
            password_hash varchar(255) NOT NULL,
            name          varchar(255) NOT NULL,
            role          varchar(50)  NOT NULL DEFAULT 'user' CHECK (role IN ('admin', 'user')),
            phone         varchar(50),
            timezone      varchar(100),
            preferences   jsonb        DEFAULT '{}',
            reset_token   varchar(255),
            reset_expires timestamp,
            created_at    timestamptz  DEFAULT now(),
            updated_at    timestamptz  DEFAULT now()
        );
        CREATE TRIGGER update_users_updated_at BEFORE UPDATE ON public.users
            FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
    END IF;

    IF to_regclass('public.organizations') IS NULL THEN
        CREATE TABLE public.organizations (
            id         uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
            name       varchar(255) NOT NULL,
            slug       varchar(255) NOT NULL UNIQUE,
            owner_id   uuid         NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
            settings   jsonb        DEFAULT '{}',
            website    varchar(500),
            address    text,
            tax_id     varchar(100),
            created_at timestamptz  DEFAULT now(),
            updated_at timestamptz  DEFAULT now()
        );
        CREATE INDEX idx_organizations_owner_id ON public.organizations (owner_id);
        CREATE TRIGGER update_organizations_updated_at BEFORE UPDATE ON public.organizations
            FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
    END IF;

    IF to_regclass('public.organization_members') IS NULL THEN
        CREATE TABLE public.organization_members (
            id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
            organization_id uuid        NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
            user_id         uuid        NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
            role            varchar(50) NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
            created_at      timestamptz DEFAULT now(),
            UNIQUE (organization_id, user_id)
        );
        CREATE INDEX idx_organization_members_user_id ON public.organization_members (user_id);
    END IF;
END
$$;

-- Forms shared by the checks of many tables.

CREATE OR REPLACE FUNCTION skypanel.is_slug(p_text text, p_longest integer DEFAULT 63) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT p_text ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' AND length(p_text) <= p_longest
$$;
COMMENT ON FUNCTION skypanel.is_slug IS
    'Lower-case letters, digits and inner hyphens: a DNS label, and so a part of a Swarm name.';

CREATE OR REPLACE FUNCTION skypanel.slug_of(p_text text, p_fallback uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(trim(BOTH '-' FROM regexp_replace(lower(p_text), '[^a-z0-9]+', '-', 'g')), ''),
                    left(p_fallback::text, 8))
$$;
COMMENT ON FUNCTION skypanel.slug_of IS
    'The slug form of any text; the first 8 hex digits of the id where nothing is left of the text.';

CREATE OR REPLACE FUNCTION skypanel.is_hostname(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT length(p_text) <= 253
       AND p_text ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'
$$;
COMMENT ON FUNCTION skypanel.is_hostname IS
    'A lower-case host name with at least one dot, labels of at most 63 characters, no IP address, no wildcard.';

CREATE OR REPLACE FUNCTION skypanel.is_argv(p_words text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT cardinality(p_words) > 0 AND array_ndims(p_words) = 1 AND array_position(p_words, NULL) IS NULL
$$;
COMMENT ON FUNCTION skypanel.is_argv IS 'A flat list of at least one word, none of them NULL.';

CREATE OR REPLACE FUNCTION skypanel.are_absolute_paths(p_paths text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(bool_and(path IS NOT NULL AND path ~ '^(/[^/:,]+)+$' AND path !~ '(^|/)\.\.?(/|$)'), true)
      FROM unnest(p_paths) AS path
$$;
COMMENT ON FUNCTION skypanel.are_absolute_paths IS
    'Absolute paths below /, without "." or "..", without a colon or comma (they would end a mount option).';

CREATE OR REPLACE FUNCTION skypanel.is_healthcheck(p_check jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(p_check) IS DISTINCT FROM 'object' THEN false
        WHEN jsonb_typeof(p_check -> 'command') IS DISTINCT FROM 'array' THEN false
        WHEN jsonb_array_length(p_check -> 'command') = 0 THEN false
        ELSE NOT jsonb_path_exists(p_check, 'strict $.command[*] ? (@.type() != "string")')
    END
$$;
COMMENT ON FUNCTION skypanel.is_healthcheck IS
    'An object whose "command" is a list of strings; its timings are checked by the controller.';
