-- What streams of the HTTP API are told: which objects and events to look at again.
--
-- A row is there when its transaction is, and in no order that could pass over one that commits late: who follows says
-- what it has seen as a snapshot, and gets what that does not show. Nothing is kept for readers, and any replica goes on
-- where another one was. No table that readers join already is locked in this file, but for its triggers.

CREATE TABLE IF NOT EXISTS skypanel.stream_log (
    xid             xid8        NOT NULL DEFAULT pg_current_xact_id(),
    kind            text        NOT NULL,
    id              uuid        NOT NULL,
    organization_id uuid,
    event           bigint,
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE skypanel.stream_log IS
    'What was written of late, of declared objects and of events: who follows a stream reads them again. Rows of the last hour.';
COMMENT ON COLUMN skypanel.stream_log.xid IS 'The transaction that wrote it: a stream goes on after a snapshot.';
COMMENT ON COLUMN skypanel.stream_log.event IS 'Of skypanel.events; NULL: the object itself, or what is said of it.';
CREATE INDEX IF NOT EXISTS stream_log_xid ON skypanel.stream_log (xid);
CREATE INDEX IF NOT EXISTS stream_log_at ON skypanel.stream_log USING brin (at);

CREATE OR REPLACE FUNCTION skypanel.log_for_streams() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'events' THEN
        INSERT INTO skypanel.stream_log (kind, id, organization_id, event) SELECT w.kind, w.object_id, w.organization_id, w.id FROM written w;
    ELSE
        INSERT INTO skypanel.stream_log (kind, id, organization_id) SELECT DISTINCT w.kind, w.id, w.organization_id FROM written w;
    END CASE;
    IF FOUND THEN
        NOTIFY skypanel_stream;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.log_for_streams IS 'Notes what a statement wrote, for those who follow streams.';
REVOKE EXECUTE ON FUNCTION skypanel.log_for_streams FROM PUBLIC;

DO $$
DECLARE
    of_table text;
    did      text;
BEGIN
    FOREACH of_table IN ARRAY ARRAY['change_log', 'object_status', 'events'] LOOP
        FOREACH did IN ARRAY CASE of_table WHEN 'change_log' THEN ARRAY['INSERT'] ELSE ARRAY['INSERT', 'UPDATE'] END LOOP
            EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON skypanel.%I REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION skypanel.log_for_streams()',
                           of_table || '_streams_' || lower(did), did, of_table);
        END LOOP;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.stream_since(p_seen pg_snapshot) RETURNS TABLE (kind text, id uuid, organization_id uuid, event bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT s.kind, s.id, s.organization_id, s.event
      FROM skypanel.stream_log s
     WHERE s.xid >= pg_snapshot_xmin(p_seen) AND NOT pg_visible_in_snapshot(s.xid, p_seen)
       AND (current_setting('skypanel.platform', true) = 'on' OR s.organization_id = nullif(current_setting('skypanel.organization', true), '')::uuid)
$$;
COMMENT ON FUNCTION skypanel.stream_since IS
    'What was written that a snapshot does not show, of the organization that the transaction names, or of all for the platform.';
REVOKE EXECUTE ON FUNCTION skypanel.stream_since FROM PUBLIC;

CREATE OR REPLACE FUNCTION skypanel.prune_stream(p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Forty rows for each that is asked for: they are small, and many.
DECLARE
    gone integer;
BEGIN
    DELETE FROM skypanel.stream_log
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM skypanel.stream_log WHERE at < now() - interval '1 hour' LIMIT p_most * 40));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN least(gone, p_most);
END
$$;
COMMENT ON FUNCTION skypanel.prune_stream IS 'Takes away what was written more than an hour ago; as many rows as were asked for: there may be more.';
REVOKE EXECUTE ON FUNCTION skypanel.prune_stream FROM PUBLIC;
