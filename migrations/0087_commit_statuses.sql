-- Statuses of commits: with whose token forges are told how the commits of a source went, and what they were told (ADR 48).

CREATE TABLE IF NOT EXISTS skypanel.source_forges (
    id              uuid        PRIMARY KEY,
    source_id       uuid        NOT NULL REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    forge           text        NOT NULL CONSTRAINT source_forges_forge_known CHECK (forge IN ('bitbucket', 'gitea', 'github', 'gitlab')),
    api             text        NOT NULL CONSTRAINT source_forges_api_form CHECK (length(api) <= 2048 AND api ~ '^https?://[^/@\s]+[^\s]*$'),
    key_id          text        NOT NULL,
    ciphertext      bytea       NOT NULL,
    made_at         timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS source_forges_source ON skypanel.source_forges (source_id);
COMMENT ON TABLE skypanel.source_forges IS 'Where statuses of a source''s commits are said, and the token for it, as ciphertext. `skypanel source statuses` writes it.';
COMMENT ON COLUMN skypanel.source_forges.id IS 'The token is sealed for it, the repository, the forge and its API.';
COMMENT ON COLUMN skypanel.source_forges.organization_id IS 'derived: the source''s';
COMMENT ON COLUMN skypanel.source_forges.key_id IS 'dek:<id in data_keys>';
CREATE OR REPLACE TRIGGER source_forges_keep BEFORE INSERT OR UPDATE ON skypanel.source_forges FOR EACH ROW EXECUTE FUNCTION skypanel.keep_source_hook();

CREATE TABLE IF NOT EXISTS skypanel.source_statuses (
    source_id       uuid        PRIMARY KEY REFERENCES public.paas_sources (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    forge_id        uuid        NOT NULL,
    commit          text        NOT NULL,
    state           text        NOT NULL,
    sentence        text        NOT NULL,
    problem         text        NOT NULL DEFAULT '',
    attempts        integer     NOT NULL DEFAULT 1,
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE skypanel.source_statuses IS 'What was said last of each source''s commit, to which forge. The controller writes it.';
COMMENT ON COLUMN skypanel.source_statuses.forge_id IS 'Of source_forges: with another token it is said anew.';
COMMENT ON COLUMN skypanel.source_statuses.problem IS 'Why it could not be said; empty: it was.';

CALL skypanel.bound_table('skypanel.source_forges');
CALL skypanel.bound_table('skypanel.source_statuses');
CALL skypanel.audit_table('skypanel.source_forges', NULL, 'id', '{made_at}', '{ciphertext}', 'OLD IS DISTINCT FROM NEW');
CALL skypanel.isolate_table('skypanel.source_forges');
