-- Runs: a command that is to be run once in an environment is a kind with a reconciler.
--
-- What a row asks for is never changed, but that it is to be stopped. What the controller has to remember of it, so that it is never run
-- twice, is in a table of its own, which refuses to be told otherwise; the status columns of the row follow that.

ALTER TABLE public.paas_runs
    ADD COLUMN IF NOT EXISTS name            text    NOT NULL DEFAULT 'run-' || left(replace(gen_random_uuid()::text, '-', ''), 12)
                                             CONSTRAINT paas_runs_name_form CHECK (skypanel.is_slug(name)),
    ADD COLUMN IF NOT EXISTS plan_id         uuid    REFERENCES public.paas_plans (id) ON DELETE SET NULL,
    ADD COLUMN IF NOT EXISTS timeout_seconds integer NOT NULL DEFAULT 3600 CONSTRAINT paas_runs_timeout_seconds_range CHECK (timeout_seconds BETWEEN 1 AND 86400),
    ADD COLUMN IF NOT EXISTS release         integer CONSTRAINT paas_runs_release_positive CHECK (release > 0),
    ADD COLUMN IF NOT EXISTS stopped         boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS deleted_at      timestamptz;
CREATE UNIQUE INDEX IF NOT EXISTS paas_runs_name_unique ON public.paas_runs (environment_id, name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_runs_not_over ON public.paas_runs (environment_id) WHERE finished_at IS NULL AND deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_runs_plan ON public.paas_runs (plan_id);
COMMENT ON TABLE public.paas_runs IS 'One-off commands in an environment: each is run once at most, and never changed.';
COMMENT ON COLUMN public.paas_runs.name IS 'spec: made where it is not given';
COMMENT ON COLUMN public.paas_runs.command IS 'spec: a program and its arguments';
COMMENT ON COLUMN public.paas_runs.plan_id IS 'spec: what limits it in place of the environment''s limits';
COMMENT ON COLUMN public.paas_runs.timeout_seconds IS 'spec: it is stopped when it has not ended after so long';
COMMENT ON COLUMN public.paas_runs.release IS 'spec: the release that it runs in; NULL: the one that serves';
COMMENT ON COLUMN public.paas_runs.stopped IS 'spec: it is to be stopped; that cannot be taken back';
COMMENT ON COLUMN public.paas_runs.deleted_at IS 'spec: it is to be stopped, and nobody asks how it ended';
COMMENT ON COLUMN public.paas_runs.status IS 'status: pending, running, succeeded; failed: also where nobody knows; cancelled: it was to be stopped';

CREATE TABLE IF NOT EXISTS public.paas_run_records (
    run_id         uuid        PRIMARY KEY CONSTRAINT paas_run_records_run_id_fkey REFERENCES public.paas_runs (id) ON DELETE CASCADE,
    service_id     text        CONSTRAINT paas_run_records_service_id_bounded CHECK (length(service_id) <= 64),
    begun_at       timestamptz,
    release        integer,
    missing_at     timestamptz,
    ending         text        CONSTRAINT paas_run_records_ending_known CHECK (ending IN ('timed_out', 'stopped', 'unknown')),
    ending_message text        CONSTRAINT paas_run_records_ending_message_bounded CHECK (length(ending_message) <= 2048),
    started_at     timestamptz,
    finished_at    timestamptz,
    outcome        text        CONSTRAINT paas_run_records_outcome_known
                               CHECK (outcome IN ('succeeded', 'failed', 'timed_out', 'stopped', 'not_started', 'unknown')),
    exit_code      integer,
    message        text        CONSTRAINT paas_run_records_message_bounded CHECK (length(message) <= 2048)
);
COMMENT ON TABLE public.paas_run_records IS 'status: what is on record of runs. What began is not let begin again, and what is over stays as it ended.';
COMMENT ON COLUMN public.paas_run_records.service_id IS 'status: the one object on the Swarm whose task may be let begin; NULL: it was not let begin';
COMMENT ON COLUMN public.paas_run_records.missing_at IS 'status: when that was found to be gone, and nobody had asked for that';
COMMENT ON COLUMN public.paas_run_records.ending IS 'status: what it will have come to when it has stopped';
COMMENT ON COLUMN public.paas_run_records.outcome IS 'status: what it came to; NULL: it is not over';
COMMENT ON COLUMN public.paas_run_records.exit_code IS 'status: of its program; NULL: not known, or it had none';
COMMENT ON COLUMN public.paas_run_records.message IS 'status: how it ended; never what the program printed';

CREATE OR REPLACE FUNCTION skypanel.keep_run_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- Who has read an older row than there is tries again with that one: 40001 says so.
BEGIN
    IF OLD.outcome IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'run % is over: %', OLD.run_id, OLD.outcome USING ERRCODE = 'serialization_failure', HINT = 'Read it again.';
    ELSIF OLD.service_id IS NOT NULL AND NEW.service_id IS DISTINCT FROM OLD.service_id THEN
        RAISE EXCEPTION 'run % was let begin already', OLD.run_id USING ERRCODE = 'serialization_failure', HINT = 'Read it again.';
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER paas_run_records_keep BEFORE UPDATE ON public.paas_run_records FOR EACH ROW EXECUTE FUNCTION skypanel.keep_run_record();

CREATE OR REPLACE FUNCTION skypanel.show_run_record() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_runs r
       SET status = CASE NEW.outcome WHEN 'succeeded' THEN 'succeeded' WHEN 'stopped' THEN 'cancelled'
                         ELSE CASE WHEN NEW.outcome IS NOT NULL THEN 'failed' WHEN NEW.started_at IS NOT NULL THEN 'running' ELSE 'pending' END END,
           started_at = least(NEW.started_at, NEW.finished_at), finished_at = NEW.finished_at
     WHERE r.id = NEW.run_id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER paas_run_records_shown AFTER INSERT OR UPDATE ON public.paas_run_records FOR EACH ROW EXECUTE FUNCTION skypanel.show_run_record();

CREATE OR REPLACE FUNCTION skypanel.prepare_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.release IS DISTINCT FROM OLD.release THEN
        IF NEW.release IS NOT NULL AND NOT EXISTS (SELECT FROM public.paas_releases r WHERE (r.environment_id, r.version) = (NEW.environment_id, NEW.release)) THEN
            RAISE EXCEPTION 'environment % has no release %', NEW.environment_id, NEW.release
                USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_runs_release_there', SCHEMA = 'public', TABLE = 'paas_runs';
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL AND NEW.finished_at IS NULL THEN
            NEW.status := 'cancelled';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER paas_runs_prepare BEFORE INSERT OR UPDATE ON public.paas_runs FOR EACH ROW EXECUTE FUNCTION skypanel.prepare_run();

CREATE OR REPLACE FUNCTION skypanel.keep_run() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- After the row's policies: what is not his is nobody's to be told of.
DECLARE
    kept text[] := '{stopped,deleted_at,plan_id,triggered_by,status,logs_ref,started_at,finished_at,generation,created_at,updated_at}';
BEGIN
    IF to_jsonb(NEW) - kept IS DISTINCT FROM to_jsonb(OLD) - kept
       OR (OLD.stopped AND NOT NEW.stopped) OR (OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL)
       OR (NEW.plan_id IS DISTINCT FROM OLD.plan_id AND NEW.plan_id IS NOT NULL) THEN
        RAISE EXCEPTION 'run % is made once and not changed', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_runs_made_once', SCHEMA = 'public', TABLE = 'paas_runs',
                  HINT = 'Make another one. This one can be stopped (stopped) or deleted (deleted_at), and neither is taken back.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.keep_run IS 'Has a run stay as it was made, but that it is to be stopped or is deleted, for good.';
CREATE OR REPLACE TRIGGER paas_runs_keep AFTER UPDATE ON public.paas_runs FOR EACH ROW EXECUTE FUNCTION skypanel.keep_run();
REVOKE EXECUTE ON FUNCTION skypanel.keep_run_record, skypanel.show_run_record, skypanel.prepare_run, skypanel.keep_run FROM PUBLIC;

CREATE OR REPLACE VIEW skypanel.snapshot_run AS
    SELECT r.id, a.organization_id, r.generation,
           r.deleted_at IS NOT NULL OR e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', r.id, 'name', r.name, 'command', to_jsonb(r.command), 'timeout_seconds', r.timeout_seconds, 'stopped', r.stopped,
               'created_at', r.created_at, 'suspended', e.suspended OR a.suspended OR p.suspended,
               'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
               'app', jsonb_build_object('id', a.id, 'slug', a.slug),
               'paused', (SELECT coalesce(c.paused_reason, '') FROM skypanel.reconcile_controls c
                           WHERE (c.scope, c.kind, c.id) = ('object', 'environment', e.id) AND c.paused),
               'plan', (SELECT jsonb_build_object('id', id, 'name', name, 'cpu_limit', cpu_limit, 'memory_mb', memory_mb, 'pids_limit', pids_limit)
                          FROM public.paas_plans WHERE id = r.plan_id),
               'released', CASE WHEN v.version IS NOT NULL THEN jsonb_build_object('version', v.version, 'image', v.image_ref) END,
               'record', coalesce((SELECT to_jsonb(k) - 'run_id'::text FROM public.paas_run_records k WHERE k.run_id = r.id), '{}'),
               -- What is over needs no more than its name.
               'environment', coalesce((SELECT s.doc || jsonb_build_object('pinned', CASE WHEN v.version IS NOT NULL THEN
                                                   jsonb_build_object('version', v.version, 'settings', v.settings, 'processes', v.processes,
                                                                      'config', v.config, 'resolved', v.resolved) END)
                                          FROM skypanel.snapshot_environment s
                                         WHERE s.id = e.id AND NOT EXISTS (SELECT FROM public.paas_run_records k WHERE k.run_id = r.id AND k.outcome IS NOT NULL)),
                                       jsonb_build_object('id', e.id, 'name', e.name))) AS doc
      FROM public.paas_runs r
      JOIN public.paas_environments e ON e.id = r.environment_id
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations p ON p.organization_id = a.organization_id
      JOIN public.organizations o ON o.id = a.organization_id
      LEFT JOIN LATERAL (SELECT * FROM public.paas_releases x WHERE x.environment_id = e.id ORDER BY x.version IS NOT DISTINCT FROM r.release DESC,
                                x.deployed_at IS NOT NULL DESC, x.version DESC LIMIT 1) v ON r.release IS NULL OR v.version = r.release;
COMMENT ON VIEW skypanel.snapshot_run IS
    'A run with its environment in the release that it runs in: the one that is asked for, else the newest that all tasks ran, else the newest.';

CALL skypanel.declare_kind('run', 'paas_runs', parent => 'environment', parent_column => 'environment_id', reconciled => true,
                           wakes_on => '{environment}', refers => '{"plan": "plan_id"}', status => '{status,logs_ref,started_at,finished_at}');
CALL skypanel.bound_table('public.paas_runs');
CALL skypanel.bound_table('public.paas_run_records');
CALL skypanel.isolate_table('public.paas_run_records');

CREATE OR REPLACE FUNCTION skypanel.prune_ended(p_days integer, p_most integer, p_kept integer DEFAULT 50) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM public.paas_runs WHERE id IN (
        SELECT r.id FROM public.paas_runs r JOIN public.paas_run_records k ON k.run_id = r.id
         WHERE k.outcome IS NOT NULL
           AND (k.finished_at < now() - make_interval(days => p_days)
                OR (SELECT count(*) FROM public.paas_runs n WHERE n.environment_id = r.environment_id AND (n.created_at, n.id) > (r.created_at, r.id)) >= p_kept)
           AND NOT EXISTS (SELECT FROM skypanel.inventory i WHERE i.owner_kind = 'run' AND i.owner_id = r.id)
         LIMIT p_most FOR UPDATE OF r SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune_ended IS
    'One piece of the runs that are over, of which nothing lives, and that are older than so many days or behind so many newer ones of their environment; how many.';
REVOKE EXECUTE ON FUNCTION skypanel.prune_ended FROM PUBLIC;
