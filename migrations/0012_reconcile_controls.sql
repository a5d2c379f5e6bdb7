-- Reconcile controls: what an operator says to the controller about objects, beside what they should be.
--
-- `paused` stops all work on one object, on everything of an organization, or on the whole installation; it is no spec:
-- what runs goes on as it is. `reconcile_token` asks for a look now; object_status.handled_token says that it was had.

CREATE TABLE IF NOT EXISTS skypanel.reconcile_controls (
    scope           text        NOT NULL CONSTRAINT reconcile_controls_scope_known CHECK (scope IN ('object', 'organization', 'installation')),
    kind            text        NOT NULL DEFAULT '',
    id              uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    paused          boolean     NOT NULL DEFAULT false,
    paused_reason   text,
    paused_by       text,
    paused_at       timestamptz,
    reconcile_token text        CONSTRAINT reconcile_controls_token_not_empty CHECK (reconcile_token <> ''),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, kind, id),
    CONSTRAINT reconcile_controls_scope_form CHECK (CASE scope
        WHEN 'object' THEN kind <> ''
        WHEN 'organization' THEN kind = 'organization'
        ELSE kind = '' AND id = '00000000-0000-0000-0000-000000000000' END),
    CONSTRAINT reconcile_controls_token_of_object CHECK (reconcile_token IS NULL OR scope = 'object')
);
COMMENT ON TABLE skypanel.reconcile_controls IS
    'Pauses, and requests to look now. No foreign keys: a pause holds what lives of an object also when its row is gone.';
COMMENT ON COLUMN skypanel.reconcile_controls.scope IS
    'object: one object with a reconciler, by kind and id. organization: everything of it, kind ''organization''. installation: everything; kind and id keep their defaults.';
COMMENT ON COLUMN skypanel.reconcile_controls.paused IS 'Nothing is made, changed, repaired or removed.';
COMMENT ON COLUMN skypanel.reconcile_controls.paused_by IS 'Who paused it; the database''s role unless the writer says whom it acts for.';
COMMENT ON COLUMN skypanel.reconcile_controls.reconcile_token IS 'Any new text: look now, at the engine itself, and try again what failed.';
CREATE INDEX IF NOT EXISTS reconcile_controls_paused ON skypanel.reconcile_controls (scope, kind, id) WHERE paused;

ALTER TABLE skypanel.object_status ADD COLUMN IF NOT EXISTS handled_token text;
COMMENT ON COLUMN skypanel.object_status.handled_token IS 'The last reconcile_token that was acted upon; written with the status that it led to.';

CREATE OR REPLACE FUNCTION skypanel.prepare_control() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- With the writer's own rights, so that current_user is the writer.
BEGIN
    NEW.updated_at := now();
    IF NOT NEW.paused THEN
        NEW.paused_reason := NULL;
        NEW.paused_by := NULL;
        NEW.paused_at := NULL;
    ELSIF TG_OP = 'INSERT' OR NOT OLD.paused THEN
        NEW.paused_by := coalesce(NEW.paused_by, current_user);
        NEW.paused_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER reconcile_controls_prepare BEFORE INSERT OR UPDATE ON skypanel.reconcile_controls
    FOR EACH ROW EXECUTE FUNCTION skypanel.prepare_control();

CREATE OR REPLACE FUNCTION skypanel.check_control() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A pause of something that has no reconciler would do nothing, without a word.
BEGIN
    IF NEW.scope <> 'installation'
       AND NOT EXISTS (SELECT FROM skypanel.objects WHERE kind = NEW.kind AND id = NEW.id)
       AND NOT EXISTS (SELECT FROM skypanel.inventory WHERE owner_kind = NEW.kind AND owner_id = NEW.id) THEN
        RAISE EXCEPTION 'there is no % % with a reconciler', NEW.kind, NEW.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'reconcile_controls_object_exists',
                  TABLE = 'reconcile_controls', SCHEMA = 'skypanel',
                  HINT = 'The view skypanel.objects lists what can be paused; parts of an object are paused with it.';
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER reconcile_controls_check AFTER INSERT ON skypanel.reconcile_controls
    FOR EACH ROW EXECUTE FUNCTION skypanel.check_control();

CREATE OR REPLACE FUNCTION skypanel.log_control() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Every object concerned is looked at: those that are declared, and owners of what still lives though their row is gone.
DECLARE
    control skypanel.reconcile_controls := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    SELECT kind, id, organization_id, 'U' FROM skypanel.objects
     WHERE CASE control.scope
               WHEN 'object' THEN kind = control.kind AND id = control.id
               WHEN 'organization' THEN organization_id = control.id
               ELSE true END
    UNION
    SELECT owner_kind, owner_id, organization_id, 'U' FROM skypanel.inventory
     WHERE CASE control.scope
               WHEN 'object' THEN owner_kind = control.kind AND owner_id = control.id
               WHEN 'organization' THEN organization_id = control.id
               ELSE true END;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER reconcile_controls_inserted AFTER INSERT ON skypanel.reconcile_controls
    FOR EACH ROW WHEN (NEW.paused OR NEW.reconcile_token IS NOT NULL) EXECUTE FUNCTION skypanel.log_control();
CREATE OR REPLACE TRIGGER reconcile_controls_updated AFTER UPDATE ON skypanel.reconcile_controls
    FOR EACH ROW WHEN ((OLD.paused, OLD.paused_reason, OLD.paused_by, OLD.reconcile_token)
                       IS DISTINCT FROM (NEW.paused, NEW.paused_reason, NEW.paused_by, NEW.reconcile_token))
    EXECUTE FUNCTION skypanel.log_control();
CREATE OR REPLACE TRIGGER reconcile_controls_deleted AFTER DELETE ON skypanel.reconcile_controls
    FOR EACH ROW WHEN (OLD.paused) EXECUTE FUNCTION skypanel.log_control();

CREATE OR REPLACE FUNCTION skypanel.pause_of(p_kind text, p_id uuid, p_organization uuid)
RETURNS TABLE (scope text, reason text, paused_by text, paused_at timestamptz)
LANGUAGE sql STABLE ROWS 1 AS $$
    -- No search_path: the planner can then put this into the query that asks.
    SELECT c.scope, c.paused_reason, c.paused_by, c.paused_at
      FROM skypanel.reconcile_controls c
     WHERE c.paused
       AND (c.scope = 'installation'
            OR (c.scope = 'organization' AND c.id = p_organization)
            OR (c.scope = 'object' AND c.kind = p_kind AND c.id = p_id))
     ORDER BY c.scope <> 'installation', c.scope <> 'organization'
     LIMIT 1
$$;
COMMENT ON FUNCTION skypanel.pause_of IS 'The widest pause that holds an object; no row when none does.';

REVOKE ALL ON skypanel.reconcile_controls FROM PUBLIC, skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT, DELETE,
      INSERT (scope, kind, id, paused, paused_reason, paused_by, reconcile_token),
      UPDATE (paused, paused_reason, paused_by, reconcile_token)
    ON skypanel.reconcile_controls TO skypanel_panel;
GRANT SELECT ON skypanel.reconcile_controls TO skypanel_controller, skypanel_reader;
REVOKE EXECUTE ON FUNCTION skypanel.prepare_control, skypanel.check_control, skypanel.log_control, skypanel.pause_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION skypanel.pause_of TO skypanel_panel, skypanel_controller, skypanel_reader;
