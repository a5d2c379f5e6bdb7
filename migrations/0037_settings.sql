-- What a task is run with beside its program: how it is asked to stop, limits, kernel settings, host names, files, and where.
--
-- What is left out is NULL, and changes nothing of what runs. The forms are those of specs/run_rules.py.

CREATE OR REPLACE FUNCTION skypanel.are_absolute_paths(p_paths text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(bool_and(path IS NOT NULL AND path ~ '^(/[^/:,]+)+(:size=[1-9][0-9]{0,6}Mi)?$' AND path !~ '(^|/)\.\.?(/|$)'), true)
          FROM unnest(p_paths) AS path);
COMMENT ON FUNCTION skypanel.are_absolute_paths IS
    'Absolute paths below /, without "." or "..", without a colon or comma (they would end a mount option); some with a size: /tmp:size=128Mi.';

CREATE OR REPLACE FUNCTION skypanel.is_task_path(p_path text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(p_path) <= 1024 AND p_path ~ '^(/[^/]+)+$' AND p_path !~ '[^ -~]|[:,]|\{\{'
   AND p_path !~ '(^|/)\.\.?(/|$)' AND p_path !~ '^/(proc|sys|dev|run/secrets)(/|$)';
COMMENT ON FUNCTION skypanel.is_task_path IS
    'A normalised path below /, not of the system, of printable ASCII; no colon, no comma, and no {{, which Swarm expands.';

CREATE OR REPLACE FUNCTION skypanel.are_tmpfs_paths(p_paths text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN skypanel.are_words(p_paths, 32, 40000) AND coalesce((
    SELECT count(*) = count(DISTINCT split_part(entry, ':size=', 1))
           AND bool_and(skypanel.is_task_path(split_part(entry, ':size=', 1))
                        AND (entry !~ ':' OR (entry ~ ':size=[1-9][0-9]{0,6}Mi$' AND entry !~ ':size=[123]Mi$' AND entry !~ ':.*:')))
      FROM unnest(p_paths) AS entry), true);
COMMENT ON FUNCTION skypanel.are_tmpfs_paths IS
    'Different paths of a task (skypanel.is_task_path), some with a size of at least 4 MiB: /tmp:size=128Mi.';

CREATE OR REPLACE FUNCTION skypanel.are_ulimits(p_limits jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_limits IS NULL THEN NULL
            WHEN jsonb_typeof(p_limits) IS DISTINCT FROM 'object' OR p_limits - '{nofile,memlock_mb}'::text[] <> '{}'::jsonb THEN false
            WHEN p_limits::text ~ '\.' THEN false
            ELSE skypanel.is_number_between(p_limits -> 'nofile'::text, 1024, 1048576)
                 AND skypanel.is_number_between(p_limits -> 'memlock_mb'::text, 4, 2147483647) END;
COMMENT ON FUNCTION skypanel.are_ulimits IS 'Limits of each process: nofile (open files), memlock_mb (MiB that it may lock); whole numbers.';

CREATE OR REPLACE FUNCTION skypanel.are_sysctls(p_settings jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_settings IS NULL THEN NULL
            WHEN jsonb_typeof(p_settings) IS DISTINCT FROM 'object' THEN false
            ELSE coalesce((SELECT bool_and(CASE
                WHEN s.key = 'net.ipv4.ip_local_port_range'
                THEN jsonb_typeof(s.value) = 'string' AND s.value #>> '{}' ~ '^[1-9][0-9]{3,4} [1-9][0-9]{3,4}$'
                     AND split_part(s.value #>> '{}', ' ', 1)::integer BETWEEN 1024 AND split_part(s.value #>> '{}', ' ', 2)::integer - 1
                     AND split_part(s.value #>> '{}', ' ', 2)::integer <= 65535
                WHEN jsonb_typeof(s.value) IS DISTINCT FROM 'number' OR s.value::text ~ '\.' THEN false
                ELSE coalesce(s.value::numeric BETWEEN known.low AND known.high, false) END)
              FROM jsonb_each(p_settings) AS s
              LEFT JOIN (VALUES ('net.core.somaxconn', 1, 65535), ('net.ipv4.ip_unprivileged_port_start', 0, 65535),
                                ('net.ipv4.tcp_fin_timeout', 1, 3600), ('net.ipv4.tcp_keepalive_intvl', 1, 32767),
                                ('net.ipv4.tcp_keepalive_probes', 1, 127), ('net.ipv4.tcp_keepalive_time', 1, 32767),
                                ('net.ipv4.tcp_max_syn_backlog', 1, 65535), ('net.ipv4.tcp_syncookies', 0, 2))
                     AS known (name, low, high) ON known.name = s.key), true) END;
COMMENT ON FUNCTION skypanel.are_sysctls IS 'Settings of a task''s own network namespace, within their bounds; no others.';

CREATE OR REPLACE FUNCTION skypanel.are_hosts(p_hosts jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_hosts IS NULL THEN NULL
            WHEN jsonb_typeof(p_hosts) IS DISTINCT FROM 'object' OR octet_length(p_hosts::text) > 65536 THEN false
            ELSE coalesce((SELECT count(*) <= 64 AND bool_and(
                jsonb_typeof(h.value) = 'string' AND length(h.key) <= 253
                AND h.key ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$'
                AND h.key !~ '(^|\.)([0-9]+|internal|localhost)$'
                AND h.value #>> '{}' ~ '^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f:]{2,39})$'
                AND h.value #>> '{}' !~ '^(0|127|169\.254|22[4-9]|2[3-9][0-9])\.|^(::1?|fe[89ab].*|ff.*)$')
              FROM jsonb_each(p_hosts) AS h), true) END;
COMMENT ON FUNCTION skypanel.are_hosts IS
    'Host names, none of ours, with the address of another machine each. What is an address after all, the controller reads.';

CREATE OR REPLACE FUNCTION skypanel.are_files(p_files jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_files IS NULL THEN NULL
            WHEN jsonb_typeof(p_files) IS DISTINCT FROM 'object' OR octet_length(p_files::text) > 700000 THEN false
            ELSE coalesce((SELECT count(*) <= 32
                                  AND sum(octet_length(f.key) + octet_length(f.value #>> '{}')) <= 100000
                                  AND bool_and(jsonb_typeof(f.value) = 'string' AND f.value <> '""'::jsonb
                                               AND skypanel.is_task_path(f.key) AND f.key !~ '^/\.skypanel(/|$)')
                             FROM jsonb_each(p_files) AS f), true) END;
COMMENT ON FUNCTION skypanel.are_files IS 'Texts by path (skypanel.is_task_path), none of them empty: 32 at most, of 100,000 bytes with their paths.';

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS stop_signal text CONSTRAINT paas_environments_stop_signal_known
        CHECK (stop_signal IN ('SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH')),
    ADD COLUMN IF NOT EXISTS ulimits     jsonb CONSTRAINT paas_environments_ulimits_bounded     CHECK (skypanel.are_ulimits(ulimits)),
    ADD COLUMN IF NOT EXISTS sysctls     jsonb CONSTRAINT paas_environments_sysctls_bounded     CHECK (skypanel.are_sysctls(sysctls)),
    ADD COLUMN IF NOT EXISTS extra_hosts jsonb CONSTRAINT paas_environments_extra_hosts_bounded CHECK (skypanel.are_hosts(extra_hosts)),
    ADD COLUMN IF NOT EXISTS files       jsonb CONSTRAINT paas_environments_files_bounded       CHECK (skypanel.are_files(files)),
    ADD COLUMN IF NOT EXISTS pool        text  CONSTRAINT paas_environments_pool_form           CHECK (skypanel.is_slug(pool)),
    ADD COLUMN IF NOT EXISTS spread      text  CONSTRAINT paas_environments_spread_form         CHECK (skypanel.is_slug(spread));
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.region IS 'spec: only nodes with this value of the label io.skypanel.region; NULL is anywhere';
COMMENT ON COLUMN public.paas_environments.pool IS 'spec: only nodes with this value of the label io.skypanel.pool; NULL is anywhere';
COMMENT ON COLUMN public.paas_environments.spread IS 'spec: tasks are spread over the values of the label io.skypanel.<spread> of nodes; NULL: over nodes';
COMMENT ON COLUMN public.paas_environments.stop_signal IS 'spec: asks a task to stop; NULL is the image''s';
COMMENT ON COLUMN public.paas_environments.tmpfs_paths IS 'spec: writable in-memory paths of the read-only root, of 64 MiB or as is said: /tmp:size=128Mi';
COMMENT ON COLUMN public.paas_environments.ulimits IS 'spec: {"nofile": 65536, "memlock_mb": 64}; what is left out is as for everybody';
COMMENT ON COLUMN public.paas_environments.sysctls IS 'spec: {"net.core.somaxconn": 4096}, of the task''s own network';
COMMENT ON COLUMN public.paas_environments.extra_hosts IS 'spec: {"name": "address"} that only the tasks know';
COMMENT ON COLUMN public.paas_environments.files IS 'spec: {"/path": "text"}; managers of the Swarm can read it: nothing secret';
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}', derived => '{swarm_name,removed_at}');

-- A check by a connection, or by a request, beside one by a command.

CREATE OR REPLACE FUNCTION skypanel.is_port(p_value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(p_value) IS DISTINCT FROM 'number' OR p_value::text ~ '\.' THEN false
            ELSE p_value::numeric BETWEEN 1 AND 65535 END;

CREATE OR REPLACE FUNCTION skypanel.is_request(p_value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(p_value) IS DISTINCT FROM 'object' OR p_value - '{path,port}'::text[] <> '{}'::jsonb THEN false
            ELSE jsonb_typeof(coalesce(p_value -> 'path'::text, '"/"')) = 'string'
                 AND coalesce(p_value ->> 'path'::text, '/') ~ '^/[!-~]*$' AND length(coalesce(p_value ->> 'path'::text, '/')) <= 1024
                 AND (coalesce(p_value -> 'port'::text, 'null') = 'null'::jsonb OR skypanel.is_port(p_value -> 'port'::text)) END;

CREATE OR REPLACE FUNCTION skypanel.is_health_check(p_check jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_check IS NULL THEN NULL
    WHEN jsonb_typeof(p_check) IS DISTINCT FROM 'object' OR octet_length(p_check::text) > 262144 THEN false
    WHEN p_check = '{"disabled": true}'::jsonb THEN true
    WHEN p_check - '{command,http,tcp,interval_seconds,timeout_seconds,retries,start_period_seconds,start_interval_seconds}'::text[] <> '{}'::jsonb THEN false
    WHEN (p_check ? 'command'::text)::integer + (p_check ? 'http'::text)::integer + (p_check ? 'tcp'::text)::integer <> 1 THEN false
    ELSE CASE
            WHEN p_check ? 'command'::text
            THEN CASE WHEN jsonb_typeof(p_check -> 'command'::text) IS DISTINCT FROM 'array' THEN false
                      WHEN jsonb_path_exists(p_check, 'strict $.command[*] ? (@.type() != "string")') THEN false
                      ELSE skypanel.is_command(ARRAY(SELECT jsonb_array_elements_text(p_check -> 'command'::text))) END
            WHEN p_check ? 'http'::text THEN skypanel.is_request(p_check -> 'http'::text)
            ELSE p_check -> 'tcp'::text = 'true'::jsonb OR skypanel.is_port(p_check -> 'tcp'::text) END
         AND skypanel.is_number_between(p_check -> 'interval_seconds'::text, 0.001, 86400)
         AND skypanel.is_number_between(p_check -> 'timeout_seconds'::text, 0.001, 86400)
         AND skypanel.is_number_between(p_check -> 'start_period_seconds'::text, 0, 86400)
         AND skypanel.is_number_between(p_check -> 'start_interval_seconds'::text, 0.001, 86400)
         AND skypanel.is_number_between(p_check -> 'retries'::text, 1, 100)
         AND coalesce(p_check ->> 'retries'::text, '1') !~ '\.'
END;
COMMENT ON FUNCTION skypanel.is_health_check IS
    'A command, {"path", "port"} to ask for, or a port to connect to (true: the process''s), with its timings in seconds, and nothing else; or {"disabled": true}, which turns the image''s own off.';
COMMENT ON COLUMN public.paas_environments.healthcheck IS 'spec: {"command": [...]}, {"http": {"path": "/", "port": 8080}} or {"tcp": true}, with "interval_seconds": 10, "timeout_seconds": 5, "retries": 3, "start_period_seconds": 0, "start_interval_seconds"; {"disabled": true} turns the image''s own off; NULL leaves it';

-- The document, with all of it.

CREATE OR REPLACE VIEW skypanel.snapshot_environment AS
    SELECT e.id, a.organization_id, e.generation,
           e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', e.id, 'name', e.name, 'swarm_name', e.swarm_name,
               'suspended', e.suspended OR a.suspended OR p.suspended,
               'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
               'app', jsonb_build_object('id', a.id, 'slug', a.slug),
               'deploy_mode', e.deploy_mode, 'image_ref', e.image_ref, 'entrypoint', e.entrypoint, 'cmd', e.cmd,
               'instances', e.instances, 'cpu_limit', e.cpu_limit, 'memory_mb', e.memory_mb,
               'port', e.port, 'ports', e.ports, 'volumes', e.volumes, 'healthcheck', e.healthcheck,
               'stop_grace_seconds', e.stop_grace_seconds, 'read_only_root', e.read_only_root, 'init', e.init,
               'stop_signal', e.stop_signal, 'tmpfs_paths', e.tmpfs_paths, 'run_as', e.run_as, 'ulimits', e.ulimits, 'sysctls', e.sysctls,
               'extra_hosts', e.extra_hosts, 'files', e.files, 'region', e.region, 'pool', e.pool, 'spread', e.spread,
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit,
                                                  'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = e.plan_id),
               'config', (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                                     'digest', md5(string_agg(concat_ws(',', v.name, v.id, v.version, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                                     'variables', count(*),
                                     'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]')) END
                            FROM skypanel.config_of(a.organization_id, a.id, e.id) v),
               'resolved', (SELECT jsonb_build_object('reference', f.reference, 'pinned', f.pinned, 'architecture', f.architecture,
                                                      'entrypoint', f.entrypoint, 'cmd', f.cmd, 'healthcheck', f.healthcheck, 'shell', f.shell)
                              FROM public.paas_image_facts f WHERE f.environment_id = e.id AND f.reference = e.image_ref),
               -- One more than the reader takes of each: it sees that there are too many, and not how many.
               'processes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                        'id', c.id, 'type', c.type, 'command', c.command, 'args', c.args,
                                        'instances', c.instances, 'port', c.port, 'healthcheck', c.healthcheck,
                                        'stop_grace_seconds', c.stop_grace_seconds, 'stop_signal', c.stop_signal, 'generation', c.generation)
                                        ORDER BY c.type), '[]')
                               FROM (SELECT * FROM public.paas_processes
                                      WHERE environment_id = e.id AND deleted_at IS NULL ORDER BY type LIMIT 101) c),
               'domains', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'id', d.id, 'hostname', d.hostname, 'process_type', d.process_type,
                                      'generation', d.generation) ORDER BY d.hostname), '[]')
                             FROM (SELECT * FROM public.paas_domains
                                    WHERE environment_id = e.id AND deleted_at IS NULL ORDER BY hostname LIMIT 501) d)) AS doc
      -- Subqueries for the rest, not joins: a document asks for a few rows by index, and planning nine tables takes longer.
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations p ON p.organization_id = a.organization_id
      JOIN public.organizations o ON o.id = a.organization_id;
