-- How long a task of a process serves on for when it is to stop. One table a file is locked: readers take them in orders of their own.

ALTER TABLE public.paas_processes
    ADD COLUMN IF NOT EXISTS drain_seconds integer CONSTRAINT paas_processes_drain_seconds_bounded CHECK (drain_seconds BETWEEN 0 AND 3600);
CALL skypanel.bound_table('public.paas_processes');
COMMENT ON COLUMN public.paas_processes.drain_seconds IS 'spec: NULL takes the environment''s';
CALL skypanel.declare_kind('process', 'paas_processes', name => 'type', parent => 'environment', parent_column => 'environment_id', part => true);
