-- A process that gets another name leaves the scale of the one that a named release has to that release: quotas are counted then, too.

CALL skypanel.count_towards_quotas('public.paas_processes', 'going', 'UPDATE',
    'OLD.deleted_at IS NULL AND (NEW.deleted_at IS NOT NULL OR (OLD.environment_id, OLD.type) <> (NEW.environment_id, NEW.type))', '{}',
    'keep_quotas_of_rest');
