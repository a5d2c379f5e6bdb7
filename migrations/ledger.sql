-- The record of applied migrations. `skypanel migrate` runs this before it reads the record.
CREATE SCHEMA IF NOT EXISTS skypanel;

CREATE TABLE IF NOT EXISTS skypanel.schema_migrations (
    version    integer     PRIMARY KEY CONSTRAINT schema_migrations_version_positive CHECK (version > 0),
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text        NOT NULL DEFAULT current_user
);

COMMENT ON TABLE skypanel.schema_migrations IS
    'Which migration files this database has had. Written by `skypanel migrate` only.';
COMMENT ON COLUMN skypanel.schema_migrations.checksum IS
    'SHA-256 of the file as it was applied; a file that is edited afterwards is refused.';
