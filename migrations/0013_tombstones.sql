-- Tombstones: that the row of an object was deleted, by whom and when, for as long as something of it may live.
--
-- The change log forgets what was looked at; this says for good that somebody meant it. An object whose row is gone
-- and that has no tombstone was not deleted: its table was emptied, or is an older copy.

CREATE TABLE IF NOT EXISTS skypanel.tombstones (
    kind            text        NOT NULL,
    id              uuid        NOT NULL,
    organization_id uuid,
    deleted_at      timestamptz NOT NULL DEFAULT now(),
    deleted_by      text        NOT NULL DEFAULT session_user,
    PRIMARY KEY (kind, id)
);
COMMENT ON TABLE skypanel.tombstones IS
    'Objects whose rows were deleted with DELETE, written in the same transaction. No foreign keys: it outlives them. A row that comes back takes its tombstone away.';
COMMENT ON COLUMN skypanel.tombstones.organization_id IS 'NULL where a cascade had already removed the way to it.';
COMMENT ON COLUMN skypanel.tombstones.deleted_by IS 'The role that was logged in.';

CREATE OR REPLACE FUNCTION skypanel.log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Arguments: kind, key column. Only what has a reconciler leaves something behind that a tombstone could speak of.
DECLARE
    changed jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    object  uuid  := (changed ->> TG_ARGV[1])::uuid;
    tenant  uuid  := skypanel.organization_of(changed);
BEGIN
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    VALUES (TG_ARGV[0], object, tenant, CASE WHEN TG_OP = 'DELETE' THEN 'D' ELSE 'U' END);
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

REVOKE ALL ON skypanel.tombstones FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT, DELETE ON skypanel.tombstones TO skypanel_controller;
GRANT SELECT ON skypanel.tombstones TO skypanel_reader;
