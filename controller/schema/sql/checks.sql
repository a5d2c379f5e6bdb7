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

-- name: unguarded
-- Tables that have rows of organizations, or that skypanel_api may touch, and that do not restrict it; what tells of the program alone is not meant.
SELECT DISTINCT c.oid::regclass::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN skypanel.isolated_tables i ON to_regclass(i.name) = c.oid
LEFT JOIN skypanel.declared_tables d ON to_regclass(d.name) = c.oid
WHERE n.nspname IN ('public', 'skypanel') AND c.relkind IN ('r', 'p')
  AND (i.name IS NOT NULL OR d.name IS NOT NULL OR has_any_column_privilege('skypanel_api', c.oid, 'SELECT, INSERT, UPDATE')
       OR has_table_privilege('skypanel_api', c.oid, 'DELETE, TRUNCATE'))
  AND c.oid <> ALL (ARRAY['skypanel.kinds', 'skypanel.schema_migrations', 'skypanel.package_migrations']::regclass[])
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND (SELECT count(DISTINCT p.polcmd) FROM pg_policy p
                 WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polname LIKE 'skypanel\_%' AND to_regrole('skypanel_api') = ANY (p.polroles)) = 4)
ORDER BY 1

-- name: unheld
-- Members of skypanel_api that no policy holds.
SELECT r.rolname FROM pg_roles r JOIN pg_auth_members m ON m.member = r.oid
WHERE m.roleid = to_regrole('skypanel_api') AND (r.rolsuper OR r.rolbypassrls) ORDER BY 1

-- name: oldest_transaction
-- Who holds back cleaning in this database, for how many transactions, and, where it may be seen, for how many seconds.
SELECT pid, usename, age(backend_xmin), extract(epoch FROM clock_timestamp() - xact_start)::float
FROM pg_stat_activity
WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
ORDER BY age(backend_xmin) DESC
LIMIT 1

-- name: not_ready
-- Of the objects of a kind, which were looked at: how many there are, how many of them are not ready, and the first of these with why.
WITH looked_at AS (SELECT id, ready = 'True' AS ready, message FROM skypanel.status WHERE kind = %(kind)s AND NOT deleted AND reason <> 'Pending')
SELECT count(*), count(*) FILTER (WHERE NOT l.ready),
       coalesce((array_agg(n.path || ' (' || l.message || ')' ORDER BY n.path) FILTER (WHERE NOT l.ready))[:%(most)s], '{}')
FROM looked_at l JOIN skypanel.names n ON n.kind = %(kind)s AND n.id = l.id
