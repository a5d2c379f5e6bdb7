-- Who this database is, where it is now, and the newest epoch that it gave out.
SELECT (SELECT c.system_identifier FROM pg_control_system() c) || '/'
           || (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AS here,
       i.database_id::text, i.place, i.cluster_id, i.installation, i.accepted_mark,
       coalesce((SELECT max(epoch) FROM skypanel.lease), 0) AS epoch
FROM (SELECT 1) AS one LEFT JOIN skypanel.identity i ON i.id
