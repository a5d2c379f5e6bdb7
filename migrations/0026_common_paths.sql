-- The check of tmpfs paths is the dearest of an environment's row, and most rows have the default: they are not gone through.

ALTER TABLE public.paas_environments DROP CONSTRAINT IF EXISTS paas_environments_tmpfs_paths_bounded;
CALL skypanel.add_rule('public.paas_environments', 'tmpfs_paths', 'tmpfs_paths = ''{/tmp}''::text[] OR skypanel.are_tmpfs_paths(tmpfs_paths)');
