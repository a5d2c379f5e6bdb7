-- What `doctor`, and a controller before its election, ask of the schema.

-- name: migrations
-- Which migrations the database has had.
SELECT version, name FROM skypanel.schema_migrations

-- name: package_migrations
-- Which migrations of installed packages it has had.
SELECT package, version, name FROM skypanel.package_migrations

-- name: privileges
-- What the role of this connection may do, by what the roles of the schema are for.
SELECT current_user,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       (SELECT bool_or(has_any_column_privilege(k.table_name, 'INSERT')) FROM skypanel.kinds k),
       has_table_privilege('skypanel.object_status', 'INSERT') AND has_table_privilege('skypanel.object_status', 'UPDATE'),
       (SELECT bool_and(has_table_privilege('skypanel.snapshot_' || k.kind, 'SELECT')) FROM skypanel.kinds k WHERE k.reconciled)
       AND has_table_privilege('skypanel.inventory', 'SELECT')

-- name: oldest_transaction
-- Who holds back cleaning in this database, for how many transactions, and, where it may be seen, for how many seconds.
SELECT pid, usename, age(backend_xmin), extract(epoch FROM clock_timestamp() - xact_start)::float
FROM pg_stat_activity
WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
ORDER BY age(backend_xmin) DESC
LIMIT 1
