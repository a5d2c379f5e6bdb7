-- A config var that several sources wait for is left to them, whichever of them does not any more: until now the last one that asked was known alone.
--
-- Whoever waits says so with each look, so nothing is taken over.

ALTER TABLE skypanel.source_variables ADD COLUMN IF NOT EXISTS wanted uuid[] NOT NULL DEFAULT '{}';
CREATE INDEX IF NOT EXISTS source_variables_wanted ON skypanel.source_variables (organization_id) WHERE wanted <> '{}';
COMMENT ON COLUMN skypanel.source_variables.wanted IS 'Other sources that declare it, too: whoever has it leaves it to them, and does not unset it.';
COMMENT ON COLUMN skypanel.source_variables.wanted_by IS 'Nothing reads or writes it any more: wanted has all of them.';
CALL skypanel.bound_table('skypanel.source_variables');

-- As in 0084, with all that wait.

CREATE OR REPLACE FUNCTION skypanel.source_configured(p_source uuid, p_commit text, p_variables jsonb)
RETURNS TABLE (said text, variable_id uuid, owner_kind text, owner_id uuid, name text, other text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Before skypanel.source_applied, in its transaction. p_variables, all of the source: [{"id": "...", "kind": "app", "owner": "...", "name": "LOG_LEVEL",
-- "path": "acme/blog", "changed": true}]; changed: it was not as it is declared. A row comes back for each that another source has (taken: the
-- caller rolls back), that is declared no longer and goes (left: the caller unsets it), that was taken back (took), again and again (contested).
#variable_conflict use_column
DECLARE
    prunes   boolean;
    told     text;
    before   skypanel.source_commits := (SELECT c FROM skypanel.source_commits c WHERE c.source_id = p_source);
    tenant   uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
    one      record;
    story    jsonb;
    happened text;
BEGIN
    SELECT s.prune INTO prunes FROM public.paas_sources s WHERE s.id = p_source AND s.organization_id = tenant AND s.deleted_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM skypanel.source_variables v USING public.paas_sources s
     WHERE s.id = v.source_id AND s.deleted_at IS NOT NULL AND s.organization_id = tenant;

    -- Who has changed what was not as it had been declared, as in 0078.
    told := (SELECT format('source %s at %s', n.path, left(p_commit, 19)) FROM skypanel.names n WHERE n.kind = 'source' AND n.id = p_source);
    FOR one IN
        WITH changed AS MATERIALIZED (
            SELECT w.kind, w.owner, w.name, v.variable_id::text AS audited, w.id::text AS audited_too
              FROM jsonb_to_recordset(p_variables) AS w(id uuid, kind text, owner uuid, name text, changed boolean)
              JOIN skypanel.source_variables v ON (v.owner_id, v.name) = (w.owner, w.name) AND v.source_id = p_source
             WHERE w.changed),
        ids AS (SELECT c.audited AS id FROM changed c UNION SELECT c.audited_too FROM changed c),
        entries AS MATERIALIZED (
            SELECT u.entry, 1 AS newer, u.id AS place FROM skypanel.audit_unsealed u
             WHERE u.entry ->> 'id' IN (SELECT i.id FROM ids i) AND u.entry ->> 'transaction' <> pg_current_xact_id()::text
            UNION ALL
            SELECT a.entry, 0, a.position FROM ids i
             CROSS JOIN LATERAL (SELECT l.entry, l.position FROM skypanel.audit_log l WHERE l.entry ->> 'id' = i.id ORDER BY l.position DESC LIMIT 50) a),
        authors AS (
            SELECT DISTINCT ON (c.kind, c.owner, c.name) c.*, e.entry ->> 'actor' AS actor, e.entry ->> 'means' AS means
              FROM changed c
              LEFT JOIN entries e ON e.entry ->> 'id' IN (c.audited, c.audited_too)
                   AND e.entry ->> 'at' > to_char(before.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
             ORDER BY c.kind, c.owner, c.name, e.newer DESC NULLS LAST, e.place DESC NULLS LAST)
        SELECT a.kind, a.owner, array_agg(a.name ORDER BY a.name) AS names,
               coalesce(left(string_agg(DISTINCT format('%s (%s)', left(a.actor, 255), left(a.means, 32)), ', '), 512), 'somebody') AS who
          FROM authors a
         WHERE CASE WHEN a.actor IS NULL THEN before.commit = p_commit ELSE a.means IS DISTINCT FROM 'git' END
         GROUP BY a.kind, a.owner ORDER BY a.kind, a.owner LOOP
        story := jsonb_build_object('by', one.who);
        UPDATE skypanel.source_variables v
           SET taken_back = CASE WHEN v.taken_back_at > clock_timestamp() - interval '10 minutes' THEN least(v.taken_back, 1000000) + 1 ELSE 1 END,
               taken_back_at = clock_timestamp(), taken_back_from = story
         WHERE v.owner_id = one.owner AND v.name = ANY (one.names) AND v.source_id = p_source;
        happened := format('%s changed the config vars %s: %s took it back', one.who, left(array_to_string(one.names, ', '), 1024), told);
        UPDATE skypanel.events e SET count = e.count + 1, last_at = now() -- the same once more within ten minutes is counted
         WHERE e.id = (SELECT max(x.id) FROM skypanel.events x WHERE (x.kind, x.object_id) = (one.kind, one.owner))
           AND (e.reason, e.message) = ('TakenBack', happened) AND e.last_at > now() - interval '10 minutes';
        IF NOT FOUND THEN
            INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)
            VALUES (one.kind, one.owner, tenant, 'Warning', 'TakenBack', happened);
        END IF;
        RETURN QUERY SELECT 'took', NULL::uuid, one.kind, one.owner, n, one.who FROM unnest(one.names) AS n;
    END LOOP;
    IF story IS NOT NULL THEN
        UPDATE skypanel.source_commits c
           SET taken_back = CASE WHEN c.taken_back_at > clock_timestamp() - interval '10 minutes' THEN least(c.taken_back, 1000000) + 1 ELSE 1 END,
               taken_back_at = clock_timestamp()
         WHERE c.source_id = p_source;
    END IF;

    INSERT INTO skypanel.source_variables AS v (owner_id, name, owner_kind, variable_id, source_id, organization_id)
    SELECT w.owner, w.name, w.kind, w.id, p_source, tenant
      FROM jsonb_to_recordset(p_variables) AS w(id uuid, kind text, owner uuid, name text)
      JOIN skypanel.names n ON n.kind = w.kind AND n.id = w.owner AND n.organization_id = tenant
      JOIN skypanel.config_vars c ON c.id = w.id AND c.name = w.name AND w.owner IN (c.environment_id, c.app_id, c.organization_id)
     ORDER BY w.owner, w.name
    ON CONFLICT ON CONSTRAINT source_variables_pkey DO UPDATE SET variable_id = excluded.variable_id
     WHERE v.source_id = p_source AND v.variable_id <> excluded.variable_id;
    RETURN QUERY SELECT 'taken', v.variable_id, v.owner_kind, v.owner_id, v.name, s.name
      FROM jsonb_to_recordset(p_variables) AS w(owner uuid, name text)
      JOIN skypanel.source_variables v ON (v.owner_id, v.name) = (w.owner, w.name) AND v.source_id <> p_source
      JOIN public.paas_sources s ON s.id = v.source_id AND s.organization_id = tenant
     ORDER BY v.owner_id, v.name;
    RETURN QUERY SELECT 'contested', v.variable_id, v.owner_kind, v.owner_id, v.name, v.taken_back_from ->> 'by'
      FROM jsonb_to_recordset(p_variables) AS w(owner uuid, name text)
      JOIN skypanel.source_variables v ON (v.owner_id, v.name) = (w.owner, w.name) AND v.source_id = p_source
     WHERE v.taken_back >= 3 AND v.taken_back_at > clock_timestamp() - interval '10 minutes'
     ORDER BY v.owner_id, v.name LIMIT 20;
    RETURN QUERY SELECT 'left', c.id, v.owner_kind, v.owner_id, v.name, NULL::text
      FROM skypanel.source_variables v
      JOIN skypanel.names n ON n.kind = v.owner_kind AND n.id = v.owner_id AND n.organization_id = tenant AND NOT n.deleted
      JOIN skypanel.config_vars c ON v.owner_id IN (c.environment_id, c.app_id, c.organization_id) AND c.name = v.name AND c.deleted_at IS NULL
     WHERE prunes AND v.source_id = p_source
       AND (v.owner_id, v.name) NOT IN (SELECT w.owner, w.name FROM jsonb_to_recordset(p_variables) AS w(owner uuid, name text))
       AND NOT EXISTS (SELECT FROM public.paas_sources s WHERE s.id = ANY (v.wanted) AND s.deleted_at IS NULL)
     ORDER BY v.owner_id, v.name;
    UPDATE skypanel.source_variables v SET wanted = array_remove(v.wanted, p_source)
     WHERE v.organization_id = tenant AND v.wanted <> '{}' AND p_source = ANY (v.wanted);
    DELETE FROM skypanel.source_variables v
     WHERE v.source_id = p_source AND (v.owner_id, v.name) NOT IN (SELECT w.owner, w.name FROM jsonb_to_recordset(p_variables) AS w(owner uuid, name text));
END
$$;

CREATE OR REPLACE FUNCTION skypanel.source_wanted(p_source uuid, p_variables jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Written apart from the transaction that was refused, as skypanel.source_claimed is.
DECLARE
    tenant uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
BEGIN
    PERFORM FROM public.paas_sources s WHERE s.id = p_source AND s.organization_id = tenant AND s.deleted_at IS NULL FOR SHARE;
    IF FOUND THEN
        UPDATE skypanel.source_variables v SET wanted = p_source || ARRAY(
               SELECT s.id FROM public.paas_sources s WHERE s.id = ANY (v.wanted) AND s.id <> p_source AND s.deleted_at IS NULL ORDER BY s.id LIMIT 99)
          FROM jsonb_to_recordset(p_variables) AS w(owner uuid, name text)
         WHERE (v.owner_id, v.name) = (w.owner, w.name) AND v.organization_id = tenant AND v.source_id <> p_source;
    END IF;
END
$$;
