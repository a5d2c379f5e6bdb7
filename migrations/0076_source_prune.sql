-- Sources take away what they no longer declare, where they say so; and what another source waits for changes hands.

ALTER TABLE public.paas_sources ADD COLUMN IF NOT EXISTS prune boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN public.paas_sources.prune IS 'spec: what it has declared and declares no longer is deleted';

CREATE TABLE IF NOT EXISTS skypanel.source_claims (
    kind            text NOT NULL,
    id              uuid NOT NULL,
    source_id       uuid NOT NULL REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    PRIMARY KEY (kind, id, source_id)
);
CREATE INDEX IF NOT EXISTS source_claims_source ON skypanel.source_claims (source_id);
COMMENT ON TABLE skypanel.source_claims IS 'Objects that a source declares and another one has: whoever has one leaves it, and does not delete it.';

CREATE OR REPLACE FUNCTION skypanel.source_claimed(p_source uuid, p_objects jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Written apart from the transaction that was refused.
DECLARE
    tenant uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
BEGIN
    PERFORM FROM public.paas_sources s WHERE s.id = p_source AND s.organization_id = tenant AND s.deleted_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM skypanel.source_claims c WHERE c.source_id = p_source
       AND (c.kind, c.id) NOT IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid));
    INSERT INTO skypanel.source_claims (kind, id, source_id, organization_id)
    SELECT o.kind, o.id, p_source, tenant FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid)
      JOIN skypanel.source_objects o ON (o.kind, o.id) = (w.kind, w.id) AND o.organization_id = tenant AND o.source_id <> p_source
     ORDER BY o.kind, o.id
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION skypanel.source_claimed IS 'Notes which objects a source declares that other ones have.';

-- As in 0075, and what is left.

CREATE OR REPLACE FUNCTION skypanel.source_applied(
    p_lease text, p_holder text, p_epoch bigint, p_source uuid, p_generation bigint, p_commit text, p_files integer, p_objects jsonb)
RETURNS TABLE (said text, object_kind text, object_id uuid, other text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A row comes back for each reason not to commit: the caller rolls back then. One that says left is none: the caller deletes that object. p_objects: [{"kind": "app", "id": "..."}], all of the source.
DECLARE
    prunes boolean;
    tenant uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
BEGIN
    PERFORM FROM skypanel.lease l
      WHERE l.name = p_lease AND l.holder = p_holder AND l.epoch = p_epoch AND l.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'fenced', NULL::text, NULL::uuid, NULL::text;
        RETURN;
    END IF;
    SELECT s.prune INTO prunes FROM public.paas_sources s JOIN public.paas_organizations o ON o.organization_id = s.organization_id AND o.deleted_at IS NULL
      WHERE s.id = p_source AND s.organization_id = tenant AND s.generation = p_generation AND NOT s.suspended AND s.deleted_at IS NULL FOR SHARE OF s;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'changed', NULL::text, NULL::uuid, NULL::text;
        RETURN;
    END IF;
    DELETE FROM skypanel.source_objects o USING public.paas_sources s
     WHERE s.id = o.source_id AND s.deleted_at IS NOT NULL AND s.organization_id = tenant;
    INSERT INTO skypanel.source_objects (kind, id, source_id, organization_id)
    SELECT w.kind, w.id, p_source, tenant FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid)
      JOIN skypanel.names n ON n.kind = w.kind AND n.id = w.id AND n.organization_id = tenant ORDER BY w.kind, w.id
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'taken', o.kind, o.id, s.name
      FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid)
      JOIN skypanel.source_objects o ON (o.kind, o.id) = (w.kind, w.id) AND o.source_id <> p_source
      JOIN public.paas_sources s ON s.id = o.source_id AND s.organization_id = tenant
     ORDER BY o.kind, o.id;
    -- What another source waits for changes hands, and what has something of a source below it stays; the rest is the caller's to delete,
    -- in this transaction.
    RETURN QUERY SELECT 'left', o.kind, o.id, n.path
      FROM skypanel.source_objects o
      JOIN skypanel.names n ON n.kind = o.kind AND n.id = o.id AND n.organization_id = tenant AND NOT n.deleted
     WHERE prunes AND o.source_id = p_source
       AND (o.kind, o.id) NOT IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid))
       AND NOT EXISTS (SELECT FROM skypanel.source_claims c JOIN public.paas_sources s ON s.id = c.source_id AND s.deleted_at IS NULL
                        WHERE (c.kind, c.id) = (o.kind, o.id) AND c.source_id <> p_source)
       AND NOT EXISTS (SELECT FROM skypanel.source_objects x JOIN skypanel.names m ON m.kind = x.kind AND m.id = x.id AND NOT m.deleted
                        WHERE x.organization_id = tenant AND starts_with(m.path, n.path || '/')
                          AND (x.source_id <> p_source
                               OR (x.kind, x.id) IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid))))
     ORDER BY o.kind, o.id;
    DELETE FROM skypanel.source_claims c WHERE c.source_id = p_source;
    DELETE FROM skypanel.source_objects o
     WHERE o.source_id = p_source AND (o.kind, o.id) NOT IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid));
    INSERT INTO skypanel.source_commits AS c (source_id, organization_id, commit, files, objects)
    VALUES (p_source, tenant, p_commit, p_files, jsonb_array_length(p_objects))
    ON CONFLICT ON CONSTRAINT source_commits_pkey DO UPDATE SET commit = excluded.commit, files = excluded.files, objects = excluded.objects, applied_at = excluded.applied_at
     WHERE (c.commit, c.files, c.objects) IS DISTINCT FROM (excluded.commit, excluded.files, excluded.objects);
END
$$;

-- As in 0075, and claims.

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
                            'skypanel.inventory', 'skypanel.subnets', 'skypanel.api_idempotency', 'skypanel.api_tokens',
                            'skypanel.source_commits', 'skypanel.source_objects', 'skypanel.source_claims']) AS t
        UNION ALL -- machines are the platform's, and reports tell what images there are
        SELECT 6, 0, 'CALL skypanel.isolate_table(''skypanel.api_token_uses'')' -- by its token
        UNION ALL
        SELECT 6, 0, format('CALL skypanel.isolate_table(%L, %L)', t, 'false') FROM unnest(ARRAY['public.paas_nodes', 'public.caas_image_reports']) AS t
        UNION ALL
        SELECT 7, 0, format('CALL skypanel.isolate_table(%L, %L, %L)', 'skypanel.reconcile_controls', 'this.scope = ''installation'' OR ' || c, c)
          FROM (VALUES ('EXISTS (SELECT FROM skypanel.names n WHERE n.kind = this.kind AND n.id = this.id AND n.organization_id IS NOT NULL)')) AS s(c)) w
     ORDER BY w.place, w.depth, w.statement
$$;

REVOKE EXECUTE ON FUNCTION skypanel.source_claimed FROM PUBLIC;
CALL skypanel.bound_table('public.paas_sources');
CALL skypanel.bound_table('skypanel.source_claims');
CALL skypanel.isolate_table('skypanel.source_claims');
