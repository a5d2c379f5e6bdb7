-- Roles: three groups that nobody logs in as. Make login users and GRANT them one (docs/reference/schema.md).
-- Roles belong to the whole server, so another database's migration may be making them at the same moment.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['skypanel_panel', 'skypanel_controller', 'skypanel_reader'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA skypanel FROM PUBLIC;
GRANT USAGE ON SCHEMA skypanel TO skypanel_panel, skypanel_controller, skypanel_reader;
GRANT SELECT ON skypanel.schema_migrations TO skypanel_panel, skypanel_controller, skypanel_reader;
