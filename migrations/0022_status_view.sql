-- Status for the panel: what the controller says of each object, and whether anybody stands for it now.
--
-- A status row says what was so when it was written. The leader renews its lease every few seconds, and says with it when the
-- engine last answered: until then all that it said is vouched for.

ALTER TABLE skypanel.lease ADD COLUMN IF NOT EXISTS engine_seen_at timestamptz;
COMMENT ON COLUMN skypanel.lease.engine_seen_at IS 'When the engine last answered its holder, as of renewed_at; NULL: that is not known.';

CREATE OR REPLACE VIEW skypanel.leader AS
    SELECT l.name AS installation, l.holder, l.epoch, l.renewed_at, l.engine_seen_at,
           least(l.renewed_at, l.engine_seen_at) AS as_of,
           statement_timestamp() - l.renewed_at AS age,
           coalesce(statement_timestamp() - l.renewed_at <= l.patience, false) AS alive,
           coalesce(statement_timestamp() - l.engine_seen_at <= l.patience, true) AS reaches_engine
      FROM (VALUES (true)) AS one
      LEFT JOIN (SELECT *, greatest(interval '30 seconds', 3 * (expires_at - renewed_at)) AS patience
                   FROM skypanel.lease ORDER BY epoch DESC LIMIT 1) l ON true;
COMMENT ON VIEW skypanel.leader IS
    'One row: the last leader, whether it is alive (it renewed its lease within 30 s, or three times the lease where that is longer) and whether it reaches the engine. as_of: until when what it said is vouched for.';

CREATE OR REPLACE VIEW skypanel.parts AS
    SELECT c.kind, c.id, 'environment'::text AS parent_kind, c.environment_id AS parent_id, a.organization_id, c.generation,
           c.deleted OR e.deleted_at IS NOT NULL OR a.deleted_at IS NOT NULL OR o.deleted_at IS NOT NULL AS deleted
      FROM (SELECT 'process'::text AS kind, id, environment_id, generation, deleted_at IS NOT NULL AS deleted FROM public.paas_processes
            UNION ALL
            SELECT 'domain', id, environment_id, generation, deleted_at IS NOT NULL FROM public.paas_domains) c
      JOIN public.paas_environments e ON e.id = c.environment_id
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations o ON o.organization_id = a.organization_id;
COMMENT ON VIEW skypanel.parts IS 'Every declared object whose state another one''s reconciler speaks of. deleted: its own deleted_at or a parent''s is set.';

CREATE OR REPLACE VIEW skypanel.status AS
    SELECT d.kind, d.id, d.parent_kind, d.parent_id, d.organization_id, d.generation, d.deleted,
           coalesce(s.observed_generation, 0) AS observed_generation,
           CASE v.state WHEN 'said' THEN coalesce(jsonb_path_query_first(s.conditions, '$[*] ? (@.type == "Ready").status') #>> '{}',
                                                  CASE WHEN s.ready THEN 'True' ELSE 'False' END)
                        WHEN 'unvouched' THEN 'Unknown' ELSE 'False' END AS ready,
           CASE v.state WHEN 'said' THEN s.reason WHEN 'gone' THEN 'Deleted' WHEN 'going' THEN 'Deleting' WHEN 'pending' THEN 'Pending'
                        ELSE CASE WHEN l.alive THEN 'EngineAway' ELSE 'ControllerAway' END END AS reason,
           CASE v.state
               WHEN 'said' THEN s.message
               WHEN 'gone' THEN coalesce(s.message, 'nothing of it is left')
               WHEN 'going' THEN 'its deletion was asked for' || v.nobody
               WHEN 'pending' THEN 'generation ' || d.generation || ' was not looked at yet' || v.nobody
                                   || coalesce('; generation ' || s.observed_generation || ' was ' || s.reason || ': ' || s.message, '')
               ELSE CASE WHEN l.alive THEN 'the controller has not reached the engine' ELSE 'no controller has been alive' END
                    || ' since ' || to_char(l.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') || '; until then ' || s.reason || ': ' || s.message
           END AS message,
           v.state = 'said' AND coalesce(s.conditions @> '[{"type": "Stalled", "status": "True"}]', false) AS stalled,
           coalesce(s.conditions, '[]') AS conditions, coalesce(s.details, '{}') AS details, s.finalized_at, s.updated_at,
           CASE WHEN s.id IS NOT NULL THEN l.as_of END AS as_of, l.alive AS controller_alive, l.age AS leader_age
      FROM (SELECT kind, id, NULL::text AS parent_kind, NULL::uuid AS parent_id, organization_id, generation, deleted FROM skypanel.objects
            UNION ALL
            SELECT kind, id, parent_kind, parent_id, organization_id, generation, deleted FROM skypanel.parts) d
      LEFT JOIN skypanel.object_status s ON s.kind = d.kind AND s.id = d.id
      LEFT JOIN skypanel.object_status p ON p.kind = d.parent_kind AND p.id = d.parent_id
      CROSS JOIN skypanel.leader l
      CROSS JOIN LATERAL (SELECT
               CASE WHEN d.deleted AND (s.finalized_at IS NOT NULL OR p.finalized_at IS NOT NULL) THEN 'gone'
                    WHEN d.deleted AND coalesce(s.observed_generation, 0) < d.generation THEN 'going'
                    WHEN d.deleted AND s.ready THEN 'going'
                    WHEN coalesce(s.observed_generation, 0) < d.generation THEN 'pending'
                    WHEN s.ready AND NOT (l.alive AND l.reaches_engine) THEN 'unvouched'
                    ELSE 'said' END AS state,
               CASE WHEN l.alive THEN '' WHEN l.renewed_at IS NULL THEN ', and no controller has ever been alive: start one'
                    ELSE ', and no controller has been alive since ' || to_char(l.renewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') END AS nobody) v;
COMMENT ON VIEW skypanel.status IS
    'How each declared object is: ready is True, False or Unknown. True is said only of the generation that is, while a controller is alive and reaches the engine. An app is as its environments are.';
COMMENT ON COLUMN skypanel.status.as_of IS 'Until when this is vouched for: the last proof that the leader was alive and reached the engine. updated_at is when it last changed.';
