-- Bounds: how large a value may be that the panel writes, and of what form where the controller reads it.
--
-- One row must not fill the memory of the process that serves all rows, nor hold what a reader cannot take (a number
-- beyond double precision, a time after the year 9999). The forms are those of specs/rules.py, specs/images.py and
-- specs/snapshots.py: what is refused here would be InvalidSpec there.
--
-- A rule that is younger than a table may find values that break it. PostgreSQL checks the whole row at each update, so
-- such a row could not even be suspended or deleted, nor could anything be that touches it. So those very values stay
-- allowed, by their hash, and the controller says InvalidSpec of them.

CREATE OR REPLACE FUNCTION skypanel.are_words(p_words text[], p_most integer DEFAULT 256, p_characters integer DEFAULT 32768)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(p_words) = 0
    OR (cardinality(p_words) <= p_most AND array_ndims(p_words) = 1 AND array_position(p_words, NULL::text) IS NULL
        AND length(array_to_string(p_words, '')) <= p_characters);
COMMENT ON FUNCTION skypanel.are_words IS 'A flat list without NULL, within limits of its length and of all characters.';

CREATE OR REPLACE FUNCTION skypanel.is_command(p_words text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(p_words) > 0 AND skypanel.are_words(p_words) AND p_words[array_lower(p_words, 1)] <> '';
COMMENT ON FUNCTION skypanel.is_command IS 'A program, which is not empty, and its arguments.';

CREATE OR REPLACE FUNCTION skypanel.are_tmpfs_paths(p_paths text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN skypanel.are_words(p_paths, 32) AND coalesce((
    SELECT count(*) = count(DISTINCT path)
           AND bool_and(length(path) <= 1024 AND path ~ '^(/[^/]+)+$' AND path !~ '[^ -~]|[:,]|\{\{'
                        AND path !~ '(^|/)\.\.?(/|$)' AND path !~ '^/(proc|sys|dev|run/secrets)(/|$)')
      FROM unnest(p_paths) AS path), true);
COMMENT ON FUNCTION skypanel.are_tmpfs_paths IS
    'Different normalised paths below /, not of the system, of printable ASCII; no colon, no comma, and no {{, which Swarm expands.';

CREATE OR REPLACE FUNCTION skypanel.is_user(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_text IS NULL THEN NULL
            WHEN p_text ~ '^(0|[1-9][0-9]{0,9})(:(0|[1-9][0-9]{0,9}))?$'
            THEN split_part(p_text, ':', 1)::bigint < 4294967295
                 AND coalesce(nullif(split_part(p_text, ':', 2), ''), '0')::bigint < 4294967295
            ELSE false END;
COMMENT ON FUNCTION skypanel.is_user IS 'A numeric uid or uid:gid without leading zeros; the largest number of 32 bits means nobody.';

CREATE OR REPLACE FUNCTION skypanel.is_image_name(p_name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(p_name) <= 255
   AND p_name !~ '^[a-f0-9]{64}$'
   AND CASE WHEN p_name ~ '^[^/]*[.:[][^/]*/|^localhost/' -- what Docker takes for a registry
            THEN p_name ~ '^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[a-f0-9:]+\])(:(?!0+/)(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4}))?(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)+$'
            ELSE p_name ~ '^[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)*$' END;

CREATE OR REPLACE FUNCTION skypanel.is_image(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(p_text) <= 1024
   AND p_text ~ '^[^@]*(@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?$'
   AND split_part(p_text, '@', 1) !~ ':[^/]*[^A-Za-z0-9_./-][^/]*$|:([.-][^/]*)?$|:[^/]{129,}$'
   AND skypanel.is_image_name(regexp_replace(split_part(p_text, '@', 1), ':[^/]*$', ''));
COMMENT ON FUNCTION skypanel.is_image IS
    'An image reference: registry, repository, tag, digest. Which registries may be used is a setting of the controller.';

CREATE OR REPLACE FUNCTION skypanel.is_number_between(p_value jsonb, p_low numeric, p_high numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_value IS NULL THEN true
            WHEN jsonb_typeof(p_value) = 'number' THEN p_value::numeric BETWEEN p_low AND p_high
            ELSE false END;

CREATE OR REPLACE FUNCTION skypanel.is_health_check(p_check jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_check IS NULL THEN NULL
    WHEN jsonb_typeof(p_check) IS DISTINCT FROM 'object' OR octet_length(p_check::text) > 262144 THEN false
    WHEN p_check = '{"disabled": true}'::jsonb THEN true
    WHEN p_check - '{command,interval_seconds,timeout_seconds,retries,start_period_seconds}'::text[] <> '{}'::jsonb THEN false
    WHEN jsonb_typeof(p_check -> 'command'::text) IS DISTINCT FROM 'array' THEN false
    WHEN jsonb_path_exists(p_check, 'strict $.command[*] ? (@.type() != "string")') THEN false
    ELSE skypanel.is_command(ARRAY(SELECT jsonb_array_elements_text(p_check -> 'command'::text)))
         AND skypanel.is_number_between(p_check -> 'interval_seconds'::text, 0.001, 86400)
         AND skypanel.is_number_between(p_check -> 'timeout_seconds'::text, 0.001, 86400)
         AND skypanel.is_number_between(p_check -> 'start_period_seconds'::text, 0, 86400)
         AND skypanel.is_number_between(p_check -> 'retries'::text, 1, 100)
         AND coalesce(p_check ->> 'retries'::text, '1') !~ '\.'
END;
COMMENT ON FUNCTION skypanel.is_health_check IS
    'A command with its timings in seconds, and nothing else; or {"disabled": true}, which turns the image''s own off.';

CREATE OR REPLACE FUNCTION skypanel.is_bounded_json(p_value jsonb, p_octets integer DEFAULT 16384) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(p_value::text) <= p_octets
   AND NOT jsonb_path_exists(p_value, 'strict $.**{17 to last}')
   AND NOT jsonb_path_exists(p_value, 'strict $.** ? (@.type() == "number" && (@ > 1e300 || @ < -1e300))');
COMMENT ON FUNCTION skypanel.is_bounded_json IS 'So many octets as text at most, 16 levels, and numbers that a double can hold.';

-- Adding them.

CREATE OR REPLACE PROCEDURE skypanel.add_rule(p_table regclass, p_column text, p_rule text, p_name text DEFAULT NULL)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rule  text := coalesce(p_name, (SELECT relname FROM pg_class WHERE oid = p_table) || '_' || p_column || '_bounded');
    found text[];
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = p_table AND conname = rule) THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT array_agg(DISTINCT encode(sha256(convert_to(%1$I::text, ''UTF8'')), ''hex'')) FROM %2$s WHERE NOT (%3$s)',
                   p_column, p_table, p_rule) INTO found;
    IF found IS NULL THEN
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (%s)', p_table, rule, p_rule);
    ELSE
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I CHECK ((%s) OR encode(sha256(convert_to(%I::text, ''UTF8'')), ''hex'') = ANY (%L::text[]))',
                       p_table, rule, p_rule, p_column, found);
    END IF;
END
$$;
COMMENT ON PROCEDURE skypanel.add_rule IS
    'A constraint <table>_<column>_bounded that is younger than the table: values that break it already stay allowed, by their hash.';

CREATE OR REPLACE PROCEDURE skypanel.bound_table(p_table regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- What a column may hold that has no rule of its own, by its type. Numbers of fixed size, booleans and ids are bounded.
DECLARE
    col record;
BEGIN
    FOR col IN SELECT attname::text AS name, atttypid::regtype::text AS type, format('%I', attname) AS ident
                 FROM pg_attribute WHERE attrelid = p_table AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum LOOP
        IF col.type = 'timestamp with time zone' THEN -- other times mean nothing, and programs cannot take all of them
            EXECUTE format('UPDATE %1$s SET %2$s = least(greatest(%2$s, ''1970-01-01 00:00Z''), ''3000-01-01 00:00Z'')'
                           ' WHERE NOT %2$s BETWEEN ''1970-01-01 00:00Z'' AND ''3000-01-01 00:00Z''', p_table, col.ident);
        END IF;
        CASE col.type
            WHEN 'text' THEN CALL skypanel.add_rule(p_table, col.name, format('length(%s) <= 4096', col.ident));
            WHEN 'text[]' THEN CALL skypanel.add_rule(p_table, col.name, format('skypanel.are_words(%s)', col.ident));
            WHEN 'jsonb' THEN CALL skypanel.add_rule(p_table, col.name, format('skypanel.is_bounded_json(%s)', col.ident));
            WHEN 'bytea' THEN CALL skypanel.add_rule(p_table, col.name, format('length(%s) <= 65536', col.ident));
            WHEN 'numeric' THEN CALL skypanel.add_rule(p_table, col.name, format('%1$s > ''-Infinity'' AND %1$s < ''Infinity''', col.ident)); -- NaN is the largest
            WHEN 'timestamp with time zone' THEN
                CALL skypanel.add_rule(p_table, col.name, format('%s BETWEEN ''1970-01-01 00:00Z'' AND ''3000-01-01 00:00Z''', col.ident));
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE skypanel.bound_table IS 'Gives each column of a table that has no rule of its own one by its type. Can be called again.';
REVOKE EXECUTE ON PROCEDURE skypanel.add_rule, skypanel.bound_table FROM PUBLIC;

CALL skypanel.add_rule('public.paas_environments', 'image_ref', 'skypanel.is_image(image_ref)');
CALL skypanel.add_rule('public.paas_environments', 'entrypoint', 'skypanel.is_command(entrypoint)');
CALL skypanel.add_rule('public.paas_environments', 'tmpfs_paths', 'skypanel.are_tmpfs_paths(tmpfs_paths)');
CALL skypanel.add_rule('public.paas_environments', 'run_as', 'skypanel.is_user(run_as)');
CALL skypanel.add_rule('public.paas_processes', 'command', 'skypanel.is_command(command)');
CALL skypanel.add_rule('public.paas_apps', 'buildpack', 'length(buildpack) <= 255');
CALL skypanel.add_rule('public.paas_plans', 'pids_limit', 'pids_limit <= 4194304');
CALL skypanel.add_rule('public.paas_plans', 'storage_gb', 'storage_gb <= 1000000');
CALL skypanel.add_rule('public.paas_plans', 'bandwidth_gb', 'bandwidth_gb <= 1000000');
CALL skypanel.add_rule('skypanel.reconcile_controls', 'reconcile_token', 'length(reconcile_token) <= 255');

ALTER TABLE public.paas_environments DROP CONSTRAINT IF EXISTS paas_environments_healthcheck_form;
CALL skypanel.add_rule('public.paas_environments', 'healthcheck', 'skypanel.is_health_check(healthcheck)');
ALTER TABLE public.paas_processes DROP CONSTRAINT IF EXISTS paas_processes_healthcheck_form;
CALL skypanel.add_rule('public.paas_processes', 'healthcheck', 'skypanel.is_health_check(healthcheck)');

DO $$
DECLARE
    declared text;
BEGIN
    FOR declared IN SELECT name FROM skypanel.declared_tables UNION ALL SELECT 'skypanel.reconcile_controls' ORDER BY 1 LOOP
        CALL skypanel.bound_table(declared::regclass);
    END LOOP;
END
$$;
