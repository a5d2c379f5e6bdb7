-- A login for people: it may write what should run, as the panel does, and read everything but secrets.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'operator') THEN
        CREATE ROLE operator LOGIN IN ROLE skypanel_panel, skypanel_reader;
    END IF;
END $$
