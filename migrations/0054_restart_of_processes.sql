-- When a task of a process whose program ended is started again. One table a file is locked: readers take them in orders of their own.

ALTER TABLE public.paas_processes
    ADD COLUMN IF NOT EXISTS restart text CONSTRAINT paas_processes_restart_known CHECK (restart IN ('always', 'on-failure', 'unless-stopped'));
CALL skypanel.bound_table('public.paas_processes');
COMMENT ON COLUMN public.paas_processes.restart IS 'spec: NULL takes the environment''s';
CALL skypanel.declare_kind('process', 'paas_processes', name => 'type', parent => 'environment', parent_column => 'environment_id', part => true);
