-- Restart by a declared token: another one replaces all tasks. It is no part of a release.
-- One table that readers join already is locked in this file: paas_environments.

ALTER TABLE public.paas_environments
    ADD COLUMN IF NOT EXISTS restart_token text
        CONSTRAINT paas_environments_restart_token_form CHECK (restart_token ~ '^[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}$');
CALL skypanel.bound_table('public.paas_environments');
COMMENT ON COLUMN public.paas_environments.restart_token IS 'spec: another one replaces all tasks; NULL: they were never restarted by one';
CALL skypanel.declare_kind('environment', 'paas_environments', parent => 'app', parent_column => 'app_id', reconciled => true,
                           wakes_on => '{organization}', refers => '{"plan": "plan_id"}',
                           derived => '{swarm_name,removed_at,changed_by,change_reason,change_commit}');
