-- Sources: repositories and folders whose spec files are declared for an organization, each a row with a reconciler.
--
-- skypanel.gitops_sources, which nothing acted on, is public.paas_sources: it is a kind as the others are. A password is ciphertext, bound to
-- organization, row, repository, user and version. What a source declares is written as skypanel_api, which sees one organization;
-- the last statement of that transaction is skypanel.source_applied.

CREATE TABLE IF NOT EXISTS public.paas_sources (
    id               uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id  uuid        NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    name             text        NOT NULL CONSTRAINT paas_sources_name_form CHECK (skypanel.is_slug(name)),
    repo_url         text        CONSTRAINT paas_sources_repo_url_form CHECK (length(repo_url) <= 2048 AND repo_url ~ '^\S+$' AND repo_url !~ '^[a-z+]+://[^/@]*:[^/@]*@'),
    directory        text        CONSTRAINT paas_sources_directory_inside CHECK (directory <> '' AND length(directory) <= 1024 AND directory !~ '^/' AND directory !~ '(^|/)\.\.(/|$)'),
    branch           text        NOT NULL DEFAULT 'main' CONSTRAINT paas_sources_branch_form CHECK (branch ~ '^[^\s-]\S*$' AND length(branch) <= 255),
    tag              text        CONSTRAINT paas_sources_tag_form CHECK (tag ~ '^[^\s-]\S*$' AND length(tag) <= 255),
    commit           text        CONSTRAINT paas_sources_commit_form CHECK (commit ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    path             text        NOT NULL DEFAULT '.' CONSTRAINT paas_sources_path_inside CHECK (path <> '' AND length(path) <= 1024 AND path !~ '^/' AND path !~ '(^|/)\.\.(/|$)'),
    interval_seconds integer     NOT NULL DEFAULT 60 CONSTRAINT paas_sources_interval_seconds_range CHECK (interval_seconds BETWEEN 10 AND 86400),
    suspended        boolean     NOT NULL DEFAULT false,
    username         text        CONSTRAINT paas_sources_username_form CHECK (username <> '' AND length(username) <= 255),
    ciphertext       bytea,
    key_id           text,
    version          integer     NOT NULL DEFAULT 1,
    revision         uuid        NOT NULL DEFAULT gen_random_uuid(),
    generation       bigint      NOT NULL DEFAULT 1,
    deleted_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_sources_one_place CHECK (num_nonnulls(repo_url, directory) = 1),
    CONSTRAINT paas_sources_one_revision CHECK (num_nonnulls(tag, commit) <= 1),
    CONSTRAINT paas_sources_sealed_whole CHECK ((ciphertext IS NULL) = (key_id IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS paas_sources_name_unique ON public.paas_sources (organization_id, name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_sources_organization ON public.paas_sources (organization_id);
COMMENT ON TABLE public.paas_sources IS 'Repositories and folders whose spec files are declared for an organization. Passwords are ciphertext only.';
COMMENT ON COLUMN public.paas_sources.repo_url IS 'spec: of the repository, without a password';
COMMENT ON COLUMN public.paas_sources.directory IS 'spec: a folder below SKYPANEL_SOURCE_ROOT/<organization>, in place of a repository';
COMMENT ON COLUMN public.paas_sources.commit IS 'spec: the only one that is read; in place of a tag or a branch';
COMMENT ON COLUMN public.paas_sources.username IS 'spec: who asks; the password is sealed for him and the repository';
COMMENT ON COLUMN public.paas_sources.ciphertext IS 'spec: the encrypted password or token; the key is not in the database. NULL: none is set';
COMMENT ON COLUMN public.paas_sources.key_id IS 'spec: dek:<id in data_keys>';
COMMENT ON COLUMN public.paas_sources.version IS 'derived: 1 for a new row, one more with every other password, user or repository; it is part of what the ciphertext is bound to';
COMMENT ON COLUMN public.paas_sources.revision IS 'derived: another one with each version, and never the same again';

DO $$
BEGIN
    IF to_regclass('skypanel.gitops_sources') IS NOT NULL THEN
        INSERT INTO public.paas_sources (id, organization_id, name, repo_url, branch, path, interval_seconds, suspended, deleted_at, created_at)
        SELECT id, organization_id, name, left(repo_url, 2048), left(branch, 255), left(path, 1024), interval_seconds, suspended, deleted_at, created_at
          FROM skypanel.gitops_sources
        ON CONFLICT DO NOTHING;
        DROP TABLE skypanel.gitops_sources;
        DELETE FROM skypanel.declared_tables WHERE name = 'skypanel.gitops_sources';
        DELETE FROM skypanel.isolated_tables WHERE name = 'skypanel.gitops_sources';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION skypanel.keep_source() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
        NEW.revision := gen_random_uuid();
    ELSIF (NEW.organization_id, NEW.repo_url, NEW.username, NEW.ciphertext, NEW.key_id)
          IS DISTINCT FROM (OLD.organization_id, OLD.repo_url, OLD.username, OLD.ciphertext, OLD.key_id) THEN
        NEW.version := OLD.version % 2147483647 + 1;
        NEW.revision := gen_random_uuid();
    ELSE
        NEW.version := OLD.version;
        NEW.revision := OLD.revision;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.keep_source IS 'Keeps version and revision, whatever the writer says.';
CREATE OR REPLACE TRIGGER paas_sources_keep BEFORE INSERT OR UPDATE ON public.paas_sources FOR EACH ROW EXECUTE FUNCTION skypanel.keep_source();

CREATE TABLE IF NOT EXISTS skypanel.source_commits (
    source_id       uuid        PRIMARY KEY REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    commit          text        NOT NULL,
    files           integer     NOT NULL,
    objects         integer     NOT NULL,
    applied_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE skypanel.source_commits IS 'What each source has declared last, and when it was another commit than before.';

CREATE TABLE IF NOT EXISTS skypanel.source_objects (
    kind            text        NOT NULL,
    id              uuid        NOT NULL,
    source_id       uuid        NOT NULL REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS source_objects_source ON skypanel.source_objects (source_id);
COMMENT ON TABLE skypanel.source_objects IS 'Which source declares an object: one at most.';

CREATE OR REPLACE FUNCTION skypanel.source_applied(
    p_lease text, p_holder text, p_epoch bigint, p_source uuid, p_generation bigint, p_commit text, p_files integer, p_objects jsonb)
RETURNS TABLE (said text, object_kind text, object_id uuid, other text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- A row comes back for each reason not to commit: the caller rolls back then. p_objects: [{"kind": "app", "id": "..."}], all of the source.
DECLARE
    tenant uuid := nullif(current_setting('skypanel.organization', true), '')::uuid;
BEGIN
    PERFORM FROM skypanel.lease l
      WHERE l.name = p_lease AND l.holder = p_holder AND l.epoch = p_epoch AND l.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'fenced', NULL::text, NULL::uuid, NULL::text;
        RETURN;
    END IF;
    PERFORM FROM public.paas_sources s JOIN public.paas_organizations o ON o.organization_id = s.organization_id AND o.deleted_at IS NULL
      WHERE s.id = p_source AND s.organization_id = tenant AND s.generation = p_generation AND NOT s.suspended AND s.deleted_at IS NULL FOR SHARE OF s;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'changed', NULL::text, NULL::uuid, NULL::text;
        RETURN;
    END IF;
    DELETE FROM skypanel.source_objects o USING public.paas_sources s
     WHERE s.id = o.source_id AND s.deleted_at IS NOT NULL AND s.organization_id = tenant;
    DELETE FROM skypanel.source_objects o
     WHERE o.source_id = p_source AND (o.kind, o.id) NOT IN (SELECT w.kind, w.id FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid));
    INSERT INTO skypanel.source_objects (kind, id, source_id, organization_id)
    SELECT w.kind, w.id, p_source, tenant FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid)
      JOIN skypanel.names n ON n.kind = w.kind AND n.id = w.id AND n.organization_id = tenant ORDER BY w.kind, w.id
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'taken', o.kind, o.id, s.name
      FROM jsonb_to_recordset(p_objects) AS w(kind text, id uuid)
      JOIN skypanel.source_objects o ON (o.kind, o.id) = (w.kind, w.id) AND o.source_id <> p_source
      JOIN public.paas_sources s ON s.id = o.source_id AND s.organization_id = tenant
     ORDER BY o.kind, o.id;
    INSERT INTO skypanel.source_commits AS c (source_id, organization_id, commit, files, objects)
    VALUES (p_source, tenant, p_commit, p_files, jsonb_array_length(p_objects))
    ON CONFLICT ON CONSTRAINT source_commits_pkey DO UPDATE SET commit = excluded.commit, files = excluded.files, objects = excluded.objects, applied_at = excluded.applied_at
     WHERE (c.commit, c.files, c.objects) IS DISTINCT FROM (excluded.commit, excluded.files, excluded.objects);
END
$$;
COMMENT ON FUNCTION skypanel.source_applied IS
    'The end of the transaction in which a source''s files are declared: that the caller leads, that the source is as it was read, that no other one declares an object, and what it has declared.';

CREATE OR REPLACE FUNCTION skypanel.sealed_source_of(p_source uuid)
RETURNS TABLE (organization_id uuid, id uuid, repo_url text, username text, version integer, revision uuid, key_id text, ciphertext bytea,
               data_key_id uuid, kek_id text, wrapped bytea)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT c.organization_id, c.id, c.repo_url, c.username, c.version, c.revision, c.key_id, c.ciphertext, k.id, k.kek_id, k.wrapped
      FROM public.paas_sources c
      LEFT JOIN skypanel.data_keys k ON k.organization_id = c.organization_id
     WHERE c.id = p_source AND c.ciphertext IS NOT NULL;
END;
COMMENT ON FUNCTION skypanel.sealed_source_of IS 'A source with the ciphertext of its password, and the data key that it is under.';

CREATE OR REPLACE VIEW skypanel.snapshot_source AS
    SELECT s.id, s.organization_id, s.generation, s.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object('id', s.id, 'name', s.name, 'organization', jsonb_build_object('id', o.id, 'slug', skypanel.slug_of(o.slug, o.id)),
                              'repo_url', s.repo_url, 'directory', s.directory, 'branch', s.branch, 'tag', s.tag, 'commit', s.commit,
                              'path', s.path, 'interval_seconds', s.interval_seconds, 'suspended', s.suspended,
                              'username', s.username, 'revision', s.revision, 'sealed', s.ciphertext IS NOT NULL, 'generation', s.generation,
                              'applied', (SELECT c.commit FROM skypanel.source_commits c WHERE c.source_id = s.id)) AS doc
      FROM public.paas_sources s
      JOIN public.paas_organizations p ON p.organization_id = s.organization_id
      JOIN public.organizations o ON o.id = s.organization_id;
COMMENT ON VIEW skypanel.snapshot_source IS 'What the source reconciler works with; no password, and no ciphertext.';

-- As in 0072, and what sources have declared.

CREATE OR REPLACE FUNCTION skypanel.isolations() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.statement FROM (
        SELECT 1 AS place, 0 AS depth, format('CALL skypanel.isolate_view(%L)', v) AS statement FROM unnest(ARRAY['status', 'sizes', 'quotas', 'audit']) AS v
        UNION ALL
        SELECT 2, 0, 'CALL skypanel.isolate_kind_views()'
        UNION ALL -- owners first; what a key leads to that comes later is known in the second round
        SELECT 3 + round, coalesce(k.depth, 99), format('CALL skypanel.isolate_table(%L)', d.name)
          FROM generate_series(0, 1) AS round CROSS JOIN skypanel.declared_tables d LEFT JOIN skypanel.kinds k ON k.table_name = d.name
         WHERE d.name <> 'public.paas_nodes'
        UNION ALL
        SELECT 5, 0, format('CALL skypanel.isolate_table(%L)', t)
          FROM unnest(ARRAY['public.paas_releases', 'public.paas_containers', 'public.paas_usage', 'public.caas_exec_audit', 'public.paas_image_facts',
                            'public.caas_image_verdicts', 'skypanel.object_status', 'skypanel.events', 'skypanel.config_history', 'skypanel.data_keys',
                            'skypanel.inventory', 'skypanel.subnets', 'skypanel.api_idempotency', 'skypanel.api_tokens',
                            'skypanel.source_commits', 'skypanel.source_objects']) AS t
        UNION ALL -- machines are the platform's, and reports tell what images there are
        SELECT 6, 0, 'CALL skypanel.isolate_table(''skypanel.api_token_uses'')' -- by its token
        UNION ALL
        SELECT 6, 0, format('CALL skypanel.isolate_table(%L, %L)', t, 'false') FROM unnest(ARRAY['public.paas_nodes', 'public.caas_image_reports']) AS t
        UNION ALL
        SELECT 7, 0, format('CALL skypanel.isolate_table(%L, %L, %L)', 'skypanel.reconcile_controls', 'this.scope = ''installation'' OR ' || c, c)
          FROM (VALUES ('EXISTS (SELECT FROM skypanel.names n WHERE n.kind = this.kind AND n.id = this.id AND n.organization_id IS NOT NULL)')) AS s(c)) w
     ORDER BY w.place, w.depth, w.statement
$$;

REVOKE EXECUTE ON FUNCTION skypanel.keep_source, skypanel.source_applied, skypanel.sealed_source_of FROM PUBLIC;
CALL skypanel.declare_kind('source', 'paas_sources', parent => 'organization', parent_column => 'organization_id', reconciled => true,
                           derived => '{version,revision}', secret => '{ciphertext}');
CALL skypanel.bound_table('public.paas_sources');
CALL skypanel.bound_table('skypanel.source_commits');
CALL skypanel.bound_table('skypanel.source_objects');
CALL skypanel.isolate_table('skypanel.source_commits');
CALL skypanel.isolate_table('skypanel.source_objects');
