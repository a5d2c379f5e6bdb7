-- What was written of late, for those who follow.

-- name: now
SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), pg_current_snapshot()::text

-- name: since
-- One statement, so one snapshot: what it does not show, the next one does. One row more than are wanted: there are more.
SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), pg_current_snapshot()::text, s.kind, s.id, s.organization_id, s.event
FROM (VALUES (true)) AS one LEFT JOIN skypanel.stream_since(%(seen)s::pg_snapshot) s ON true
LIMIT %(most)s + 1

-- name: at_paths
SELECT n.id, n.path FROM skypanel.names n WHERE n.kind = %(kind)s AND n.path = ANY (%(paths)s)
