-- How long a task serves on for when it is to stop. One table a file is locked: readers take them in orders of their own.

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS drain_seconds integer CONSTRAINT paas_environments_drain_seconds_bounded CHECK (drain_seconds BETWEEN 0 AND 3600);
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.drain_seconds IS 'spec: a task serves on for that long before its program is asked to stop; NULL is not at all';
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}', derived => '{swarm_name,removed_at,changed_by,change_reason,change_commit}');
