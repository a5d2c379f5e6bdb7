-- Who holds back cleaning in this database, for how many transactions, and, where it may be seen, for how many seconds.
SELECT pid, usename, age(backend_xmin), extract(epoch FROM clock_timestamp() - xact_start)::float
FROM pg_stat_activity
WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
ORDER BY age(backend_xmin) DESC
LIMIT 1
