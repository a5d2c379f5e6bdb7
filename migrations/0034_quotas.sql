-- Quotas: how much an organization may have. What would exceed one is refused when it is committed, whoever writes.
--
-- The end of a transaction counts, not its steps: an app may be replaced by another at the limit. What an organization has already
-- runs on when a quota is lowered below it; until there is room again, nothing may be raised that the quota counts, and all that
-- lowers or removes is taken. So nothing is counted for it, and it waits for nobody.

ALTER TABLE public.paas_organizations
    ADD COLUMN IF NOT EXISTS quota_apps         integer CONSTRAINT paas_organizations_quota_apps_range         CHECK (quota_apps BETWEEN 0 AND 1000000),
    ADD COLUMN IF NOT EXISTS quota_environments integer CONSTRAINT paas_organizations_quota_environments_range CHECK (quota_environments BETWEEN 0 AND 1000000),
    ADD COLUMN IF NOT EXISTS quota_tasks        integer CONSTRAINT paas_organizations_quota_tasks_range        CHECK (quota_tasks BETWEEN 0 AND 1000000),
    ADD COLUMN IF NOT EXISTS quota_cores        integer CONSTRAINT paas_organizations_quota_cores_range        CHECK (quota_cores BETWEEN 0 AND 1000000),
    ADD COLUMN IF NOT EXISTS quota_memory_mb    integer CONSTRAINT paas_organizations_quota_memory_mb_range    CHECK (quota_memory_mb BETWEEN 4 AND 2147483647),
    ADD COLUMN IF NOT EXISTS quota_domains      integer CONSTRAINT paas_organizations_quota_domains_range      CHECK (quota_domains BETWEEN 0 AND 1000000),
    ADD COLUMN IF NOT EXISTS quota_config_vars  integer CONSTRAINT paas_organizations_quota_config_vars_range  CHECK (quota_config_vars BETWEEN 0 AND 1000000);
COMMENT ON COLUMN public.paas_organizations.quota_apps IS 'spec: apps that it may have; NULL is unlimited';
COMMENT ON COLUMN public.paas_organizations.quota_environments IS 'spec: environments that it may have; NULL is unlimited';
COMMENT ON COLUMN public.paas_organizations.quota_tasks IS 'spec: replicas that it may declare, also of what is suspended; NULL is unlimited';
COMMENT ON COLUMN public.paas_organizations.quota_cores IS 'spec: cores that all its replicas together may use; NULL is unlimited';
COMMENT ON COLUMN public.paas_organizations.quota_memory_mb IS 'spec: MiB that all its replicas together may use; NULL is unlimited';
COMMENT ON COLUMN public.paas_organizations.quota_domains IS 'spec: host names that it may have; NULL is unlimited';
COMMENT ON COLUMN public.paas_organizations.quota_config_vars IS 'spec: config vars that it may have, of all layers; NULL is unlimited';

-- What there is.

CREATE OR REPLACE VIEW skypanel.sizes AS
    SELECT 'environment'::text AS kind, e.id, a.organization_id, e.suspended OR a.suspended OR o.suspended AS suspended, t.tasks,
           t.tasks * coalesce(e.cpu_limit, p.cpu_limit, 0.5) AS cores, t.tasks * coalesce(e.memory_mb, p.memory_mb, 256) AS memory_mb,
           e.plan_id, p.name AS plan, p.price_hourly, p.price_monthly
      FROM public.paas_organizations o
      JOIN public.paas_apps a ON a.organization_id = o.organization_id
      JOIN public.paas_environments e ON e.app_id = a.id
      LEFT JOIN public.paas_plans p ON p.id = e.plan_id
     CROSS JOIN LATERAL (SELECT coalesce(sum(c.instances), e.instances) AS tasks FROM public.paas_processes c
                          WHERE c.environment_id = e.id AND c.deleted_at IS NULL) t
     WHERE e.deleted_at IS NULL AND a.deleted_at IS NULL;
COMMENT ON VIEW skypanel.sizes IS
    'How large each environment is that is not deleted: replicas as declared, also of what is suspended, what they may use together (without a number of its own the plan''s, without a plan 0.5 cores and 256 MiB a task), and the prices of one.';

CREATE OR REPLACE VIEW skypanel.quotas AS
    SELECT o.organization_id, q.quota, q.used, q.allowed
      FROM public.paas_organizations o
     CROSS JOIN LATERAL (SELECT count(*) AS apps FROM public.paas_apps a
                          WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL) a
     CROSS JOIN LATERAL (SELECT count(*) AS environments, coalesce(sum(s.tasks), 0) AS tasks, coalesce(sum(s.cores), 0) AS cores,
                                coalesce(sum(s.memory_mb), 0) AS memory_mb
                           FROM skypanel.sizes s WHERE s.organization_id = o.organization_id) e
     CROSS JOIN LATERAL (SELECT count(*) AS domains
                           FROM public.paas_apps a JOIN public.paas_environments e ON e.app_id = a.id JOIN public.paas_domains d ON d.environment_id = e.id
                          WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND e.deleted_at IS NULL AND d.deleted_at IS NULL) d
     CROSS JOIN LATERAL (SELECT count(*) AS config_vars
                           FROM (SELECT v.id FROM skypanel.config_vars v
                                  WHERE v.organization_id = o.organization_id AND v.deleted_at IS NULL
                                 UNION ALL
                                 SELECT v.id FROM public.paas_apps a JOIN skypanel.config_vars v ON v.app_id = a.id
                                  WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND v.deleted_at IS NULL
                                 UNION ALL
                                 SELECT v.id FROM public.paas_apps a JOIN public.paas_environments e ON e.app_id = a.id
                                                  JOIN skypanel.config_vars v ON v.environment_id = e.id
                                  WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL AND e.deleted_at IS NULL AND v.deleted_at IS NULL) s) v
     CROSS JOIN LATERAL (VALUES ('apps', a.apps::numeric, o.quota_apps), ('environments', e.environments, o.quota_environments),
                                ('tasks', e.tasks, o.quota_tasks), ('cores', e.cores, o.quota_cores),
                                ('memory_mb', e.memory_mb, o.quota_memory_mb), ('domains', d.domains, o.quota_domains),
                                ('config_vars', v.config_vars, o.quota_config_vars)) AS q(quota, used, allowed);
COMMENT ON VIEW skypanel.quotas IS
    'How much of each quota an organization uses: the column of paas_organizations without quota_, what there is, and how much it may have; NULL is unlimited. Ask for one organization: all are counted anew.';

-- Who commits what is counted comes one after another, by organization: at the very end, when he has all other locks. A transaction
-- above READ COMMITTED that has not seen the one before fails with 40001, as the row is written and not only locked.

CREATE TABLE IF NOT EXISTS skypanel.quota_checks (
    organization_id uuid   PRIMARY KEY REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    checks          bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE skypanel.quota_checks IS 'One row an organization with quotas, taken by whoever commits what they count.';

CREATE OR REPLACE FUNCTION skypanel.check_quotas(p_organization uuid, p_raised text[], p_table text, p_row uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
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
            coalesce((SELECT slug FROM skypanel.organization_slugs WHERE id = p_organization), p_organization::text),
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
COMMENT ON FUNCTION skypanel.check_quotas IS 'Refuses a commit that raises what exceeds a quota of the organization.';

CREATE OR REPLACE FUNCTION skypanel.forget_quotas() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- What was counted before a statement (after SET CONSTRAINTS ... IMMEDIATE) says nothing of what is after it.
    PERFORM set_config('skypanel.quotas_checked', '', true);
    RETURN NULL;
END
$$;

-- Which rows raise what. The conditions of the triggers say it where the row does; else nothing is queued.

CREATE OR REPLACE FUNCTION skypanel.keep_quotas() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: names of the quotas that the row raises.
DECLARE
    changed jsonb := to_jsonb(NEW) - 'ciphertext'::text;
    tenant  uuid  := coalesce((changed ->> 'organization_id'::text)::uuid,
                              (SELECT a.organization_id FROM public.paas_apps a
                                WHERE a.id = coalesce((changed ->> 'app_id'::text)::uuid,
                                                      (SELECT e.app_id FROM public.paas_environments e
                                                        WHERE e.id = (changed ->> 'environment_id'::text)::uuid))));
BEGIN
    PERFORM skypanel.check_quotas(tenant, TG_ARGV, TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, (changed ->> 'id'::text)::uuid);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.keep_quotas_of_size() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- An environment of another size: what of it is larger.
DECLARE
    before public.paas_plans := (SELECT p FROM public.paas_plans p WHERE p.id = OLD.plan_id);
    after  public.paas_plans := (SELECT p FROM public.paas_plans p WHERE p.id = NEW.plan_id);
    more   boolean := NEW.instances > OLD.instances
                      AND NOT EXISTS (SELECT FROM public.paas_processes c WHERE c.environment_id = NEW.id AND c.deleted_at IS NULL);
    raised text[] := '{}';
BEGIN
    IF more THEN
        raised := raised || 'tasks'::text;
    END IF;
    IF more OR coalesce(NEW.cpu_limit, after.cpu_limit, 0.5) > coalesce(OLD.cpu_limit, before.cpu_limit, 0.5) THEN
        raised := raised || 'cores'::text;
    END IF;
    IF more OR coalesce(NEW.memory_mb, after.memory_mb, 256) > coalesce(OLD.memory_mb, before.memory_mb, 256) THEN
        raised := raised || 'memory_mb'::text;
    END IF;
    PERFORM skypanel.check_quotas((SELECT a.organization_id FROM public.paas_apps a WHERE a.id = NEW.app_id), raised,
                                  'public.paas_environments', NEW.id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.keep_quotas_of_rest() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A process is gone. The last one leaves an environment with the process that it has by itself, which may be larger.
DECLARE
    tenant uuid := (SELECT a.organization_id FROM public.paas_environments e JOIN public.paas_apps a ON a.id = e.app_id
                     WHERE e.id = OLD.environment_id AND e.deleted_at IS NULL AND e.instances > OLD.instances
                       AND NOT EXISTS (SELECT FROM public.paas_processes c WHERE c.environment_id = e.id AND c.deleted_at IS NULL));
BEGIN
    IF tenant IS NOT NULL THEN
        PERFORM skypanel.check_quotas(tenant, '{tasks,cores,memory_mb}', 'public.paas_environments', OLD.environment_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE PROCEDURE skypanel.count_towards_quotas(
    p_table text, p_name text, p_event text, p_when text, p_raised text[], p_function text DEFAULT 'keep_quotas')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bare text := (SELECT relname FROM pg_class WHERE oid = p_table::regclass);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION skypanel.forget_quotas()',
                   bare || '_quotas_forgotten', p_table);
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', bare || '_quotas_' || p_name, p_table);
    EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER %s ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (%s) EXECUTE FUNCTION skypanel.%I(%s)',
                   bare || '_quotas_' || p_name, p_event, p_table, p_when, p_function,
                   coalesce((SELECT string_agg(quote_literal(r), ', ') FROM unnest(p_raised) AS r), ''));
END
$$;

CALL skypanel.count_towards_quotas('public.paas_apps', 'new', 'INSERT', 'NEW.deleted_at IS NULL', '{apps}');
CALL skypanel.count_towards_quotas('public.paas_apps', 'back', 'UPDATE',
    'NEW.deleted_at IS NULL AND (OLD.deleted_at IS NOT NULL OR OLD.organization_id <> NEW.organization_id)',
    '{apps,environments,tasks,cores,memory_mb,domains,config_vars}');
CALL skypanel.count_towards_quotas('public.paas_environments', 'new', 'INSERT', 'NEW.deleted_at IS NULL',
    '{environments,tasks,cores,memory_mb}');
CALL skypanel.count_towards_quotas('public.paas_environments', 'back', 'UPDATE',
    'NEW.deleted_at IS NULL AND (OLD.deleted_at IS NOT NULL OR OLD.app_id <> NEW.app_id)',
    '{environments,tasks,cores,memory_mb,domains,config_vars}');
CALL skypanel.count_towards_quotas('public.paas_environments', 'size', 'UPDATE',
    'NEW.deleted_at IS NULL AND (OLD.instances, OLD.cpu_limit, OLD.memory_mb, OLD.plan_id) IS DISTINCT FROM (NEW.instances, NEW.cpu_limit, NEW.memory_mb, NEW.plan_id)',
    '{}', 'keep_quotas_of_size');
CALL skypanel.count_towards_quotas('public.paas_processes', 'new', 'INSERT', 'NEW.deleted_at IS NULL AND NEW.instances > 0',
    '{tasks,cores,memory_mb}');
CALL skypanel.count_towards_quotas('public.paas_processes', 'more', 'UPDATE',
    'NEW.deleted_at IS NULL AND (OLD.deleted_at IS NOT NULL OR OLD.environment_id <> NEW.environment_id OR OLD.instances < NEW.instances)',
    '{tasks,cores,memory_mb}');
CALL skypanel.count_towards_quotas('public.paas_processes', 'gone', 'DELETE', 'OLD.deleted_at IS NULL', '{}', 'keep_quotas_of_rest');
CALL skypanel.count_towards_quotas('public.paas_processes', 'going', 'UPDATE',
    'OLD.deleted_at IS NULL AND (NEW.deleted_at IS NOT NULL OR OLD.environment_id <> NEW.environment_id)', '{}', 'keep_quotas_of_rest');
CALL skypanel.count_towards_quotas('public.paas_domains', 'new', 'INSERT', 'NEW.deleted_at IS NULL', '{domains}');
CALL skypanel.count_towards_quotas('public.paas_domains', 'back', 'UPDATE',
    'NEW.deleted_at IS NULL AND (OLD.deleted_at IS NOT NULL OR OLD.environment_id <> NEW.environment_id)', '{domains}');
CALL skypanel.count_towards_quotas('skypanel.config_vars', 'new', 'INSERT', 'NEW.deleted_at IS NULL', '{config_vars}');
CALL skypanel.count_towards_quotas('skypanel.config_vars', 'back', 'UPDATE',
    'NEW.deleted_at IS NULL AND (OLD.deleted_at IS NOT NULL OR (OLD.organization_id, OLD.app_id, OLD.environment_id) IS DISTINCT FROM (NEW.organization_id, NEW.app_id, NEW.environment_id))',
    '{config_vars}');

REVOKE EXECUTE ON PROCEDURE skypanel.count_towards_quotas FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION skypanel.check_quotas, skypanel.forget_quotas, skypanel.keep_quotas, skypanel.keep_quotas_of_size, skypanel.keep_quotas_of_rest FROM PUBLIC;
