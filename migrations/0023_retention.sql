-- Retention: what nobody needs any more goes, in small pieces, and what was removed is not read again at each comparison.

ALTER TABLE public.paas_organizations ADD COLUMN IF NOT EXISTS removed_at timestamptz;
ALTER TABLE public.paas_environments ADD COLUMN IF NOT EXISTS removed_at timestamptz;
COMMENT ON COLUMN public.paas_organizations.removed_at IS 'derived: when nothing was left of what deleted_at asked to remove; noted within an hour';
COMMENT ON COLUMN public.paas_environments.removed_at IS 'derived: when nothing was left of what deleted_at asked to remove; noted within an hour';
CREATE INDEX IF NOT EXISTS paas_organizations_there ON public.paas_organizations (organization_id) WHERE deleted_at IS NULL OR removed_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_environments_there ON public.paas_environments (id) WHERE deleted_at IS NULL OR removed_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_environments_removed ON public.paas_environments (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS paas_apps_deleted ON public.paas_apps (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS paas_processes_deleted ON public.paas_processes (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS paas_domains_deleted ON public.paas_domains (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS config_vars_deleted ON skypanel.config_vars (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_status_finalized ON skypanel.object_status (finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS tombstones_deleted ON skypanel.tombstones (deleted_at);

CALL skypanel.declare_table('paas_organizations', kind => 'organization', key => 'organization_id', derived => '{removed_at}');
CALL skypanel.declare_table('paas_environments', kind => 'environment', derived => '{swarm_name,removed_at}');
CALL skypanel.bound_table('public.paas_organizations');
CALL skypanel.bound_table('public.paas_environments');

CREATE OR REPLACE FUNCTION skypanel.forget_removal() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- A deletion that is taken back, or asked for again, is not done.
BEGIN
    NEW.removed_at := NULL;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER paas_organizations_forget_removal BEFORE UPDATE ON public.paas_organizations FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at AND NEW.removed_at IS NOT NULL) EXECUTE FUNCTION skypanel.forget_removal();
CREATE OR REPLACE TRIGGER paas_environments_forget_removal BEFORE UPDATE ON public.paas_environments FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at AND NEW.removed_at IS NOT NULL) EXECUTE FUNCTION skypanel.forget_removal();

-- A part that was deleted already is no input any more: its row can go without a word to its environment.
CREATE OR REPLACE PROCEDURE skypanel.declare_environment_input(p_table regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bare text := (SELECT relname FROM pg_class WHERE oid = p_table);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.lock_environment()',
                   bare || '_first_lock', p_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_touch', p_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER DELETE ON %s FOR EACH ROW WHEN (OLD.deleted_at IS NULL) EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_gone_touch', p_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_environment()',
                   bare || '_spec_touch', p_table);
END
$$;
COMMENT ON PROCEDURE skypanel.declare_environment_input IS
    'A changed row of this table (with environment_id, generation and deleted_at) changes what its environment should be.';
CALL skypanel.declare_environment_input('public.paas_processes');
CALL skypanel.declare_environment_input('public.paas_domains');
CALL skypanel.declare_environment_input('skypanel.config_vars');

CREATE OR REPLACE VIEW skypanel.present AS
    SELECT 'organization'::text AS kind, organization_id AS id, organization_id, generation, deleted_at IS NOT NULL AS deleted
      FROM public.paas_organizations
     WHERE deleted_at IS NULL OR removed_at IS NULL
    UNION ALL
    SELECT 'environment', e.id, a.organization_id, e.generation,
           e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR o.deleted_at IS NOT NULL
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations o ON o.organization_id = a.organization_id
     WHERE e.deleted_at IS NULL OR e.removed_at IS NULL;
COMMENT ON VIEW skypanel.present IS
    'The objects of skypanel.objects but those whose removal is done and noted: what a comparison has to look at, found without reading the others.';

CREATE OR REPLACE FUNCTION skypanel.prune(p_what text, p_days integer, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Rows that somebody else holds wait for the next time. What may still live, or is still declared somewhere, stays.
DECLARE
    before timestamptz := now() - make_interval(days => p_days);
    gone   integer;
BEGIN
    CASE p_what
    WHEN 'removals' THEN -- noted, not taken away
        WITH done AS (
            SELECT e.id, s.finalized_at FROM public.paas_environments e JOIN skypanel.object_status s ON s.kind = 'environment' AND s.id = e.id
             WHERE (e.deleted_at IS NULL OR e.removed_at IS NULL) AND e.deleted_at IS NOT NULL AND s.finalized_at IS NOT NULL
             LIMIT p_most FOR NO KEY UPDATE OF e SKIP LOCKED
        ), environments AS (
            UPDATE public.paas_environments e SET removed_at = done.finalized_at FROM done WHERE e.id = done.id RETURNING 1
        ), left_by AS (
            SELECT o.organization_id, s.finalized_at FROM public.paas_organizations o
              JOIN skypanel.object_status s ON s.kind = 'organization' AND s.id = o.organization_id
             WHERE (o.deleted_at IS NULL OR o.removed_at IS NULL) AND o.deleted_at IS NOT NULL AND s.finalized_at IS NOT NULL
             LIMIT p_most FOR NO KEY UPDATE OF o SKIP LOCKED
        ), organizations AS (
            UPDATE public.paas_organizations o SET removed_at = left_by.finalized_at FROM left_by
             WHERE o.organization_id = left_by.organization_id RETURNING 1
        )
        SELECT greatest((SELECT count(*) FROM environments), (SELECT count(*) FROM organizations)) INTO gone;
        RETURN gone;
    WHEN 'events' THEN
        DELETE FROM skypanel.events WHERE id IN (SELECT id FROM skypanel.events WHERE last_at < before LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'domains' THEN
        DELETE FROM public.paas_domains
         WHERE id IN (SELECT id FROM public.paas_domains WHERE deleted_at < before LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'processes' THEN
        DELETE FROM public.paas_processes
         WHERE id IN (SELECT id FROM public.paas_processes WHERE deleted_at < before LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'config_vars' THEN
        DELETE FROM skypanel.config_vars
         WHERE id IN (SELECT id FROM skypanel.config_vars WHERE deleted_at < before LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'environments' THEN -- an addon's data goes only when that is asked for
        DELETE FROM public.paas_environments WHERE id IN (
            SELECT e.id FROM public.paas_environments e
             WHERE e.removed_at < before AND e.deleted_at < before
               AND NOT EXISTS (SELECT FROM skypanel.inventory i WHERE i.owner_kind = 'environment' AND i.owner_id = e.id)
               AND NOT EXISTS (SELECT FROM public.paas_addons d WHERE d.environment_id = e.id AND d.deleted_at IS NULL)
             LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'apps' THEN
        DELETE FROM public.paas_apps WHERE id IN (
            SELECT a.id FROM public.paas_apps a
             WHERE a.deleted_at < before AND NOT EXISTS (SELECT FROM public.paas_environments e WHERE e.app_id = a.id)
             LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'organizations' THEN -- nor does a volume's
        DELETE FROM public.paas_organizations WHERE organization_id IN (
            SELECT o.organization_id FROM public.paas_organizations o
             WHERE o.removed_at < before AND o.deleted_at < before
               AND NOT EXISTS (SELECT FROM public.paas_apps a WHERE a.organization_id = o.organization_id)
               AND NOT EXISTS (SELECT FROM public.paas_volumes v WHERE v.organization_id = o.organization_id AND v.deleted_at IS NULL)
               AND NOT EXISTS (SELECT FROM skypanel.inventory i WHERE i.organization_id = o.organization_id)
               AND NOT EXISTS (SELECT FROM skypanel.subnets n WHERE n.organization_id = o.organization_id)
             LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'statuses' THEN
        DELETE FROM skypanel.object_status t USING (
            SELECT s.kind, s.id FROM skypanel.object_status s
             WHERE s.finalized_at < before
               AND NOT EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = s.kind AND o.id = s.id)
               AND NOT EXISTS (SELECT FROM skypanel.parts c WHERE c.kind = s.kind AND c.id = s.id)
             LIMIT p_most FOR UPDATE SKIP LOCKED) old
         WHERE (t.kind, t.id) = (old.kind, old.id);
    WHEN 'controls' THEN -- a pause holds what lives of an object, also when its row is gone
        DELETE FROM skypanel.reconcile_controls t USING (
            SELECT c.scope, c.kind, c.id FROM skypanel.reconcile_controls c
             WHERE c.updated_at < before AND c.scope <> 'installation'
               AND NOT EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = c.kind AND o.id = c.id)
               AND NOT EXISTS (SELECT FROM skypanel.inventory i
                                WHERE CASE c.scope WHEN 'object' THEN i.owner_kind = c.kind AND i.owner_id = c.id ELSE i.organization_id = c.id END)
             LIMIT p_most FOR UPDATE SKIP LOCKED) old
         WHERE (t.scope, t.kind, t.id) = (old.scope, old.kind, old.id);
    WHEN 'tombstones' THEN
        DELETE FROM skypanel.tombstones t USING (
            SELECT d.kind, d.id FROM skypanel.tombstones d
             WHERE d.deleted_at < before
               AND NOT EXISTS (SELECT FROM skypanel.inventory i WHERE i.owner_kind = d.kind AND i.owner_id = d.id)
               AND NOT EXISTS (SELECT FROM skypanel.object_status s WHERE s.kind = d.kind AND s.id = d.id AND s.finalized_at IS NULL)
             LIMIT p_most FOR UPDATE SKIP LOCKED) old
         WHERE (t.kind, t.id) = (old.kind, old.id);
    END CASE;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune IS
    'One piece of what is older than so many days and not needed any more, or (removals) notes which deletions are done; how many rows. Fewer than p_most: no more for now.';
