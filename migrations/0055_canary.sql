-- Canary: a part of the tasks runs a new version before the others follow. It is no part of a release.
-- One table that readers join already is locked in this file: paas_environments.

CREATE OR REPLACE FUNCTION skypanel.is_canary(p_canary jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_canary IS NULL THEN NULL
            WHEN jsonb_typeof(p_canary) IS DISTINCT FROM 'object' OR p_canary - '{tasks,share,quiet_seconds}'::text[] <> '{}'::jsonb THEN false
            WHEN p_canary::text ~ '\.' OR (p_canary ? 'tasks'::text) = (p_canary ? 'share'::text) THEN false
            ELSE skypanel.is_number_between(p_canary -> 'tasks'::text, 1, 1000)
                 AND skypanel.is_number_between(p_canary -> 'share'::text, 1, 99)
                 AND skypanel.is_number_between(p_canary -> 'quiet_seconds'::text, 1, 86400) END;
COMMENT ON FUNCTION skypanel.is_canary IS 'What goes first: tasks, or share in percent, and for how many seconds (quiet_seconds); whole numbers.';

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS canary jsonb CONSTRAINT paas_environments_canary_bounded CHECK (skypanel.is_canary(canary));
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.canary IS 'spec: {"tasks": 1} or {"share": 20}, percent, with "quiet_seconds": 300: so many tasks of each process run a new version for so long before the others follow; NULL: none waits';
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}',
                           derived => '{swarm_name,removed_at,changed_by,change_reason,change_commit}');

-- Who changed what runs is said of every column, but for those that are said here: of what is no part of a release. So a migration that
-- adds a column says nothing, unless that is none either.
CREATE OR REPLACE TRIGGER paas_environments_who_changed BEFORE UPDATE ON public.paas_environments
    FOR EACH ROW WHEN (OLD.inputs_version IS DISTINCT FROM NEW.inputs_version OR
        to_jsonb(OLD) - '{name,swarm_name,app_id,plan_id,instances,cpu_limit,memory_mb,region,pool,spread,suspended,restart_token,canary,generation,created_at,updated_at,deleted_at,removed_at,changed_by,change_reason,change_commit}'::text[]
        IS DISTINCT FROM
        to_jsonb(NEW) - '{name,swarm_name,app_id,plan_id,instances,cpu_limit,memory_mb,region,pool,spread,suspended,restart_token,canary,generation,created_at,updated_at,deleted_at,removed_at,changed_by,change_reason,change_commit}'::text[])
    EXECUTE FUNCTION skypanel.say_who_changed();
