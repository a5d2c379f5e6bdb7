-- What the role of this connection may do, by what the roles of the schema are for.
SELECT current_user,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       has_any_column_privilege('public.paas_environments', 'INSERT, UPDATE'),
       has_table_privilege('skypanel.object_status', 'INSERT') AND has_table_privilege('skypanel.object_status', 'UPDATE'),
       has_table_privilege('skypanel.snapshot_environment', 'SELECT') AND has_table_privilege('skypanel.inventory', 'SELECT')
