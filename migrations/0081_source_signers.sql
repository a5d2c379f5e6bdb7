-- Sources whose commits have to be signed: by whom is spec, as keys are that can be shown.

ALTER TABLE public.paas_sources ADD COLUMN IF NOT EXISTS verify jsonb;
COMMENT ON COLUMN public.paas_sources.verify IS 'spec: {"ssh": [lines of allowed signers], "openpgp": [public keys in their armor]}; NULL: no signature is asked for';
CALL skypanel.add_rule('public.paas_sources', 'verify', $$jsonb_typeof(verify) = 'object' AND verify - '{ssh,openpgp}'::text[] = '{}' AND verify <> '{}' AND skypanel.is_bounded_json(verify, 81920)$$);
CALL skypanel.add_rule('public.paas_sources', 'verify', 'verify IS NULL OR repo_url IS NOT NULL', 'paas_sources_verify_of_commits');

CREATE OR REPLACE VIEW skypanel.snapshot_source AS
    SELECT s.id, s.organization_id, s.generation, s.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object('id', s.id, 'name', s.name, 'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
                              'repo_url', s.repo_url, 'directory', s.directory, 'branch', s.branch, 'tag', s.tag, 'commit', s.commit,
                              'path', s.path, 'verify', s.verify, 'interval_seconds', s.interval_seconds, 'suspended', s.suspended,
                              'username', s.username, 'revision', s.revision, 'sealed', s.ciphertext IS NOT NULL, 'generation', s.generation,
                              'applied', (SELECT c.commit FROM skypanel.source_commits c WHERE c.source_id = s.id)) AS doc
      FROM public.paas_sources s
      JOIN public.paas_organizations p ON p.organization_id = s.organization_id
      JOIN public.organizations o ON o.id = s.organization_id;
