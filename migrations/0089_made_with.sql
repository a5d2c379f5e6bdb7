-- What was made with an API token goes with it when it is revoked: whoever has stolen one does not stay by what he made with it.

ALTER TABLE skypanel.api_tokens ADD COLUMN IF NOT EXISTS made_with text;
ALTER TABLE skypanel.role_bindings ADD COLUMN IF NOT EXISTS made_with text;
CREATE INDEX IF NOT EXISTS api_tokens_made_with ON skypanel.api_tokens (made_with) WHERE made_with IS NOT NULL;
CREATE INDEX IF NOT EXISTS role_bindings_made_with ON skypanel.role_bindings (made_with) WHERE made_with IS NOT NULL;
COMMENT ON COLUMN skypanel.api_tokens.made_with IS 'derived: id of the API token that it was made or rotated with last, by itself or by a session of it; it is revoked with that.';
COMMENT ON COLUMN skypanel.role_bindings.made_with IS 'derived: id of the API token that it was made with, by itself or by a session of it; it goes with that.';
CALL skypanel.bound_table('skypanel.api_tokens');
CALL skypanel.bound_table('skypanel.role_bindings');

CREATE OR REPLACE FUNCTION skypanel.keep_made_with() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Its row is held until the end: who revokes it waits, and finds what was made.
DECLARE
    means text := coalesce(current_setting('skypanel.means', true), '');
    which text := CASE split_part(means, ' ', 1) WHEN 'token' THEN split_part(means, ' ', 2)
                       WHEN 'session' THEN (SELECT t.id FROM skypanel.api_sessions s JOIN skypanel.api_tokens t ON s.token_hash IN (t.hash, t.previous_hash)
                                             WHERE s.id = split_part(means, ' ', 2)) END;
    ended timestamptz;
BEGIN
    IF TG_OP = 'UPDATE' AND which = NEW.id::text THEN
        NEW.made_with := OLD.made_with; -- by itself: it stays what it was
        RETURN NEW;
    END IF;
    SELECT t.id, t.revoked_at INTO NEW.made_with, ended FROM skypanel.api_tokens t WHERE t.id = which FOR SHARE;
    IF ended IS NOT NULL THEN
        RAISE EXCEPTION 'token % was revoked, and makes nothing', which USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_made_with IS 'Keeps with which API token something is made that gives rights, and refuses it of one that is revoked.';
CREATE OR REPLACE TRIGGER api_tokens_made_with BEFORE INSERT OR UPDATE OF hash ON skypanel.api_tokens FOR EACH ROW EXECUTE FUNCTION skypanel.keep_made_with();
CREATE OR REPLACE TRIGGER role_bindings_made_with BEFORE INSERT ON skypanel.role_bindings FOR EACH ROW EXECUTE FUNCTION skypanel.keep_made_with();

CREATE OR REPLACE FUNCTION skypanel.end_made_with() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE skypanel.api_tokens t SET revoked_at = now() WHERE t.made_with = NEW.id AND t.revoked_at IS NULL;
    DELETE FROM skypanel.role_bindings b WHERE b.made_with = NEW.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.end_made_with IS 'Ends what was made with an API token that is revoked, and what was made with that.';
CREATE OR REPLACE TRIGGER api_tokens_end_made_with AFTER UPDATE OF revoked_at ON skypanel.api_tokens
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION skypanel.end_made_with();

REVOKE EXECUTE ON FUNCTION skypanel.keep_made_with, skypanel.end_made_with FROM PUBLIC;
