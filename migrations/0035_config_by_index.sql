-- What an environment's document says of its config vars comes from the indexes alone; their ciphertext is not passed by. With 25 of them
-- the document takes as long as with none, and not more than twice as long.

DROP INDEX skypanel.config_vars_name_unique;
CREATE UNIQUE INDEX config_vars_name_unique ON skypanel.config_vars (environment_id, name) INCLUDE (id, version, as_file)
    WHERE deleted_at IS NULL;
DROP INDEX skypanel.config_vars_app_name_unique;
CREATE UNIQUE INDEX config_vars_app_name_unique ON skypanel.config_vars (app_id, name) INCLUDE (id, version, as_file)
    WHERE app_id IS NOT NULL AND deleted_at IS NULL;
DROP INDEX skypanel.config_vars_organization_name_unique;
CREATE UNIQUE INDEX config_vars_organization_name_unique ON skypanel.config_vars (organization_id, name) INCLUDE (id, version, as_file)
    WHERE organization_id IS NOT NULL AND deleted_at IS NULL;
