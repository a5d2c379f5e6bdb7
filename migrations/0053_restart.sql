-- When a task whose program ended is started again. One table a file is locked: readers take them in orders of their own.

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS restart text CONSTRAINT paas_environments_restart_known CHECK (restart IN ('always', 'on-failure', 'unless-stopped'));
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.restart IS 'spec: when a task whose program ended is started again; NULL is always';
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}',
                           derived => '{swarm_name,removed_at,changed_by,change_reason,change_commit}');
