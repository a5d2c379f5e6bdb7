-- The controller's own state: inventory, lease, address plan, fuse; and the declared rows that live in our schema:
-- config vars and GitOps sources.

CREATE TABLE IF NOT EXISTS skypanel.inventory (
    object_type     text        NOT NULL CONSTRAINT inventory_object_type_not_empty CHECK (object_type <> ''),
    name            text        NOT NULL CONSTRAINT inventory_name_not_empty CHECK (name <> ''),
    owner_kind      text        NOT NULL,
    owner_id        uuid        NOT NULL,
    organization_id uuid,
    engine_id       text,
    spec_hash       text,
    failed_hash     text,
    last_good       jsonb,
    state           text        NOT NULL CONSTRAINT inventory_state_known CHECK (state IN ('applying', 'present', 'deleting')),
    epoch           bigint      NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (object_type, name)
);
COMMENT ON TABLE skypanel.inventory IS
    'Every engine object that is ours. The row is written before the create and removed after the delete is confirmed. No foreign keys: it outlives its owner.';
COMMENT ON COLUMN skypanel.inventory.engine_id IS 'The engine''s id; NULL until the create has answered.';
COMMENT ON COLUMN skypanel.inventory.spec_hash IS 'Hash of the spec last applied.';
COMMENT ON COLUMN skypanel.inventory.failed_hash IS 'Hash of a spec that the engine rolled back; it is not tried again by itself.';
COMMENT ON COLUMN skypanel.inventory.last_good IS 'The spec that last came up healthy, which a bad one falls back to; no secret is in a spec.';
COMMENT ON COLUMN skypanel.inventory.epoch IS 'Term of the leader that wrote the row.';
CREATE INDEX IF NOT EXISTS inventory_owner ON skypanel.inventory (owner_kind, owner_id);
CREATE INDEX IF NOT EXISTS inventory_organization ON skypanel.inventory (organization_id);
CREATE OR REPLACE TRIGGER update_inventory_updated_at BEFORE UPDATE ON skypanel.inventory
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TABLE IF NOT EXISTS skypanel.lease (
    name        text        PRIMARY KEY,
    holder      text        NOT NULL,
    epoch       bigint      NOT NULL CONSTRAINT lease_epoch_unique UNIQUE,
    acquired_at timestamptz NOT NULL DEFAULT now(),
    renewed_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE skypanel.lease IS 'Who is the leader. Each election raises epoch; every write of a leader checks that it is still its own.';
COMMENT ON COLUMN skypanel.lease.epoch IS 'Unique, so that it counts as a key: renewals do not conflict with FOR KEY SHARE, a new term does.';

CREATE TABLE IF NOT EXISTS skypanel.subnets (
    subnet          cidr        PRIMARY KEY,
    organization_id uuid        CONSTRAINT subnets_organization_unique UNIQUE,
    state           text        NOT NULL CONSTRAINT subnets_state_known CHECK (state IN ('allocated', 'quarantined', 'reserved')),
    reason          text,
    allocated_at    timestamptz NOT NULL DEFAULT now(),
    released_at     timestamptz,
    CONSTRAINT subnets_no_overlap EXCLUDE USING gist (subnet inet_ops WITH &&),
    CONSTRAINT subnets_allocated_has_owner CHECK ((state = 'allocated') = (organization_id IS NOT NULL)),
    CONSTRAINT subnets_quarantined_has_time CHECK (state <> 'quarantined' OR released_at IS NOT NULL)
);
COMMENT ON TABLE skypanel.subnets IS 'The address plan of the organizations'' networks. No foreign key: a subnet outlives its organization.';
COMMENT ON COLUMN skypanel.subnets.state IS 'allocated: in use. quarantined: released, not yet given again. reserved: taken by something else, for good.';

CREATE OR REPLACE FUNCTION skypanel.lowest_free_subnet(p_pool cidr, p_prefix integer, p_taken cidr[]) RETURNS cidr
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    -- Addresses as numbers: each gap starts after the furthest end so far, rounded up to the size that is wanted.
    WITH pool AS (
        SELECT network(p_pool) - inet '0.0.0.0' AS first, broadcast(p_pool) - inet '0.0.0.0' AS last,
               1::bigint << (32 - p_prefix) AS size
    ), taken AS (
        SELECT network(t) - inet '0.0.0.0' AS first, broadcast(t) - inet '0.0.0.0' AS last FROM unnest(p_taken) AS t WHERE t && p_pool
        UNION ALL SELECT pool.first - 1, pool.first - 1 FROM pool
    ), gaps AS (
        SELECT max(last) OVER (ORDER BY first ROWS UNBOUNDED PRECEDING) + 1 AS first,
               lead(first) OVER (ORDER BY first) - 1 AS last FROM taken
    ), candidates AS (
        SELECT (gaps.first + pool.size - 1) / pool.size * pool.size AS first, gaps.last FROM gaps, pool
    )
    SELECT set_masklen(inet '0.0.0.0' + min(candidates.first), p_prefix)::cidr
      FROM candidates, pool
     WHERE candidates.first + pool.size - 1 <= least(candidates.last, pool.last)
$$;
COMMENT ON FUNCTION skypanel.lowest_free_subnet IS 'The lowest IPv4 subnet of that size in the pool that overlaps none of those taken; NULL when there is none.';

CREATE OR REPLACE FUNCTION skypanel.allocate_subnet(
    p_organization uuid, p_pool cidr, p_prefix integer, p_excluded cidr[], p_quarantine interval) RETURNS cidr
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen cidr;
BEGIN
    IF family(p_pool) <> 4 OR p_prefix NOT BETWEEN masklen(p_pool) AND 30 THEN
        RAISE EXCEPTION 'a /% network does not fit into the pool %', p_prefix, p_pool
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The pool is an IPv4 network at least as large as one organization''s, which is at most /30.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('skypanel.subnets', 0));

    SELECT subnet INTO chosen FROM skypanel.subnets WHERE organization_id = p_organization;
    IF FOUND THEN
        IF NOT EXISTS (SELECT FROM unnest(coalesce(p_excluded, '{}')) AS excluded WHERE excluded && chosen) THEN
            RETURN chosen;
        END IF;
        UPDATE skypanel.subnets
           SET state = 'quarantined', organization_id = NULL, released_at = clock_timestamp(), reason = 'another network uses it'
         WHERE organization_id = p_organization;
    END IF;

    chosen := skypanel.lowest_free_subnet(p_pool, p_prefix, coalesce(p_excluded, '{}') || coalesce((
        SELECT array_agg(subnet) FROM skypanel.subnets
         WHERE subnet && p_pool AND NOT (state = 'quarantined' AND released_at <= clock_timestamp() - p_quarantine)), '{}'));
    IF chosen IS NULL THEN
        RETURN NULL;
    END IF;
    DELETE FROM skypanel.subnets WHERE subnet && chosen; -- only ones whose quarantine is over can overlap it
    INSERT INTO skypanel.subnets (subnet, organization_id, state) VALUES (chosen, p_organization, 'allocated');
    RETURN chosen;
END
$$;
COMMENT ON FUNCTION skypanel.allocate_subnet IS
    'The organization''s own subnet unless another network overlaps it, or the lowest free one of the pool, or NULL when the pool is used up. Two calls wait for each other; call it in a short READ COMMITTED transaction.';

CREATE OR REPLACE FUNCTION skypanel.release_subnet(p_organization uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE skypanel.subnets
       SET state = 'quarantined', organization_id = NULL, released_at = clock_timestamp(), reason = 'released by organization ' || p_organization
     WHERE organization_id = p_organization
$$;
COMMENT ON FUNCTION skypanel.release_subnet IS 'Puts the organization''s subnet into quarantine; no effect when it has none.';

CREATE TABLE IF NOT EXISTS skypanel.fuse (
    id           boolean     PRIMARY KEY DEFAULT true CONSTRAINT fuse_one_row CHECK (id),
    tripped_at   timestamptz,
    doomed       jsonb       NOT NULL DEFAULT '[]' CONSTRAINT fuse_doomed_list CHECK (jsonb_typeof(doomed) = 'array'),
    doomed_count integer     NOT NULL DEFAULT 0,
    live_count   integer     NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    confirmed_by text
);
COMMENT ON TABLE skypanel.fuse IS 'One row: whether garbage collection has stopped because it would remove too much, and who said that it may go on.';
COMMENT ON COLUMN skypanel.fuse.doomed IS 'Owners whose objects would go: a list of "kind/uuid".';

CREATE TABLE IF NOT EXISTS skypanel.config_vars (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    name           text        NOT NULL CONSTRAINT config_vars_name_form CHECK (name ~ '^[A-Z_][A-Z0-9_]*$' AND length(name) <= 255),
    ciphertext     bytea       NOT NULL CONSTRAINT config_vars_ciphertext_not_empty CHECK (length(ciphertext) > 0),
    key_id         text        NOT NULL CONSTRAINT config_vars_key_id_not_empty CHECK (key_id <> ''),
    version        integer     GENERATED ALWAYS AS (generation::integer) STORED,
    deleted_at     timestamptz,
    generation     bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE skypanel.config_vars IS 'Config vars of environments, as ciphertext only.';
COMMENT ON COLUMN skypanel.config_vars.ciphertext IS 'spec: the encrypted value; the key is not in the database';
COMMENT ON COLUMN skypanel.config_vars.key_id IS 'spec: which key it was encrypted with';
COMMENT ON COLUMN skypanel.config_vars.version IS 'derived: raised with every change';
CREATE UNIQUE INDEX IF NOT EXISTS config_vars_name_unique ON skypanel.config_vars (environment_id, name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS config_vars_environment ON skypanel.config_vars (environment_id);
CREATE OR REPLACE TRIGGER update_config_vars_updated_at BEFORE UPDATE ON skypanel.config_vars
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER config_vars_generation BEFORE INSERT OR UPDATE ON skypanel.config_vars
    FOR EACH ROW EXECUTE FUNCTION skypanel.raise_generation('generation', 'version', 'created_at', 'updated_at');

CREATE TABLE IF NOT EXISTS skypanel.gitops_sources (
    id                     uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id        uuid        NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    name                   text        NOT NULL CONSTRAINT gitops_sources_name_form CHECK (skypanel.is_slug(name)),
    repo_url               text        NOT NULL CONSTRAINT gitops_sources_repo_url_form CHECK (repo_url ~ '^\S+$' AND repo_url !~ '^[a-z+]+://[^/@]*:[^/@]*@'),
    branch                 text        NOT NULL DEFAULT 'main' CONSTRAINT gitops_sources_branch_form CHECK (branch ~ '^[^\s-]\S*$'),
    path                   text        NOT NULL DEFAULT '.' CONSTRAINT gitops_sources_path_inside CHECK (path <> '' AND path !~ '^/' AND path !~ '(^|/)\.\.(/|$)'),
    interval_seconds       integer     NOT NULL DEFAULT 60 CONSTRAINT gitops_sources_interval_seconds_range CHECK (interval_seconds BETWEEN 10 AND 86400),
    suspended              boolean     NOT NULL DEFAULT false,
    credentials_secret_ref text,
    deleted_at             timestamptz,
    generation             bigint      NOT NULL DEFAULT 1,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE skypanel.gitops_sources IS 'Git folders whose spec files are applied to an organization.';
COMMENT ON COLUMN skypanel.gitops_sources.repo_url IS 'spec: without a password; that is what credentials_secret_ref is for';
COMMENT ON COLUMN skypanel.gitops_sources.credentials_secret_ref IS 'spec: names the secret with the deploy key or token; never the secret itself';
CREATE UNIQUE INDEX IF NOT EXISTS gitops_sources_name_unique ON skypanel.gitops_sources (organization_id, name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS gitops_sources_organization ON skypanel.gitops_sources (organization_id);
CREATE OR REPLACE TRIGGER update_gitops_sources_updated_at BEFORE UPDATE ON skypanel.gitops_sources
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER gitops_sources_generation BEFORE INSERT OR UPDATE ON skypanel.gitops_sources
    FOR EACH ROW EXECUTE FUNCTION skypanel.raise_generation('generation', 'created_at', 'updated_at');
