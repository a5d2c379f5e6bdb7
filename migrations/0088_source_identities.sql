-- Age identities of sources: what encrypted files of theirs are opened with. Sealed as passwords are, for the source, and for no repository.

ALTER TABLE public.paas_sources
    ADD COLUMN IF NOT EXISTS identities         bytea,
    ADD COLUMN IF NOT EXISTS identities_key_id  text,
    ADD COLUMN IF NOT EXISTS identities_version integer NOT NULL DEFAULT 0;
ALTER TABLE public.paas_sources DROP CONSTRAINT IF EXISTS paas_sources_identities_whole;
ALTER TABLE public.paas_sources ADD CONSTRAINT paas_sources_identities_whole CHECK ((identities IS NULL) = (identities_key_id IS NULL));
COMMENT ON COLUMN public.paas_sources.identities IS 'spec: the encrypted age identities that files are opened with; the key is not in the database. NULL: none are set';
COMMENT ON COLUMN public.paas_sources.identities_key_id IS 'spec: dek:<id in data_keys>';
COMMENT ON COLUMN public.paas_sources.identities_version IS 'derived: one more with other identities; it is part of what their ciphertext is bound to';

-- As in 0075, with identities.

CREATE OR REPLACE FUNCTION skypanel.keep_source() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
        NEW.revision := gen_random_uuid();
        NEW.identities_version := CASE WHEN NEW.identities IS NULL THEN 0 ELSE 1 END;
        RETURN NEW;
    END IF;
    IF (NEW.organization_id, NEW.repo_url, NEW.username, NEW.ciphertext, NEW.key_id)
       IS DISTINCT FROM (OLD.organization_id, OLD.repo_url, OLD.username, OLD.ciphertext, OLD.key_id) THEN
        NEW.version := OLD.version % 2147483647 + 1;
        NEW.revision := gen_random_uuid();
    ELSE
        NEW.version := OLD.version;
        NEW.revision := OLD.revision;
    END IF;
    NEW.identities_version := CASE WHEN (NEW.organization_id, NEW.identities, NEW.identities_key_id)
                                        IS DISTINCT FROM (OLD.organization_id, OLD.identities, OLD.identities_key_id)
                                   THEN OLD.identities_version % 2147483647 + 1 ELSE OLD.identities_version END;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_source IS 'Keeps version, revision and identities_version, whatever the writer says.';

CREATE OR REPLACE FUNCTION skypanel.sealed_identities_of(p_source uuid)
RETURNS TABLE (organization_id uuid, id uuid, version integer, key_id text, ciphertext bytea, data_key_id uuid, kek_id text, wrapped bytea)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT s.organization_id, s.id, s.identities_version, s.identities_key_id, s.identities, k.id, k.kek_id, k.wrapped
      FROM public.paas_sources s
      LEFT JOIN skypanel.data_keys k ON k.organization_id = s.organization_id
     WHERE s.id = p_source AND s.identities IS NOT NULL;
END;
COMMENT ON FUNCTION skypanel.sealed_identities_of IS 'The ciphertext of a source''s age identities, and the data key that it is under.';

-- As in 0081, with which identities are set.

CREATE OR REPLACE VIEW skypanel.snapshot_source AS
    SELECT s.id, s.organization_id, s.generation, s.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object('id', s.id, 'name', s.name, 'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
                              'repo_url', s.repo_url, 'directory', s.directory, 'branch', s.branch, 'tag', s.tag, 'commit', s.commit,
                              'path', s.path, 'verify', s.verify, 'interval_seconds', s.interval_seconds, 'suspended', s.suspended,
                              'username', s.username, 'revision', s.revision, 'sealed', s.ciphertext IS NOT NULL,
                              'identities', CASE WHEN s.identities IS NOT NULL THEN s.identities_version END, 'generation', s.generation,
                              'applied', (SELECT c.commit FROM skypanel.source_commits c WHERE c.source_id = s.id)) AS doc
      FROM public.paas_sources s
      JOIN public.paas_organizations p ON p.organization_id = s.organization_id
      JOIN public.organizations o ON o.id = s.organization_id;

REVOKE EXECUTE ON FUNCTION skypanel.keep_source, skypanel.sealed_identities_of FROM PUBLIC;
CALL skypanel.declare_kind('source', 'paas_sources', parent => 'organization', parent_column => 'organization_id', reconciled => true,
                           derived => '{version,revision,identities_version}', secret => '{ciphertext,identities}');
CALL skypanel.bound_table('public.paas_sources');
