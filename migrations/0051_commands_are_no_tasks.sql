-- A process that is a command raises no quota; one that becomes another process does. One table a file is locked.

CALL skypanel.count_towards_quotas('public.paas_processes', 'new', 'INSERT', $$NEW.deleted_at IS NULL AND NEW.instances > 0 AND NEW.type <> 'release'$$,
    '{tasks,cores,memory_mb}');
CALL skypanel.count_towards_quotas('public.paas_processes', 'more', 'UPDATE',
    $$NEW.deleted_at IS NULL AND NEW.type <> 'release' AND (OLD.deleted_at IS NOT NULL OR OLD.type = 'release'
      OR OLD.environment_id <> NEW.environment_id OR OLD.instances < NEW.instances)$$,
    '{tasks,cores,memory_mb}');
COMMENT ON COLUMN public.paas_processes.type IS 'spec: web, worker, ...; release is a command that is run before each new release. No hyphen, so that it is the last part of the readable part of a Swarm name';
