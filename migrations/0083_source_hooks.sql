-- Webhooks of sources: a forge that has a secret of a source may wake it, and nothing else (ADR 48).

CREATE TABLE IF NOT EXISTS skypanel.source_hooks (
    id              uuid        PRIMARY KEY,
    source_id       uuid        NOT NULL REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    key_id          text        NOT NULL,
    ciphertext      bytea       NOT NULL,
    made_at         timestamptz NOT NULL DEFAULT now(),
    good_until      timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS source_hooks_current ON skypanel.source_hooks (source_id) WHERE good_until IS NULL;
CREATE INDEX IF NOT EXISTS source_hooks_source ON skypanel.source_hooks (source_id);
COMMENT ON TABLE skypanel.source_hooks IS 'Secrets of sources'' webhooks, as ciphertext: one that counts, and while it is rotated the one before. `skypanel source hook` writes them.';
COMMENT ON COLUMN skypanel.source_hooks.id IS 'The secret is sealed for it.';
COMMENT ON COLUMN skypanel.source_hooks.organization_id IS 'derived: the source''s';
COMMENT ON COLUMN skypanel.source_hooks.key_id IS 'dek:<id in data_keys>';
COMMENT ON COLUMN skypanel.source_hooks.good_until IS 'NULL: it is the present one.';

CREATE OR REPLACE FUNCTION skypanel.keep_source_hook() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A source that is not there is refused by the foreign key, after this.
BEGIN
    NEW.organization_id := coalesce((SELECT s.organization_id FROM public.paas_sources s WHERE s.id = NEW.source_id), NEW.organization_id);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_source_hook IS 'Keeps whose a webhook is, whatever the writer says.';
CREATE OR REPLACE TRIGGER source_hooks_keep BEFORE INSERT OR UPDATE ON skypanel.source_hooks FOR EACH ROW EXECUTE FUNCTION skypanel.keep_source_hook();

CREATE TABLE IF NOT EXISTS skypanel.source_deliveries (
    source_id uuid        NOT NULL REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    digest    bytea       NOT NULL CONSTRAINT source_deliveries_digest_length CHECK (length(digest) = 32),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, digest)
);
CREATE INDEX IF NOT EXISTS source_deliveries_at ON skypanel.source_deliveries (source_id, at);
COMMENT ON TABLE skypanel.source_deliveries IS 'Deliveries that were taken, of the last day and at most 1,000 a source: what comes again wakes nothing.';
COMMENT ON COLUMN skypanel.source_deliveries.digest IS 'SHA-256 of the id that the forge gave it, or of what was signed.';

CREATE OR REPLACE FUNCTION skypanel.hook_of(p_source uuid)
RETURNS TABLE (organization_id uuid, id uuid, key_id text, ciphertext bytea, data_key_id uuid, kek_id text, wrapped bytea, branch text, tag text, commit text)
LANGUAGE sql STABLE ROWS 2 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.organization_id, h.id, h.key_id, h.ciphertext, k.id, k.kek_id, k.wrapped, s.branch, s.tag, s.commit
      FROM public.paas_sources s
      JOIN skypanel.source_hooks h ON h.source_id = s.id AND (h.good_until IS NULL OR h.good_until > now())
      JOIN public.paas_organizations o ON o.organization_id = s.organization_id AND o.deleted_at IS NULL
      LEFT JOIN skypanel.data_keys k ON k.organization_id = s.organization_id
     WHERE s.id = p_source AND s.deleted_at IS NULL AND s.repo_url IS NOT NULL
     ORDER BY h.good_until DESC NULLS FIRST, h.made_at DESC LIMIT 2
$$;
COMMENT ON FUNCTION skypanel.hook_of IS 'Secrets of one source''s webhook that count now, two at most, and what of the repository it follows: before anybody is known.';

CREATE OR REPLACE FUNCTION skypanel.hook_delivered(p_source uuid, p_hook uuid, p_digests bytea[], p_told text, p_wakes boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- woke, or why not: again, it was taken before; other, it is of something else; suspended. NULL: the secret does not count any more.
DECLARE
    tenant  uuid;
    stopped boolean;
BEGIN
    SELECT s.organization_id, s.suspended INTO tenant, stopped
      FROM public.paas_sources s JOIN skypanel.source_hooks h ON h.source_id = s.id AND h.id = p_hook AND (h.good_until IS NULL OR h.good_until > now())
     WHERE s.id = p_source AND s.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM skypanel.source_deliveries d WHERE d.source_id = p_source AND d.digest = ANY (p_digests)) THEN
        RETURN 'again';
    END IF;
    INSERT INTO skypanel.source_deliveries (source_id, digest) SELECT p_source, w.digest FROM (SELECT DISTINCT unnest(p_digests) AS digest) w ORDER BY w.digest
    ON CONFLICT DO NOTHING;
    IF cardinality(p_digests) > 0 AND NOT FOUND THEN
        RETURN 'again';
    END IF;
    DELETE FROM skypanel.source_deliveries d
     WHERE d.ctid = ANY (ARRAY(
        SELECT w.ctid FROM (SELECT x.ctid, x.at, row_number() OVER (ORDER BY x.at DESC) AS place FROM skypanel.source_deliveries x WHERE x.source_id = p_source) w
         WHERE w.place > 1000 OR w.at < clock_timestamp() - interval '1 day'));
    IF stopped OR NOT p_wakes THEN
        RETURN CASE WHEN p_wakes THEN 'suspended' ELSE 'other' END;
    END IF;
    INSERT INTO skypanel.change_log (kind, id, organization_id, op) VALUES ('source', p_source, tenant, 'U');
    UPDATE skypanel.events e SET count = e.count + 1, last_at = now(), message = left(p_told, 1024) -- the newest of ten minutes is named, the others are counted
     WHERE e.id = (SELECT max(x.id) FROM skypanel.events x WHERE x.kind = 'source' AND x.object_id = p_source AND x.reason = 'Woken')
       AND e.first_at > now() - interval '10 minutes';
    IF NOT FOUND THEN
        INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)
        VALUES ('source', p_source, tenant, 'Normal', 'Woken', left(p_told, 1024));
    END IF;
    RETURN 'woke';
END
$$;
COMMENT ON FUNCTION skypanel.hook_delivered IS 'Wakes a source for a delivery whose signature was looked at, once for each.';

REVOKE EXECUTE ON FUNCTION skypanel.keep_source_hook, skypanel.hook_of, skypanel.hook_delivered FROM PUBLIC;
CALL skypanel.bound_table('skypanel.source_hooks');
CALL skypanel.bound_table('skypanel.source_deliveries');
CALL skypanel.audit_table('skypanel.source_hooks', NULL, 'id', '{made_at}', '{ciphertext}', 'OLD IS DISTINCT FROM NEW');
CALL skypanel.isolate_table('skypanel.source_hooks');
