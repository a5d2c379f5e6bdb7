-- Restart of one process by a declared token. One table a file is locked: readers take them in orders of their own.

ALTER TABLE public.paas_processes
    ADD COLUMN IF NOT EXISTS restart_token text
        CONSTRAINT paas_processes_restart_token_form CHECK (restart_token ~ '^[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}$');
CALL skypanel.bound_table('public.paas_processes');
COMMENT ON COLUMN public.paas_processes.restart_token IS 'spec: another one replaces the tasks of this process; NULL: they were never restarted by one of their own';
CALL skypanel.declare_kind('process', 'paas_processes', name => 'type', parent => 'environment', parent_column => 'environment_id', part => true);
