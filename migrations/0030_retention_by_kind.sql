-- Retention for every kind: a row that was deleted long ago goes when nothing of it is left and nothing belongs to it.

CREATE OR REPLACE FUNCTION skypanel.has_children(p_kind text, p_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    child skypanel.kinds;
    found_one boolean;
BEGIN
    FOR child IN SELECT * FROM skypanel.kinds k WHERE k.parent = p_kind AND NOT k.part LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I = $1)', child.table_name, child.parent_column) INTO found_one USING p_id;
        IF found_one THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
COMMENT ON FUNCTION skypanel.has_children IS 'Whether rows of other kinds belong to an object; its parts go with it.';

CREATE OR REPLACE FUNCTION skypanel.prune_kind(p_kind text, p_before timestamptz, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k    skypanel.kinds := (SELECT k FROM skypanel.kinds k WHERE k.kind = p_kind);
    gone integer;
BEGIN
    EXECUTE format('DELETE FROM %1$s WHERE %2$I IN (SELECT t.%2$I FROM %1$s t WHERE t.deleted_at < $1 AND NOT skypanel.has_children($2, t.%2$I)'
                   || CASE WHEN k.reconciled THEN
                      ' AND NOT EXISTS (SELECT FROM skypanel.inventory i WHERE i.owner_kind = $2 AND i.owner_id = t.%2$I)'
                      ' AND EXISTS (SELECT FROM skypanel.object_status s WHERE s.kind = $2 AND s.id = t.%2$I AND s.finalized_at < $1)'
                      ELSE '' END
                   || ' LIMIT $3 FOR UPDATE SKIP LOCKED)', k.table_name, k.key)
      USING p_before, p_kind, p_most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune_kind IS 'One piece of the rows of a kind that were deleted before a time, and of which nothing is left; how many.';

CREATE OR REPLACE FUNCTION skypanel.prune(p_what text, p_days integer, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- As in 0023, and what is none of it by its kind. Rows that somebody else holds wait for the next time. What may still live, or is still declared somewhere, stays.
DECLARE
    before timestamptz := now() - make_interval(days => p_days);
    gone   integer;
    named  text;
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
               AND NOT skypanel.has_children('environment', e.id)
             LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'apps' THEN
        DELETE FROM public.paas_apps WHERE id IN (
            SELECT a.id FROM public.paas_apps a
             WHERE a.deleted_at < before AND NOT skypanel.has_children('app', a.id)
             LIMIT p_most FOR UPDATE SKIP LOCKED);
    WHEN 'organizations' THEN -- nor does a volume's
        DELETE FROM public.paas_organizations WHERE organization_id IN (
            SELECT o.organization_id FROM public.paas_organizations o
             WHERE o.removed_at < before AND o.deleted_at < before
               AND NOT skypanel.has_children('organization', o.organization_id)
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
    ELSE
        SELECT k.kind INTO named FROM skypanel.kinds k WHERE k.table_name IN ('public.' || p_what, 'public.paas_' || p_what);
        IF named IS NULL THEN
            RAISE EXCEPTION 'prune: % is no kind''s table, nor anything else that is pruned', p_what;
        END IF;
        RETURN skypanel.prune_kind(named, before, p_most);
    END CASE;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune IS
    'One piece of what is older than so many days and not needed any more, or (removals) notes which deletions are done; how many rows. Of a kind: the name of its table, also without paas_. Fewer than p_most: no more for now.';

REVOKE EXECUTE ON FUNCTION skypanel.has_children, skypanel.prune_kind FROM PUBLIC;
