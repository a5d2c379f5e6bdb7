-- Packages: kinds that another installed package brings have migrations of their own, applied after these and recorded apart.

CREATE TABLE IF NOT EXISTS skypanel.package_migrations (
    package    text        NOT NULL CONSTRAINT package_migrations_package_not_empty CHECK (package <> ''),
    version    integer     NOT NULL CONSTRAINT package_migrations_version_positive CHECK (version > 0),
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text        NOT NULL DEFAULT current_user,
    PRIMARY KEY (package, version)
);
COMMENT ON TABLE skypanel.package_migrations IS
    'Which migration files of installed packages this database has had. Written by `skypanel migrate` only.';
COMMENT ON COLUMN skypanel.package_migrations.package IS 'The name of the distribution, as it was installed.';
COMMENT ON COLUMN skypanel.package_migrations.checksum IS 'As of skypanel.schema_migrations.';
