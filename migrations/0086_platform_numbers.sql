-- Numbers of the whole platform, for who runs it and comes by the HTTP API: how many objects of each kind stand how.

CREATE OR REPLACE VIEW skypanel.platform_numbers AS
    SELECT x.kind, x.state, count(*) AS number
      FROM (SELECT s.kind,
                   CASE WHEN s.deleted THEN 'deleting' WHEN s.ready = 'Unknown' THEN 'unknown' WHEN s.ready = 'True' THEN 'ready'
                        WHEN s.stalled THEN 'stalled' ELSE 'progressing' END AS state
              FROM skypanel.status s WHERE s.finalized_at IS NULL
            UNION ALL
            SELECT n.kind, 'declared' FROM skypanel.names n JOIN skypanel.kinds k ON k.kind = n.kind AND NOT k.reconciled AND NOT k.part WHERE n.deleted IS NOT TRUE
            UNION ALL
            SELECT 'node', m.status FROM public.paas_nodes m WHERE m.deleted_at IS NULL) x
     WHERE (SELECT c.everything FROM skypanel.caller c)
     GROUP BY x.kind, x.state;
COMMENT ON VIEW skypanel.platform_numbers IS 'How many objects of each kind stand how, and how many nodes. declared: nothing is said of such objects. For the platform alone.';
