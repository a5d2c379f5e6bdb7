-- What a source declares of an object is the source's, field by field: who else changes one of these, wakes it, and it takes the change back.
--
-- What a commit leaves out is nobody's here, and is not looked at. A writer who goes on is waited for: at once three times in ten
-- minutes, then after the source's interval. So is a source that is not ready: it could take nothing back.

ALTER TABLE skypanel.source_objects
    ADD COLUMN IF NOT EXISTS path            text        NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS fields          text[]      NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS columns         text[]      NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS taken_back      integer     NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS taken_back_at   timestamptz,
    ADD COLUMN IF NOT EXISTS taken_back_from jsonb;
COMMENT ON COLUMN skypanel.source_objects.path IS 'As the source declares it. Empty: it was declared before this was written down.';
COMMENT ON COLUMN skypanel.source_objects.fields IS 'Fields of its spec that the source declares, as files name them.';
COMMENT ON COLUMN skypanel.source_objects.columns IS 'Where these are, and its name, and whether it is deleted: who else changes one wakes the source.';
COMMENT ON COLUMN skypanel.source_objects.taken_back IS 'How often something was taken back, without ten minutes of peace in between.';
COMMENT ON COLUMN skypanel.source_objects.taken_back_from IS 'Of the last time: who, and which fields.';
ALTER TABLE skypanel.source_commits
    ADD COLUMN IF NOT EXISTS taken_back    integer     NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS taken_back_at timestamptz;
COMMENT ON COLUMN skypanel.source_commits.taken_back IS 'How many times it took something back, without ten minutes of peace in between.';

-- As in 0028, and a source is woken where others change what it declares.

CREATE OR REPLACE FUNCTION skypanel.log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: kind, key column. Only what has a reconciler leaves something behind that a tombstone could speak of.
DECLARE
    changed jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    object  uuid  := (changed ->> TG_ARGV[1])::uuid;
    tenant  uuid  := coalesce(skypanel.organization_of(changed), skypanel.tenant_of(TG_ARGV[0], changed));
BEGIN
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    VALUES (TG_ARGV[0], object, tenant, CASE WHEN TG_OP = 'DELETE' THEN 'D' ELSE 'U' END);
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO skypanel.change_log (kind, id, organization_id, op)
        SELECT 'source', s.id, s.organization_id, 'U'
          FROM skypanel.source_objects o
          JOIN public.paas_sources s ON s.id = o.source_id AND s.deleted_at IS NULL AND NOT s.suspended
          JOIN skypanel.source_commits c ON c.source_id = s.id
         WHERE o.kind = TG_ARGV[0] AND o.id = object
           AND (TG_OP = 'DELETE' OR EXISTS (SELECT FROM unnest(o.columns) AS f WHERE to_jsonb(OLD) -> f IS DISTINCT FROM changed -> f))
           AND (o.taken_back < 3 OR o.taken_back_at < clock_timestamp() - interval '10 minutes')
           AND (c.taken_back < 20 OR c.taken_back_at < clock_timestamp() - interval '10 minutes')
           AND NOT EXISTS (SELECT FROM skypanel.object_status t WHERE t.kind = 'source' AND t.id = s.id AND NOT t.ready)
           AND NOT (coalesce(current_setting('skypanel.means', true), '') = 'git' AND coalesce(pg_has_role(session_user, to_regrole('skypanel_api'), 'USAGE'), false));
    END IF;
    IF TG_OP = 'UPDATE' OR to_regclass('skypanel.snapshot_' || TG_ARGV[0]) IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO skypanel.tombstones (kind, id, organization_id) VALUES (TG_ARGV[0], object, tenant)
        ON CONFLICT (kind, id) DO UPDATE SET deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by;
    ELSE
        DELETE FROM skypanel.tombstones t WHERE t.kind = TG_ARGV[0] AND t.id = object;
    END IF;
    RETURN NULL;
END
$$;

-- As in 0076, with fields, and with what was taken back from whom.

CREATE OR REPLACE FUNCTION skypanel.source_applied(
    p_lease text, p_holder text, p_epoch bigint, p_source uuid, p_generation bigint, p_commit text, p_files integer, p_objects jsonb)
RETURNS TABLE (said text, object_kind text, object_id uuid, other text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A row comes back for each reason not to commit: the caller rolls back then. Three are none: left, the caller deletes that object; took, it
-- was taken back; contested, it is taken back again and again. p_objects, all of the source: [{"kind": "app", "id": "...", "path": "acme/blog",
-- "fields": ["displayName"], "columns": ["name", "slug", "deleted_at"], "changed": [{"field": "displayName", "col": "name"}], "was": null}].
-- changed: what of the fields that it declared before was not so; was: the row that was there, where it had to be made anew.
DECLARE
    prunes   boolean;
    told     text;
    before   skypanel.source_commits := (SELECT c FROM skypanel.source_commits c WHERE c.source_id = p_source);
    tenant   uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
    one      record;
    story    jsonb;
    happened text;
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
    INSERT INTO skypanel.source_objects AS o (kind, id, source_id, organization_id, path, fields, columns)
    SELECT w.kind, w.id, p_source, tenant, w.path, w.fields, w.columns
      FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid, path text, fields text[], columns text[])
      JOIN skypanel.names n ON n.kind = w.kind AND n.id = w.id AND n.organization_id = tenant ORDER BY w.kind, w.id
    ON CONFLICT ON CONSTRAINT source_objects_pkey DO UPDATE SET path = excluded.path, fields = excluded.fields, columns = excluded.columns
     WHERE o.source_id = p_source AND (o.path, o.fields, o.columns) IS DISTINCT FROM (excluded.path, excluded.fields, excluded.columns);
    RETURN QUERY SELECT 'taken', o.kind, o.id, s.name
      FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid)
      JOIN skypanel.source_objects o ON (o.kind, o.id) = (w.kind, w.id) AND o.source_id <> p_source
      JOIN public.paas_sources s ON s.id = o.source_id AND s.organization_id = tenant
     ORDER BY o.kind, o.id;
    -- What another source waits for changes hands, and what has something of a source below it stays, as does what others have given another
    -- name that could not be taken back; the rest is the caller's to delete, in this transaction.
    RETURN QUERY SELECT 'left', o.kind, o.id, n.path
      FROM skypanel.source_objects o
      JOIN skypanel.names n ON n.kind = o.kind AND n.id = o.id AND n.organization_id = tenant AND NOT n.deleted
     WHERE prunes AND o.source_id = p_source
       AND (o.path = '' OR split_part(o.path, '/', -1) = split_part(n.path, '/', -1))
       AND (o.kind, o.id) NOT IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid))
       AND NOT EXISTS (SELECT FROM skypanel.source_claims c JOIN public.paas_sources s ON s.id = c.source_id AND s.deleted_at IS NULL
                        WHERE (c.kind, c.id) = (o.kind, o.id) AND c.source_id <> p_source)
       AND NOT EXISTS (SELECT FROM skypanel.source_objects x JOIN skypanel.names m ON m.kind = x.kind AND m.id = x.id AND NOT m.deleted
                        WHERE x.organization_id = tenant AND starts_with(m.path, n.path || '/')
                          AND (x.source_id <> p_source
                               OR (x.kind, x.id) IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid))))
     ORDER BY o.kind, o.id;

    -- Who has changed what was not as it had been declared: whom the audit has after the last commit. Where it has nobody, and the commit is
    -- another one, it is the commit that differs.
    told := (SELECT format('source %s at %s', n.path, left(p_commit, 19)) FROM skypanel.names n WHERE n.kind = 'source' AND n.id = p_source);
    FOR one IN
        WITH changed AS MATERIALIZED (
            SELECT w.kind, w.id, w.was IS NOT NULL AS anew, coalesce(w.was, w.id)::text AS audited, c.field, c.col
              FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid, changed jsonb, was uuid)
             CROSS JOIN LATERAL jsonb_to_recordset(coalesce(w.changed, '[]')) AS c(field text, col text)),
        entries AS MATERIALIZED (
            SELECT u.entry, 1 AS newer, u.id AS place FROM skypanel.audit_unsealed u
             WHERE u.entry ->> 'id' IN (SELECT c.audited FROM changed c) AND u.entry ->> 'transaction' <> pg_current_xact_id()::text
            UNION ALL
            SELECT a.entry, 0, a.position FROM (SELECT DISTINCT c.audited FROM changed c) d
             CROSS JOIN LATERAL (SELECT l.entry, l.position FROM skypanel.audit_log l WHERE l.entry ->> 'id' = d.audited ORDER BY l.position DESC LIMIT 50) a),
        authors AS (
            SELECT DISTINCT ON (c.kind, c.id, c.field) c.*, e.entry ->> 'actor' AS actor, e.entry ->> 'means' AS means
              FROM changed c
              LEFT JOIN entries e ON e.entry ->> 'id' = c.audited AND (e.entry -> 'changes' ? c.col OR e.entry ->> 'did' = 'deleted')
                   AND e.entry ->> 'at' > to_char(before.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
             ORDER BY c.kind, c.id, c.field, e.newer DESC NULLS LAST, e.place DESC NULLS LAST)
        SELECT a.kind, a.id, bool_or(a.anew) AS anew, array_agg(a.field ORDER BY a.field) AS fields,
               coalesce(left(string_agg(DISTINCT format('%s (%s)', left(a.actor, 255), left(a.means, 32)), ', '), 512), 'somebody') AS who
          FROM authors a
         WHERE CASE WHEN a.actor IS NULL THEN before.commit = p_commit ELSE a.means IS DISTINCT FROM 'git' END
         GROUP BY a.kind, a.id ORDER BY a.kind, a.id LOOP
        story := jsonb_build_object('by', one.who, 'fields', to_jsonb(one.fields));
        UPDATE skypanel.source_objects o
           SET taken_back = CASE WHEN o.taken_back_at > clock_timestamp() - interval '10 minutes' THEN least(o.taken_back, 1000000) + 1 ELSE 1 END,
               taken_back_at = clock_timestamp(), taken_back_from = story
         WHERE (o.kind, o.id) = (one.kind, one.id) AND o.source_id = p_source;
        happened := format('%s %s: %s %s', one.who,
            concat_ws(' and ', CASE WHEN 'deletion' = ANY (one.fields) THEN 'deleted it' END,
                               'changed ' || nullif(array_to_string(array_remove(one.fields, 'deletion'), ', '), '')),
            told, CASE WHEN one.anew THEN 'made it anew' ELSE 'took it back' END);
        UPDATE skypanel.events e SET count = e.count + 1, last_at = now() -- the same once more within ten minutes is counted
         WHERE e.id = (SELECT max(x.id) FROM skypanel.events x WHERE (x.kind, x.object_id) = (one.kind, one.id))
           AND (e.reason, e.message) = ('TakenBack', happened) AND e.last_at > now() - interval '10 minutes';
        IF NOT FOUND THEN
            INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)
            VALUES (one.kind, one.id, tenant, 'Warning', 'TakenBack', happened);
        END IF;
        RETURN QUERY SELECT 'took', one.kind, one.id, story::text;
    END LOOP;
    IF story IS NOT NULL THEN
        UPDATE skypanel.source_commits c
           SET taken_back = CASE WHEN c.taken_back_at > clock_timestamp() - interval '10 minutes' THEN least(c.taken_back, 1000000) + 1 ELSE 1 END,
               taken_back_at = clock_timestamp()
         WHERE c.source_id = p_source;
    END IF;
    RETURN QUERY SELECT 'contested', o.kind, o.id, (o.taken_back_from || jsonb_build_object('path', o.path))::text
      FROM skypanel.source_objects o
     WHERE o.source_id = p_source AND o.taken_back >= 3 AND o.taken_back_at > clock_timestamp() - interval '10 minutes'
       AND (o.kind, o.id) IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid))
     ORDER BY o.kind, o.path LIMIT 20;

    DELETE FROM skypanel.source_claims c WHERE c.source_id = p_source;
    DELETE FROM skypanel.source_objects o
     WHERE o.source_id = p_source AND (o.kind, o.id) NOT IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid));
    INSERT INTO skypanel.source_commits AS c (source_id, organization_id, commit, files, objects)
    VALUES (p_source, tenant, p_commit, p_files, jsonb_array_length(p_objects))
    ON CONFLICT ON CONSTRAINT source_commits_pkey DO UPDATE SET commit = excluded.commit, files = excluded.files, objects = excluded.objects, applied_at = excluded.applied_at
     WHERE (c.commit, c.files, c.objects) IS DISTINCT FROM (excluded.commit, excluded.files, excluded.objects);
END
$$;

CALL skypanel.bound_table('skypanel.source_objects');
CALL skypanel.bound_table('skypanel.source_commits');
