-- How a process is asked to stop. One table a file is locked: readers take them in orders of their own.

ALTER TABLE public.paas_processes
    ADD COLUMN IF NOT EXISTS stop_signal text CONSTRAINT paas_processes_stop_signal_known
        CHECK (stop_signal IN ('SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'));
CALL skypanel.bound_table('public.paas_processes');
COMMENT ON COLUMN public.paas_processes.stop_signal IS 'spec: NULL takes the environment''s';
CALL skypanel.declare_kind('process', 'paas_processes', name => 'type', parent => 'environment', parent_column => 'environment_id', part => true);
