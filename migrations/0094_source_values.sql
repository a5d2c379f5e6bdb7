-- What placeholders in a source's files stand for: the same files for several environments.

ALTER TABLE public.paas_sources ADD COLUMN IF NOT EXISTS overlay jsonb;
COMMENT ON COLUMN public.paas_sources.overlay IS 'spec: {"NAME": value}: what ${NAME} in its files stands for; NULL: nothing is filled in';
CALL skypanel.add_rule('public.paas_sources', 'overlay', $$jsonb_typeof(overlay) = 'object' AND skypanel.is_bounded_json(overlay, 131072)$$);

-- As in 0088, with values.

CREATE OR REPLACE VIEW skypanel.snapshot_source AS
    SELECT s.id, s.organization_id, s.generation, s.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object('id', s.id, 'name', s.name, 'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
                              'repo_url', s.repo_url, 'directory', s.directory, 'branch', s.branch, 'tag', s.tag, 'commit', s.commit,
                              'path', s.path, 'verify', s.verify, 'overlay', s.overlay, 'interval_seconds', s.interval_seconds, 'suspended', s.suspended,
                              'username', s.username, 'revision', s.revision, 'sealed', s.ciphertext IS NOT NULL,
                              'identities', CASE WHEN s.identities IS NOT NULL THEN s.identities_version END, 'generation', s.generation,
                              'applied', (SELECT c.commit FROM skypanel.source_commits c WHERE c.source_id = s.id)) AS doc
      FROM public.paas_sources s
      JOIN public.paas_organizations p ON p.organization_id = s.organization_id
      JOIN public.organizations o ON o.id = s.organization_id;
