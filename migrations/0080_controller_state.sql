-- How the controller is, and what its fuse holds back, for whoever runs the platform and comes by the HTTP API.

CREATE OR REPLACE VIEW skypanel.fuse_waiting AS
    WITH made AS (
        SELECT i.owner_kind, i.owner_id, min(i.organization_id::text)::uuid AS organization_id,
               (array_agg(i.object_type || ' ' || i.name ORDER BY i.object_type DESC, i.name))[1:4] AS names
          FROM skypanel.inventory i
          JOIN skypanel.fuse_losses l ON l.owner_kind = i.owner_kind AND l.owner_id = i.owner_id
         GROUP BY i.owner_kind, i.owner_id
    ), known AS MATERIALIZED (
        SELECT n.kind, n.id, n.path, n.organization_id FROM skypanel.names n
         WHERE n.kind IN (SELECT k.kind FROM skypanel.kinds k WHERE k.reconciled)
    )
    SELECT l.owner_kind AS kind, l.owner_id AS id, coalesce(n.path, '') AS name, coalesce(t.path, '') AS organization,
           CASE WHEN l.why <> 'deleted' THEN l.why
                WHEN d.id IS NOT NULL THEN 'its row was deleted by ' || d.deleted_by || ' at ' || to_char(d.deleted_at, 'YYYY-MM-DD HH24:MI:SS TZ')
                ELSE 'deleted_at is set' END AS why,
           l.objects, l.processes, l.hosts, coalesce(m.names, '{}') AS made, l.since, l.confirmed_at, l.confirmed_by
      FROM skypanel.fuse_losses l
      LEFT JOIN made m ON m.owner_kind = l.owner_kind AND m.owner_id = l.owner_id
      LEFT JOIN skypanel.tombstones d ON d.kind = l.owner_kind AND d.id = l.owner_id
      LEFT JOIN skypanel.object_status s ON s.kind = l.owner_kind AND s.id = l.owner_id
      LEFT JOIN known n ON n.kind = l.owner_kind AND n.id = l.owner_id
      LEFT JOIN known t ON t.id = coalesce(n.organization_id, s.organization_id, m.organization_id) AND t.organization_id = t.id
     WHERE (SELECT c.everything FROM skypanel.caller c);
COMMENT ON VIEW skypanel.fuse_waiting IS
    'What waits for a confirmation of its removal, by owner, with its name as far as anything still knows it. For the platform alone.';

CREATE OR REPLACE VIEW skypanel.controller_state AS
    SELECT f.tripped_at, coalesce(f.live_count, 0) AS live_count, q.changes, q.oldest_change, b.behind,
           (SELECT l.acquired_at FROM skypanel.lease l ORDER BY l.epoch DESC LIMIT 1) AS leading_since
      FROM (SELECT count(*) AS changes, min(g.logged_at) AS oldest_change FROM skypanel.change_log g) q
     CROSS JOIN (SELECT count(*) AS behind
                   FROM skypanel.objects o
                   LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id
                  WHERE CASE WHEN o.deleted THEN s.finalized_at IS NULL AND s.id IS NOT NULL ELSE s.observed_generation IS DISTINCT FROM o.generation END) b
      LEFT JOIN skypanel.fuse f ON f.id
     WHERE (SELECT c.everything FROM skypanel.caller c);
COMMENT ON VIEW skypanel.controller_state IS
    'One row: since when the fuse holds removals back, changes that wait for the controller, objects whose present generation it has not looked at, since when its leader leads. For the platform alone.';

CREATE OR REPLACE FUNCTION skypanel.confirm_losses(p_kinds text[], p_ids uuid[], p_objects integer[], p_processes integer[], p_hosts integer[])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- As it was shown, and nothing that came since. The fuse is woken first, as by `skypanel gc --confirm`.
DECLARE
    done bigint;
BEGIN
    IF current_setting('skypanel.platform', true) IS DISTINCT FROM 'on' THEN
        RETURN 0;
    END IF;
    WITH confirmed AS (
        UPDATE skypanel.fuse_losses f
           SET confirmed_at = now(), confirmed_by = left(coalesce(nullif(current_setting('skypanel.actor', true), ''), session_user), 255)
          FROM unnest(p_kinds, p_ids, p_objects, p_processes, p_hosts) AS s(kind, id, objects, processes, hosts)
         WHERE f.owner_kind = s.kind AND f.owner_id = s.id AND f.confirmed_at IS NULL
           AND f.objects <= s.objects AND f.processes <= s.processes AND f.hosts <= s.hosts
        RETURNING f.owner_kind, f.owner_id
    ), logged AS (
        INSERT INTO skypanel.change_log (kind, id, op)
        SELECT 'fuse', '00000000-0000-0000-0000-000000000000'::uuid, 'U' WHERE EXISTS (SELECT FROM confirmed)
        UNION ALL
        SELECT c.owner_kind, c.owner_id, 'U' FROM confirmed c
    )
    SELECT count(*) INTO done FROM confirmed;
    RETURN done;
END
$$;
COMMENT ON FUNCTION skypanel.confirm_losses IS 'Confirms removals that the fuse holds back, as they were shown; of how many owners. For the platform alone.';
REVOKE EXECUTE ON FUNCTION skypanel.confirm_losses FROM PUBLIC;
