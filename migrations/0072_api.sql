-- What the HTTP API keeps: keys of requests that were answered.
--
-- No table that readers join already is locked in this file.

CREATE TABLE IF NOT EXISTS skypanel.api_idempotency (
    id              bytea       PRIMARY KEY CONSTRAINT api_idempotency_id_digest CHECK (length(id) = 32),
    organization_id uuid,
    request         bytea       NOT NULL CONSTRAINT api_idempotency_request_digest CHECK (length(request) = 32),
    status          integer,
    headers         jsonb,
    body            bytea,
    made_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE skypanel.api_idempotency IS
    'One row for each Idempotency-Key of the last 24 hours: what was asked, as a hash, and what was answered. status NULL: it is being worked on.';
COMMENT ON COLUMN skypanel.api_idempotency.id IS 'SHA-256 of organization, caller, token and key.';
CREATE INDEX IF NOT EXISTS api_idempotency_made_at ON skypanel.api_idempotency (made_at);

-- As in 0071, and of these keys, and of API tokens, whoever asks sees his organization's own.

CREATE OR REPLACE FUNCTION skypanel.isolations() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.statement FROM (
        SELECT 1 AS place, 0 AS depth, format('CALL skypanel.isolate_view(%L)', v) AS statement FROM unnest(ARRAY['status', 'sizes', 'quotas', 'audit']) AS v
        UNION ALL
        SELECT 2, 0, 'CALL skypanel.isolate_kind_views()'
        UNION ALL -- owners first; what a key leads to that comes later is known in the second round
        SELECT 3 + round, coalesce(k.depth, 99), format('CALL skypanel.isolate_table(%L)', d.name)
          FROM generate_series(0, 1) AS round CROSS JOIN skypanel.declared_tables d LEFT JOIN skypanel.kinds k ON k.table_name = d.name
         WHERE d.name <> 'public.paas_nodes'
        UNION ALL
        SELECT 5, 0, format('CALL skypanel.isolate_table(%L)', t)
          FROM unnest(ARRAY['public.paas_releases', 'public.paas_containers', 'public.paas_usage', 'public.caas_exec_audit', 'public.paas_image_facts',
                            'public.caas_image_verdicts', 'skypanel.object_status', 'skypanel.events', 'skypanel.config_history', 'skypanel.data_keys',
                            'skypanel.inventory', 'skypanel.subnets', 'skypanel.api_idempotency', 'skypanel.api_tokens']) AS t
        UNION ALL -- machines are the platform's, and reports tell what images there are
        SELECT 6, 0, 'CALL skypanel.isolate_table(''skypanel.api_token_uses'')' -- by its token
        UNION ALL
        SELECT 6, 0, format('CALL skypanel.isolate_table(%L, %L)', t, 'false') FROM unnest(ARRAY['public.paas_nodes', 'public.caas_image_reports']) AS t
        UNION ALL
        SELECT 7, 0, format('CALL skypanel.isolate_table(%L, %L, %L)', 'skypanel.reconcile_controls', 'this.scope = ''installation'' OR ' || c, c)
          FROM (VALUES ('EXISTS (SELECT FROM skypanel.names n WHERE n.kind = this.kind AND n.id = this.id AND n.organization_id IS NOT NULL)')) AS s(c)) w
     ORDER BY w.place, w.depth, w.statement
$$;
